package e2e

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"testing"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// shape is a documented form of calling track in LaunchDarkly's client-side, server-side and edge
// SDKs.
type shape struct {
	name         string
	details      openfeature.TrackingEventDetails
	data, metric string // JSON; empty if the event has none
}

var shapes = []shape{
	{"the event key alone", openfeature.TrackingEventDetails{}, ``, ``},
	{"an object", details(math.NaN(), "price", 320, "currency", "EUR"), `{"price": 320, "currency": "EUR"}`, ``},
	{"an object that is the whole data", whole(math.NaN(), map[string]any{"price": 320}), `{"price": 320}`, ``},
	{"an object with objects and arrays in it",
		details(math.NaN(), "cart", map[string]any{"items": []any{map[string]any{"sku": "a", "count": 2}}, "gift": nil}),
		`{"cart": {"items": [{"sku": "a", "count": 2}], "gift": null}}`, ``},
	{"true", whole(math.NaN(), true), `true`, ``},
	{"false", whole(math.NaN(), false), `false`, ``},
	{"a number as data", whole(math.NaN(), 42), `42`, ``},
	{"a string", whole(math.NaN(), "my value"), `"my value"`, ``},
	{"an array", whole(math.NaN(), []any{1, "two", true, nil}), `[1, "two", true, null]`, ``},
	{"a metric value alone", details(52.3), ``, `52.3`},
	{"a metric value and null for data", whole(52.3, nil), ``, `52.3`},
	{"a metric value and a string", whole(52.3, "my value"), `"my value"`, `52.3`},
	{"a metric value and an object", details(10, "price", 320), `{"price": 320}`, `10`},
}

// whole returns tracking details whose data is any value, not only an object of attributes.
func whole(value float64, data any) openfeature.TrackingEventDetails {
	return details(value, launchdarkly.TrackingDataKey, data)
}

var _ = Describe("Tracking in the forms of LaunchDarkly's SDKs", func() {
	It("delivers all events with a flush before a serverless function ends, as edge SDKs require", func() {
		box := newBox()
		box.RefuseEvents(503, launchdarklytest.Times(2))
		self, err := os.Executable()
		Expect(err).NotTo(HaveOccurred())
		function := exec.CommandContext(waiting(), self)
		function.Env = append(os.Environ(), functionURL+"="+box.URL())
		output, err := function.CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), "%s", output)
		for i, what := range shapes {
			event := fmt.Sprintf(`{"kind": "custom", "key": "shape-%d", "context": {"kind": "user", "key": "sandy"}`, i)
			if what.data != "" {
				event += `, "data": ` + what.data
			}
			if what.metric != "" {
				event += `, "metricValue": ` + what.metric
			}
			Expect(received(box, fmt.Sprint("shape-", i))).To(MatchJSON(event+"}"), what.name)
		}
		Expect(box.CustomEvents()).To(HaveLen(len(shapes)))
	})
})

// functionURL is the environment variable that makes the test binary run as a function: a process
// that tracks with LaunchDarkly at that URL, flushes, and ends.
const functionURL = "E2E_FUNCTION_URL"

func TestMain(m *testing.M) {
	if url := os.Getenv(functionURL); url != "" {
		if err := runFunction(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0) // without a shutdown
	}
	os.Exit(m.Run())
}

// runFunction handles one request of a function.
func runFunction(url string) error {
	provider, err := launchdarkly.NewProvider(launchdarklytest.ValidSDKKey, launchdarkly.WithLogger(discard),
		launchdarkly.WithInitTimeout(patience), launchdarkly.WithConfig(ld.Config{
			ServiceEndpoints: allAt(url),
			Events:           delivery.Lossless(nil, delivery.WithBackoff(1, 1), delivery.WithLogger(discard)),
			DiagnosticOptOut: true,
		}))
	if err != nil {
		return err
	}
	if err := openfeature.SetProviderWithContextAndWait(waiting(), provider); err != nil {
		return err
	}
	client := openfeature.NewDefaultClient()
	for i, what := range shapes {
		client.Track(context.Background(), fmt.Sprint("shape-", i), sandy, what.details)
	}
	return provider.Flush(waiting())
}
