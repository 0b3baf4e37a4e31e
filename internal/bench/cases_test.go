package bench

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
	"github.com/open-feature/go-sdk/openfeature/isolated"

	community "github.com/open-feature/go-sdk-contrib/providers/launchdarkly/pkg"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/internal/baseline"
)

// contextCase is one evaluation context in each of the compared forms: as an application passes it
// to OpenFeature, and as it builds it with LaunchDarkly's SDK from the same inputs.
type contextCase struct {
	name       string
	evaluation openfeature.EvaluationContext
	flat       openfeature.FlattenedContext
	build      func() ldcontext.Context
}

func contextCases() []contextCase {
	return []contextCase{
		withAttributes(0), withAttributes(1), withAttributes(10), withAttributes(30), nested(), multi(),
	}
}

// crowd is the number of users that a benchmark cycles through, so that no user's context is
// cached.
const crowd = 64

func withoutAttributes() ldcontext.Context { return ldcontext.New("user-key") }

// withAttributes returns a context with attributes of which a third each are strings, numbers and
// booleans.
func withAttributes(n int) contextCase { return userWithAttributes("user-key", n) }

func userWithAttributes(key string, n int) contextCase {
	attributes := make(map[string]any, n)
	for i := range n {
		name := fmt.Sprintf("attribute%02d", i)
		switch i % 3 {
		case 0:
			attributes[name] = "a value"
		case 1:
			attributes[name] = i
		default:
			attributes[name] = true
		}
	}
	return newCase(fmt.Sprintf("attributes=%02d", n), key, attributes, func() ldcontext.Context {
		return baseline.Context(key, attributes)
	})
}

func nested() contextCase {
	address := map[string]any{"street": "a street", "city": map[string]any{"name": "a city", "zip": 12345}}
	tags := []string{"one", "two", "three"}
	return newCase("nested", "user-key", map[string]any{"address": address, "tags": tags}, func() ldcontext.Context {
		return ldcontext.NewBuilder("user-key").
			SetValue("address", ldvalue.CopyArbitraryValue(address)).
			SetValue("tags", ldvalue.CopyArbitraryValue(tags)).
			Build()
	})
}

func multi() contextCase {
	return newCase("multi", "", map[string]any{
		"kind": "multi",
		"user": map[string]any{"key": "user-key", "plan": "gold"},
		"org":  map[string]any{"key": "org-key", "employees": 250},
	}, func() ldcontext.Context {
		return ldcontext.NewMulti(
			ldcontext.NewBuilder("user-key").SetString("plan", "gold").Build(),
			ldcontext.NewBuilder("org-key").Kind("org").SetInt("employees", 250).Build(),
		)
	})
}

func newCase(name, key string, attributes map[string]any, build func() ldcontext.Context) contextCase {
	flat := openfeature.FlattenedContext{}
	maps.Copy(flat, attributes)
	if key != "" {
		flat[openfeature.TargetingKey] = key
	}
	return contextCase{
		name: name, flat: flat, build: build,
		evaluation: openfeature.NewEvaluationContext(key, attributes),
	}
}

// subjects are the compared implementations, with the same flags.
type subjects struct {
	bare            *ld.LDClient
	ours            *launchdarkly.Provider
	theirs          *community.Provider
	oursClient      *openfeature.Client
	theirsClient    *openfeature.Client
	noProviderAtAll *openfeature.Client
}

func newSubjects(b *testing.B) subjects {
	b.Helper()
	data := ldtestdata.DataSource()
	data.Update(data.Flag("bool").VariationForAll(true))
	for key, value := range map[string]ldvalue.Value{
		"string": ldvalue.String("value"), "int": ldvalue.Int(42), "float": ldvalue.Float64(4.2),
		"object": ldvalue.Parse([]byte(`{"a": 1, "b": ["x", "y"]}`)),
	} {
		data.Update(data.Flag(key).Variations(value).FallthroughVariationIndex(0).OffVariationIndex(0))
	}
	config := ld.Config{DataSource: data, Events: ldcomponents.NoEvents(), Logging: ldcomponents.NoLogging()}
	s := subjects{}
	var err error
	if s.bare, err = ld.MakeCustomClient("key", config, time.Second); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.bare.Close() })
	if s.ours, err = launchdarkly.NewProvider("key", launchdarkly.WithConfig(config)); err != nil {
		b.Fatal(err)
	}
	s.theirs = community.NewProvider(s.bare)
	s.oursClient = register(b, s.ours)
	s.theirsClient = register(b, s.theirs)
	s.noProviderAtAll = register(b, openfeature.NoopProvider{})
	return s
}

func register(b *testing.B, provider openfeature.FeatureProvider) *openfeature.Client {
	b.Helper()
	api := isolated.NewAPI()
	if err := api.SetProviderAndWait(b.Context(), provider); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = api.Shutdown(b.Context()) })
	return api.NewClient()
}
