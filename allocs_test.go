package launchdarkly_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/testhelpers/ldtestdata"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
)

// TestAllocations holds the hot paths against LaunchDarkly's SDK, with the context and the data built by hand from the
// same inputs: an evaluation may take two allocations more, for the flag metadata that belongs to its caller; tracking
// may take two more, for the copies that OpenFeature's accessors make.
func TestAllocations(t *testing.T) {
	data := ldtestdata.DataSource()
	data.Update(data.Flag("flag").VariationForAll(true))
	config := ld.Config{DataSource: data, Events: forgetful{}, Logging: ldcomponents.NoLogging()}
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
		build := func() ldcontext.Context {
			b := ldcontext.NewBuilder("user")
			for name, v := range attributes {
				switch v := v.(type) {
				case string:
					b.SetString(name, v)
				case int:
					b.SetInt(name, v)
				case bool:
					b.SetBool(name, v)
				}
			}
			return b.Build()
		}
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

// forgetful is an event processor that does nothing, and its configuration.
type forgetful struct{}

func (f forgetful) Build(subsystems.ClientContext) (ldevents.EventProcessor, error) { return f, nil }

func (forgetful) RecordEvaluation(ldevents.EvaluationData)             {}
func (forgetful) RecordIdentifyEvent(ldevents.IdentifyEventData)       {}
func (forgetful) RecordCustomEvent(ldevents.CustomEventData)           {}
func (forgetful) RecordMigrationOpEvent(ldevents.MigrationOpEventData) {}
func (forgetful) RecordRawEvent(json.RawMessage)                       {}
func (forgetful) Flush()                                               {}
func (forgetful) FlushBlocking(time.Duration) bool                     { return true }
func (forgetful) Close() error                                         { return nil }
