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

// subject is an evaluation context for which an event is tracked.
type subject struct {
	name    string
	context openfeature.EvaluationContext          // of the call
	prepare func(p *program) (ctx context.Context) // sets the contexts of the other levels; may be nil
	json    string                                 // LaunchDarkly's context
}

var subjects = []subject{
	{name: "a single context", context: user("sandy", "name", "Sandy", "plan", "gold"),
		json: `{"kind": "user", "key": "sandy", "name": "Sandy", "plan": "gold"}`},
	{name: "a multi-context",
		context: user("", "kind", "multi", "user", pairs("key", "sandy"), "org", pairs("key", "acme", "name", "Acme")),
		json:    `{"kind": "multi", "user": {"key": "sandy"}, "org": {"key": "acme", "name": "Acme"}}`},
	{name: "an anonymous context", context: user("0a1b", "anonymous", true),
		json: `{"kind": "user", "key": "0a1b", "anonymous": true}`},
	{name: "a context with private attributes",
		context: user("sandy", "email", "s@example.com", "plan", "gold", "privateAttributes", []string{"email"}),
		json:    `{"kind": "user", "key": "sandy", "plan": "gold", "_meta": {"redactedAttributes": ["email"]}}`},
	{name: "the context of the client, as client-side SDKs have one",
		prepare: func(p *program) context.Context {
			p.client.SetEvaluationContext(user("sandy", "plan", "gold"))
			return context.Background()
		},
		json: `{"kind": "user", "key": "sandy", "plan": "gold"}`},
	{name: "a context to which each level has added", context: user("sandy", "plan", "gold"),
		prepare: func(p *program) context.Context {
			p.api.SetEvaluationContext(user("", "region", "eu", "plan", "free"))
			p.client.SetEvaluationContext(user("", "service", "shop"))
			return openfeature.WithTransactionContext(context.Background(), user("", "request", "r-1"))
		},
		json: `{"kind": "user", "key": "sandy", "region": "eu", "request": "r-1", "service": "shop", "plan": "gold"}`},
}

// expectTracked tracks an event and asserts that LaunchDarkly receives exactly it, without a
// warning.
func expectTracked(ctx context.Context, p *program, who openfeature.EvaluationContext,
	d openfeature.TrackingEventDetails, contextJSON, data, metric string,
) {
	GinkgoHelper()
	p.client.Track(ctx, "checkout", who, d)
	p.flush()
	Expect(received(p.box, "checkout")).To(MatchJSON(eventJSON("checkout", contextJSON, data, metric)))
	Expect(p.problems.all()).To(BeEmpty())
	Expect(warningLines(p)).To(BeEmpty())
	Expect(p.provider.Stats().Tracked).To(Equal(uint64(1)))
	Expect(p.provider.Stats().Delivered).To(Equal(uint64(1)))
}

// eventJSON returns a custom event without its date. It has no data or metric value if those are
// empty.
func eventJSON(name, contextJSON, data, metric string) string {
	event := fmt.Sprintf(`{"kind": "custom", "key": %q, "context": %s`, name, contextJSON)
	if data != "" {
		event += `, "data": ` + data
	}
	if metric != "" {
		event += `, "metricValue": ` + metric
	}
	return event + `}`
}

var _ = Describe("Tracking in the forms of LaunchDarkly's SDKs", func() {
	for _, who := range subjects {
		Describe("for "+who.name, func() {
			for _, what := range shapes {
				It("sends "+what.name, func() {
					p := start()
					ctx := context.Background()
					if who.prepare != nil {
						ctx = who.prepare(p)
					}
					expectTracked(ctx, p, who.context, what.details, who.json, what.data, what.metric)
				})
			}
		})
	}

	It("uses a changed context of the client, as after an identify of a client-side SDK", func() {
		p := start()
		var none openfeature.EvaluationContext
		p.client.SetEvaluationContext(user("0a1b", "anonymous", true))
		p.client.Track(context.Background(), "visited", none, openfeature.TrackingEventDetails{})
		p.client.SetEvaluationContext(sandy)
		p.client.Track(context.Background(), "signed up", none, openfeature.TrackingEventDetails{})
		p.flush()
		Expect(received(p.box, "visited")).To(MatchJSON(
			eventJSON("visited", `{"kind": "user", "key": "0a1b", "anonymous": true}`, ``, ``)))
		Expect(received(p.box, "signed up")).To(MatchJSON(
			eventJSON("signed up", `{"kind": "user", "key": "sandy"}`, ``, ``)))
	})

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
			name := fmt.Sprint("shape-", i)
			Expect(received(box, name)).To(MatchJSON(
				eventJSON(name, `{"kind": "user", "key": "sandy"}`, what.data, what.metric)))
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
