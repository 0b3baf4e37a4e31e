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
	"github.com/openfeature-launchdarkly/go-provider/internal/race"
)

// TestAllocations holds the hot paths against LaunchDarkly's SDK, with the context and the data
// built by hand from the same inputs: an evaluation may take two allocations more, for the flag
// metadata that belongs to its caller; tracking may take two more, for the copies that
// OpenFeature's accessors make. For a context that was evaluated a moment ago, the metadata is all
// that an evaluation allocates, and tracking allocates no more than the bare SDK.
func TestAllocations(t *testing.T) {
	if race.Enabled {
		t.Skip("with the race detector, a sync.Pool forgets at random")
	}
	data := ldtestdata.DataSource()
	data.Update(data.Flag("flag").VariationForAll(true))
	config := ld.Config{DataSource: data, Events: baseline.NopEventProcessor{}, Logging: ldcomponents.NoLogging()}
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

	type user struct {
		context openfeature.EvaluationContext
		flat    openfeature.FlattenedContext
		build   func() ldcontext.Context
	}
	newUser := func(key string, attributes map[string]any, build func() ldcontext.Context) user {
		flat := maps.Clone(attributes)
		if key != "" {
			flat[openfeature.TargetingKey] = key
		}
		return user{openfeature.NewEvaluationContext(key, attributes), flat, build}
	}
	cases := map[string]func(key string) user{
		"nested objects": func(key string) user {
			address := map[string]any{"street": "of " + key, "city": map[string]any{"zip": 12345}}
			tags := []string{"one", "two"}
			return newUser(key, map[string]any{"address": address, "tags": tags}, func() ldcontext.Context {
				return ldcontext.NewBuilder(key).SetValue("address", ldvalue.CopyArbitraryValue(address)).
					SetValue("tags", ldvalue.CopyArbitraryValue(tags)).Build()
			})
		},
		"a multi-context": func(key string) user {
			user, org := map[string]any{"key": key, "plan": "gold"}, map[string]any{"key": "o", "size": 3}
			return newUser("", map[string]any{"kind": "multi", "user": user, "org": org}, func() ldcontext.Context {
				return ldcontext.NewMulti(ldcontext.NewBuilder(key).SetString("plan", "gold").Build(),
					ldcontext.NewBuilder("o").Kind("org").SetInt("size", 3).Build())
			})
		},
	}
	for _, n := range []int{0, 1, 10, 30} {
		attributes := make(map[string]any, n)
		for i := range n {
			attributes[fmt.Sprint("attribute-", i)] = []any{"text", i, true}[i%3]
		}
		cases[fmt.Sprintf("%d attributes", n)] = func(key string) user {
			return newUser(key, attributes, func() ldcontext.Context { return baseline.Context(key, attributes) })
		}
	}
	for name, newUser := range cases {
		users := [2]user{newUser("sandy"), newUser("alex")}
		metadata := 2.0
		if _, ok := users[0].flat[openfeature.TargetingKey]; !ok {
			metadata = 3 // with the ID of the context, a string in an interface
		}
		details := openfeature.NewTrackingEventDetails(1.5).Add("currency", "EUR").Add("items", 3)
		byHand := func() ldvalue.Value {
			return ldvalue.ObjectBuild().SetString("currency", "EUR").SetInt("items", 3).Build()
		}
		for _, test := range []struct {
			name       string
			bare, ours func(u *user)
			again      func(bare float64) float64
		}{
			{"evaluation",
				func(u *user) { _, _, _ = bare.BoolVariationDetailCtx(ctx, "flag", u.build(), false) },
				func(u *user) { provider.BooleanEvaluation(ctx, "flag", false, u.flat) },
				func(float64) float64 { return metadata }},
			{"tracking",
				func(u *user) { _ = bare.TrackMetricCtx(ctx, "event", u.build(), 1.5, byHand()) },
				func(u *user) { provider.Track(ctx, "event", u.context, details) },
				func(bare float64) float64 { return bare }},
		} {
			t.Run(test.name+" with "+name, func(t *testing.T) {
				i := 0
				bare := testing.AllocsPerRun(200, func() { test.bare(&users[0]) })
				others := testing.AllocsPerRun(200, func() { i++; test.ours(&users[i%2]) })
				again := testing.AllocsPerRun(200, func() { test.ours(&users[0]) })
				if others > bare+2 {
					t.Errorf("%v allocations for another user, and the bare SDK %v", others, bare)
				}
				if limit := test.again(bare); again > limit {
					t.Errorf("%v allocations for the same user again, more than %v; the bare SDK %v", again, limit, bare)
				}
			})
		}
	}
}
