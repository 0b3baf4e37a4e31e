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

// contextCase is one evaluation context in each of the forms that are compared: what an application
// passes to OpenFeature, and what it would build with LaunchDarkly's SDK from the same inputs.
type contextCase struct {
	name       string
	evaluation openfeature.EvaluationContext
	flat       openfeature.FlattenedContext
	build      func() ldcontext.Context
}

// contextCases returns the cases for one user.
func contextCases(key string) []contextCase {
	return []contextCase{
		withAttributes(key, 0), withAttributes(key, 1), withAttributes(key, 10), withAttributes(key, 30), nested(key), multi(key),
	}
}

// crowd is the number of users that a benchmark goes through in turn, so that none of them is the
// same as the one before.
const crowd = 64

// crowds returns the cases of [contextCases] for many users each.
func crowds() [][]contextCase {
	var crowds [][]contextCase
	for i := range crowd {
		for j, c := range contextCases(fmt.Sprintf("user-%02d", i)) {
			if i == 0 {
				crowds = append(crowds, nil)
			}
			crowds[j] = append(crowds[j], c)
		}
	}
	return crowds
}

// withAttributes has strings of the user's own, numbers and booleans, a third each.
func withAttributes(key string, n int) contextCase {
	attributes := make(map[string]any, n)
	for i := range n {
		name := fmt.Sprintf("attribute%02d", i)
		switch i % 3 {
		case 0:
			attributes[name] = "of " + key
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

func nested(key string) contextCase {
	address := map[string]any{"street": "of " + key, "city": map[string]any{"name": "a city", "zip": 12345}}
	tags := []string{"one", "two", "three"}
	return newCase("nested", key, map[string]any{"address": address, "tags": tags}, func() ldcontext.Context {
		return ldcontext.NewBuilder(key).
			SetValue("address", ldvalue.CopyArbitraryValue(address)).
			SetValue("tags", ldvalue.CopyArbitraryValue(tags)).
			Build()
	})
}

func multi(key string) contextCase {
	return newCase("multi", "", map[string]any{
		"kind": "multi",
		"user": map[string]any{"key": key, "plan": "gold"},
		"org":  map[string]any{"key": "org-key", "employees": 250},
	}, func() ldcontext.Context {
		return ldcontext.NewMulti(
			ldcontext.NewBuilder(key).SetString("plan", "gold").Build(),
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

// subjects are what is compared, all on the same flags.
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
