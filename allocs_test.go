package launchdarkly_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/testhelpers/ldtestdata"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/internal/baseline"
)

// TestAllocations holds the hot paths against LaunchDarkly's SDK, with the context and the data built by hand from the
// same inputs: an evaluation may take two allocations more, for the flag metadata that belongs to its caller; tracking
// may take two more, for the copies that OpenFeature's accessors make.
func TestAllocations(t *testing.T) {
	data := ldtestdata.DataSource()
	data.Update(data.Flag("flag").VariationForAll(true))
	config := ld.Config{DataSource: data, Events: baseline.Forgetful{}, Logging: ldcomponents.NoLogging()}
	bare, err := ld.MakeCustomClient("key", config, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer bare.Close()
	provider, err := launchdarkly.NewProvider("key", launchdarkly.WithConfig(config))
	if err != nil {
		t.Fatal(err)
	}
	defer provider.Shutdown()
	if err := provider.Init(openfeature.EvaluationContext{}); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()

	for _, n := range []int{0, 1, 10, 30} {
		attributes := make(map[string]any, n)
		for i := range n {
			attributes[fmt.Sprint("attribute-", i)] = []any{"text", i, true}[i%3]
		}
		build := func() ldcontext.Context { return baseline.Context("user", attributes) }
		who := openfeature.NewEvaluationContext("user", attributes)
		flat := openfeature.FlattenedContext{openfeature.TargetingKey: "user"}
		maps.Copy(flat, attributes)
		details := openfeature.NewTrackingEventDetails(1.5).Add("currency", "EUR").Add("items", 3)
		byHand := func() ldvalue.Value {
			return ldvalue.ObjectBuild().SetString("currency", "EUR").SetInt("items", 3).Build()
		}
		for _, test := range []struct {
			name       string
			bare, ours func()
		}{
			{"evaluation",
				func() { _, _, _ = bare.BoolVariationDetailCtx(ctx, "flag", build(), false) },
				func() { provider.BooleanEvaluation(ctx, "flag", false, flat) }},
			{"tracking",
				func() { _ = bare.TrackMetricCtx(ctx, "event", build(), 1.5, byHand()) },
				func() { provider.Track(ctx, "event", who, details) }},
		} {
			t.Run(fmt.Sprintf("%s with %d attributes", test.name, n), func(t *testing.T) {
				floor := testing.AllocsPerRun(200, test.bare)
				if got := testing.AllocsPerRun(200, test.ours); got > floor+2 {
					t.Errorf("%v allocations, and the bare SDK %v", got, floor)
				}
			})
		}
	}
}
