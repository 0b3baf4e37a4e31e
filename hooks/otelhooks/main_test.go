package otelhooks_test

import (
	"context"
	"testing"

	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"
	"github.com/open-feature/go-sdk/openfeature/memprovider"
	"go.opentelemetry.io/otel/attribute"
	"go.uber.org/goleak"

	"github.com/openfeature-launchdarkly/go-provider/hooks"
	"github.com/openfeature-launchdarkly/go-provider/internal/sdkleaks"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, sdkleaks.Ignore()...)
}

func provider() *memprovider.InMemoryProvider {
	metadata := openfeature.ProviderResolutionDetail{
		Reason: "RULE_MATCH", Variant: "1",
		FlagMetadata: openfeature.FlagMetadata{
			"contextId": "org:acme", "flagSetId": "set", "version": "v7", "reasonKind": "RULE_MATCH", "inExperiment": true,
		},
	}
	resolve := func(memprovider.InMemoryFlag, openfeature.FlattenedContext) (any, openfeature.ProviderResolutionDetail) {
		return 42, metadata
	}
	flag := func(variant string, value any) memprovider.InMemoryFlag {
		return memprovider.InMemoryFlag{State: memprovider.Enabled, DefaultVariant: variant, Variants: map[string]any{variant: value}}
	}
	return memprovider.NewInMemoryProvider(map[string]memprovider.InMemoryFlag{
		"bool":   flag("on", true),
		"float":  flag("half", 0.5),
		"object": flag("full", map[string]any{"a": 1}),
		"rule":   {State: memprovider.Enabled, ContextEvaluator: &resolve},
	})
}

func newClient(tb testing.TB, installed ...openfeature.Hook) *openfeature.Client {
	tb.Helper()
	api := isolated.NewAPI()
	tb.Cleanup(func() { _ = api.Shutdown(context.Background()) })
	if err := api.SetProviderAndWait(context.Background(), provider()); err != nil {
		tb.Fatal(err)
	}
	client := api.NewClient()
	client.AddHooks(installed...)
	return client
}

// evaluation is one evaluation and the attributes of its event.
type evaluation struct {
	name     string
	evaluate func(context.Context, *openfeature.Client)
	want     []attribute.KeyValue
}

func evaluations() []evaluation {
	evalCtx := openfeature.NewEvaluationContext("anna", nil)
	provider := attribute.String("feature_flag.provider.name", "InMemoryProvider")
	anna := attribute.String("feature_flag.context.id", "anna")
	static := attribute.String("feature_flag.result.reason", "static")
	return []evaluation{
		{"bool", func(ctx context.Context, c *openfeature.Client) { c.Boolean(ctx, "bool", false, evalCtx) }, []attribute.KeyValue{
			attribute.String("feature_flag.key", "bool"), provider,
			attribute.String("feature_flag.result.variant", "on"), attribute.Bool("feature_flag.result.value", true), static, anna,
		}},
		{"float", func(ctx context.Context, c *openfeature.Client) { c.Float(ctx, "float", 0, evalCtx) }, []attribute.KeyValue{
			attribute.String("feature_flag.key", "float"), provider,
			attribute.String("feature_flag.result.variant", "half"), attribute.Float64("feature_flag.result.value", 0.5), static, anna,
		}},
		{"object", func(ctx context.Context, c *openfeature.Client) { c.Object(ctx, "object", nil, evalCtx) }, []attribute.KeyValue{
			attribute.String("feature_flag.key", "object"), provider,
			attribute.String("feature_flag.result.variant", "full"), attribute.String("feature_flag.result.value", `{"a":1}`), static, anna,
		}},
		{"metadata", func(ctx context.Context, c *openfeature.Client) { c.Int(ctx, "rule", 0, evalCtx) }, []attribute.KeyValue{
			attribute.String("feature_flag.key", "rule"), provider,
			attribute.String("feature_flag.result.variant", "1"), attribute.Int("feature_flag.result.value", 42),
			attribute.String("feature_flag.result.reason", "split"),
			attribute.String("feature_flag.context.id", "org:acme"),
			attribute.String("feature_flag.set.id", "set"),
			attribute.String("feature_flag.version", "v7"),
			attribute.String(hooks.ReasonKindKey, "rule_match"),
			attribute.Bool(hooks.InExperimentKey, true),
		}},
		{"error", func(ctx context.Context, c *openfeature.Client) { c.Boolean(ctx, "none", false, evalCtx) }, []attribute.KeyValue{
			attribute.String("feature_flag.key", "none"), provider, attribute.Bool("feature_flag.result.value", false),
			attribute.String("feature_flag.result.reason", "error"), anna,
			attribute.String("error.type", "flag_not_found"), attribute.String("error.message", "flag for key none not found"),
			attribute.String("feature_flag.error.message", "flag for key none not found"),
		}},
	}
}

// same reports whether two lists have the same attributes in any order.
func same(a, b []attribute.KeyValue) bool {
	as, bs := attribute.NewSet(a...), attribute.NewSet(b...)
	return len(a) == len(b) && as.Equals(&bs)
}
