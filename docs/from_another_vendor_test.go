package docs_test

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/memprovider"
	"github.com/open-feature/go-sdk/openfeature/multi"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

var _ = vendorWiring // compiled only: it connects to LaunchDarkly

func vendorWiring(ctx context.Context) error {
	provider, err := launchdarkly.NewProvider(os.Getenv("LAUNCHDARKLY_SDK_KEY"))
	if err != nil {
		return err
	}
	if err := openfeature.SetProviderWithContextAndWait(ctx, provider); err != nil {
		slog.ErrorContext(ctx, "no feature flags yet", slog.Any("error", err))
	}
	return nil
}

func vendorTracking(ctx context.Context, client *openfeature.Client, user openfeature.EvaluationContext) {
	client.Track(ctx, "checkout", user, openfeature.NewTrackingEventDetails(99.90).Add("currency", "EUR"))
	client.Track(ctx, "plan-changed", user, openfeature.NewTrackingEventDetails(math.NaN()).Add("to", "gold"))
}

func vendorBoth(ctx context.Context, old openfeature.FeatureProvider, provider *launchdarkly.Provider) error {
	both, err := multi.NewProvider(multi.StrategyComparison,
		multi.WithProvider("old", old),
		multi.WithProvider("launchdarkly", provider),
		multi.WithFallbackProvider(old),
		multi.WithCustomComparator(same),
	)
	if err != nil {
		return err
	}
	openfeature.AddHooks(disagreements{})
	return openfeature.SetProviderWithContextAndWait(ctx, both)
}

// same reports whether all values are equal. Unlike the default comparator, it accepts objects.
func same(values []any) bool {
	for _, value := range values[1:] {
		if !reflect.DeepEqual(value, values[0]) {
			return false
		}
	}
	return true
}

// disagreements logs the flags for which the providers return different values.
type disagreements struct{ openfeature.UnimplementedHook }

func (disagreements) After(
	ctx context.Context, hook openfeature.HookContext, details openfeature.InterfaceEvaluationDetails, _ openfeature.HookHints,
) error {
	if used, _ := details.FlagMetadata.GetBool(multi.MetadataFallbackUsed); used {
		slog.WarnContext(ctx, "flag providers disagree", slog.String("flag", hook.FlagKey()))
	}
	return nil
}

// TestFromAnotherVendor runs both providers in the multi-provider.
func TestFromAnotherVendor(t *testing.T) {
	box := launchdarklytest.NewServer()
	defer box.Close()
	box.SetValue("agreed", true)
	box.SetValue("disputed", true)
	box.SetValue("mistyped", "true")
	box.SetValue("new", true)
	box.SetValue("theme", ldvalue.Parse([]byte(`{"color": "teal"}`)))
	provider, err := launchdarkly.NewProvider(box.SDKKey(), launchdarkly.WithConfig(box.Config()))
	if err != nil {
		t.Fatal(err)
	}
	old := memprovider.NewInMemoryProvider(map[string]memprovider.InMemoryFlag{
		"agreed":   inMemory("agreed", true),
		"disputed": inMemory("disputed", false),
		"mistyped": inMemory("mistyped", true),
		"theme":    inMemory("theme", map[string]any{"color": "teal"}),
	})
	var logged bytes.Buffer
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelWarn})))

	if err := vendorBoth(t.Context(), old, provider); err != nil {
		t.Fatal(err)
	}
	defer openfeature.Shutdown()
	client := openfeature.NewDefaultClient()
	user := openfeature.NewEvaluationContext("user-42", nil)

	if !client.Boolean(t.Context(), "agreed", false, user) || !client.Boolean(t.Context(), "new", false, user) {
		t.Error("flags on which both providers agree have other values")
	}
	if theme := client.Object(t.Context(), "theme", nil, user); !reflect.DeepEqual(theme, map[string]any{"color": "teal"}) {
		t.Errorf("the theme is %v", theme)
	}
	if client.Boolean(t.Context(), "mistyped", false, user) {
		t.Error("an error of one provider does not return the default")
	}
	if logged.Len() > 0 {
		t.Errorf("logged without a disagreement: %s", logged.String())
	}
	if client.Boolean(t.Context(), "disputed", true, user) {
		t.Error("the value of the old provider is not returned")
	}
	if !strings.Contains(logged.String(), "disputed") {
		t.Errorf("the disagreement is not logged: %s", logged.String())
	}

	vendorTracking(t.Context(), client, user)
	if err := provider.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if events := box.CustomEvents("checkout", "plan-changed"); len(events) != 2 || events[1].MetricValue != nil {
		t.Errorf("received %v", events)
	}
}

func inMemory(key string, value any) memprovider.InMemoryFlag {
	return memprovider.InMemoryFlag{
		Key: key, State: memprovider.Enabled, DefaultVariant: "only", Variants: map[string]any{"only": value},
	}
}
