package launchdarkly_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
)

// offline returns a provider that connects to nothing.
func offline(t testing.TB, opts ...launchdarkly.Option) *launchdarkly.Provider {
	t.Helper()
	opts = append(opts, launchdarkly.WithConfig(ld.Config{Offline: true, Logging: ldcomponents.NoLogging()}),
		launchdarkly.WithLogger(slog.New(slog.DiscardHandler)))
	provider, err := launchdarkly.NewProvider("", opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(provider.Shutdown)
	return provider
}

func TestLDContext(t *testing.T) {
	provider := offline(t)
	evaluationContext := openfeature.NewEvaluationContext("acme", map[string]any{"kind": "org", "plan": "gold", "bad": func() {}})
	got, warnings, err := provider.LDContext(evaluationContext)
	want := ldcontext.NewBuilder("acme").Kind("org").SetString("plan", "gold").Build()
	if err != nil || !got.Equal(want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if len(warnings) != 1 || !errors.Is(warnings[0], launchdarkly.ErrUnsupportedValue) {
		t.Errorf("warnings %v", warnings)
	}

	got, warnings, err = provider.LDContext(openfeature.NewEvaluationContext("", map[string]any{"plan": "gold", "name": 7}))
	if !errors.Is(err, launchdarkly.ErrTargetingKeyMissing) || got.IsDefined() || len(warnings) != 1 {
		t.Errorf("without a key: %v, %v, %v", got, warnings, err)
	}
	got, _, err = provider.LDContext(openfeature.NewEvaluationContext("sandy", map[string]any{"kind": "a b"}))
	if !errors.Is(err, launchdarkly.ErrInvalidContext) || got.IsDefined() {
		t.Errorf("of an invalid kind: %v, %v", got, err)
	}

	provider.Shutdown()
	if got, _, err = provider.LDContext(evaluationContext); err != nil || !got.Equal(want) {
		t.Errorf("after shutdown: %v, %v", got, err)
	}

	provider = offline(t, launchdarkly.WithContextKindAttribute("contextKind"))
	got, _, err = provider.LDContext(openfeature.NewEvaluationContext("acme", map[string]any{"contextKind": "org"}))
	if err != nil || got.Kind() != "org" {
		t.Errorf("with the kind in another attribute: %v, %v", got, err)
	}
}

// TestLDContextOfLaunchDarklyJSON takes LaunchDarkly's JSON of a context as an evaluation context.
func TestLDContextOfLaunchDarklyJSON(t *testing.T) {
	provider := offline(t)
	user := ldcontext.NewBuilder("sandy").Name("Sandy").Anonymous(true).SetString("email", "e").SetInt("age", 42).
		SetValue("address", ldvalue.Parse([]byte(`{"street": {"line1": "s"}, "tags": ["a", null, 1.5, true]}`))).
		SetString("/slash", "x").Private("email", "/address/street/line1", "/~1slash").Build()
	org := ldcontext.NewBuilder("acme").Kind("org").SetBool("active", true).Private("active").Build()
	for _, want := range []ldcontext.Context{
		ldcontext.New("sandy"), user, org, ldcontext.NewMulti(user, org), ldcontext.NewMulti(org, ldcontext.NewWithKind("multi-part", "x")),
	} {
		var attributes map[string]any
		if err := json.Unmarshal([]byte(want.JSONString()), &attributes); err != nil {
			t.Fatal(err)
		}
		got, warnings, err := provider.LDContext(openfeature.NewTargetlessEvaluationContext(attributes))
		if err != nil || warnings != nil || !got.Equal(want) {
			t.Errorf("got %v, %v, %v, want %v", got, warnings, err, want)
		}
	}
}

func TestLongFlagKey(t *testing.T) {
	provider := offline(t)
	flat := openfeature.FlattenedContext{openfeature.TargetingKey: "sandy"}
	got := provider.StringEvaluation(t.Context(), strings.Repeat("x", 60<<20), "default", flat)
	detail := got.ResolutionDetail()
	if got.Value != "default" || detail.ErrorCode != openfeature.FlagNotFoundCode || len(detail.ErrorMessage) > 100 {
		t.Errorf("got %v", got)
	}
}

func ExampleProvider_LDContext() {
	provider, err := launchdarkly.NewProvider("", launchdarkly.WithConfig(ld.Config{Offline: true}),
		launchdarkly.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer provider.Shutdown()
	evaluationContext := openfeature.NewEvaluationContext("sandy", map[string]any{"plan": "gold"})

	who, _, err := provider.LDContext(evaluationContext)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := provider.Client().Identify(who); err != nil {
		fmt.Println(err)
	}
	fmt.Println(who.JSONString())
	// Output: {"kind":"user","key":"sandy","plan":"gold"}
}
