package hooks_test

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"sync"
	"testing"

	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"

	"github.com/openfeature-launchdarkly/go-provider/hooks"
)

func TestEvaluations(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	base := map[string]any{
		"feature_flag.provider.name": "InMemoryProvider",
		"feature_flag.result.reason": "static",
		"feature_flag.context.id":    "anna",
	}
	for _, tt := range []struct {
		flag     string
		evaluate func(*openfeature.Client) any
		variant  string
		want     any
	}{
		{"bool", func(c *openfeature.Client) any { return c.Boolean(ctx, "bool", false, user("anna")) }, "on", true},
		{"string", func(c *openfeature.Client) any { return c.String(ctx, "string", "", user("anna")) }, "red", "#ff0000"},
		{"int", func(c *openfeature.Client) any { return c.Int(ctx, "int", 0, user("anna")) }, "three", int64(3)},
		{"float", func(c *openfeature.Client) any { return c.Float(ctx, "float", 0, user("anna")) }, "half", 0.5},
		{"object", func(c *openfeature.Client) any { return c.Object(ctx, "object", nil, user("anna")) }, "full", `{"a":null,"b":[1,"<x>"]}`},
	} {
		t.Run(tt.flag, func(t *testing.T) {
			t.Parallel()
			var sink recorder
			tt.evaluate(newClient(t, provider(), hooks.NewEvaluationHook(&sink, hooks.WithValues())))
			event := sink.only(t)
			want := maps.Clone(base)
			want["feature_flag.key"] = tt.flag
			want["feature_flag.result.variant"] = tt.variant
			want["feature_flag.result.value"] = tt.want
			if got := attributes(event); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
			if event.Name != "feature_flag.evaluation" || event.FlagKey != tt.flag || event.Variant != tt.variant ||
				event.ProviderName != "InMemoryProvider" || event.Reason != openfeature.StaticReason || event.ErrorCode != "" {
				t.Errorf("got event %+v", event)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	type attrs = map[string]any
	for _, tt := range []struct {
		name  string
		hooks []openfeature.Hook
		flag  string
		want  attrs
	}{
		{"flag not found", nil, "none", attrs{
			"error.type":    "flag_not_found",
			"error.message": "flag for key none not found",
		}},
		{"type mismatch", nil, "string", attrs{
			"error.type":                  "type_mismatch",
			"error.message":               "incorrect type association",
			"feature_flag.result.variant": "red",
		}},
		{"before hook", []openfeature.Hook{failing{before: boom}}, "bool", attrs{
			"error.type":    "general",
			"error.message": "before hook: boom",
		}},
		{"before hook with a code", []openfeature.Hook{failing{before: func(openfeature.HookContext) error {
			return fmt.Errorf("checking: %w", openfeature.NewTargetingKeyMissingResolutionError("no key"))
		}}}, "bool", attrs{
			"error.type":    "targeting_key_missing",
			"error.message": "before hook: checking: TARGETING_KEY_MISSING: no key",
		}},
		{"after hook", []openfeature.Hook{failing{after: boom}}, "bool", attrs{
			"error.type":    "general",
			"error.message": "after hook: boom",
		}},
	} {
		for _, order := range []string{"first", "last"} {
			t.Run(tt.name+"/"+order, func(t *testing.T) {
				t.Parallel()
				var sink recorder
				hook := openfeature.Hook(hooks.NewEvaluationHook(&sink))
				installed := append([]openfeature.Hook{hook}, tt.hooks...)
				if order == "last" {
					installed = append(append([]openfeature.Hook{}, tt.hooks...), hook)
				}
				got, err := newClient(t, provider(), installed...).BooleanValue(ctx, tt.flag, false, user("anna"))
				if got || err == nil {
					t.Fatalf("got %v, %v", got, err)
				}
				want := attrs{
					"feature_flag.key":           tt.flag,
					"feature_flag.provider.name": "InMemoryProvider",
					"feature_flag.context.id":    "anna",
					"feature_flag.result.reason": "error",
					"feature_flag.result.value":  false,
				}
				maps.Copy(want, tt.want)
				want["feature_flag.error.message"] = want["error.message"]
				if want["feature_flag.result.variant"] != nil {
					delete(want, "feature_flag.result.value")
				}
				event := sink.only(t)
				if got := attributes(event); !reflect.DeepEqual(got, want) {
					t.Errorf("got  %v\nwant %v", got, want)
				}
				if event.Reason != openfeature.ErrorReason || event.ErrorCode == "" {
					t.Errorf("got event %+v", event)
				}
			})
		}
	}
}

// All evaluations have the same flag, context.Context and hook, and differ in the evaluation
// context.
func TestConcurrentErrorsReachTheirOwnEvent(t *testing.T) {
	t.Parallel()
	fail := func(stage string) func(openfeature.HookContext) error {
		return func(hc openfeature.HookContext) error {
			if hc.EvaluationContext().Attribute("fail") == stage {
				return fmt.Errorf("refused %s", hc.EvaluationContext().TargetingKey())
			}
			return nil
		}
	}
	var sink recorder
	hook := hooks.NewEvaluationHook(&sink)
	client := newClient(t, provider(), hook, failing{before: fail("before"), after: fail("after")}, hook)

	const goroutines, rounds = 8, 60
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range rounds {
				stage := []string{"", "before", "after"}[i%3]
				client.Boolean(context.Background(), "bool", false, openfeature.NewEvaluationContext(
					fmt.Sprintf("%d-%d", g, i), map[string]any{"fail": stage}))
			}
		})
	}
	wg.Wait()

	events := sink.all()
	if want := goroutines * rounds * 2; len(events) != want { // the hook is there twice
		t.Fatalf("got %d events, want %d", len(events), want)
	}
	for _, event := range events {
		want := any(nil)
		if stage := event.EvaluationContext.Attribute("fail"); stage != "" {
			want = fmt.Sprintf("%s hook: refused %s", stage, event.EvaluationContext.TargetingKey())
		}
		if got := attributes(event)["error.message"]; got != want {
			t.Fatalf("got message %v, want %v", got, want)
		}
	}
}

func TestFlagMetadata(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		metadata openfeature.FlagMetadata
		reason   openfeature.Reason
		want     map[string]any
	}{
		{"none", nil, "", map[string]any{
			"feature_flag.context.id":    "anna",
			"feature_flag.result.reason": "unknown",
		}},
		{"conventions", openfeature.FlagMetadata{"contextId": "org:acme", "flagSetId": "set", "version": "v7"}, "SPLIT", map[string]any{
			"feature_flag.context.id":    "org:acme",
			"feature_flag.set.id":        "set",
			"feature_flag.version":       "v7",
			"feature_flag.result.reason": "split",
		}},
		{"numeric version, wrong types", openfeature.FlagMetadata{"contextId": true, "flagSetId": 0.5, "version": int64(7)}, "custom reason", map[string]any{
			"feature_flag.context.id":    "anna",
			"feature_flag.version":       "7",
			"feature_flag.result.reason": "custom_reason",
		}},
		{"LaunchDarkly", openfeature.FlagMetadata{"reasonKind": "RULE_MATCH", "ruleIndex": 1, "ruleId": "r", "inExperiment": true}, "RULE_MATCH", map[string]any{
			"feature_flag.context.id":    "anna",
			"feature_flag.result.reason": "split",
			hooks.ReasonKindKey:          "rule_match",
			hooks.InExperimentKey:        true,
		}},
		{"LaunchDarkly, not in an experiment", openfeature.FlagMetadata{"reasonKind": "OFF", "inExperiment": false}, "DISABLED", map[string]any{
			"feature_flag.context.id":    "anna",
			"feature_flag.result.reason": "disabled",
			hooks.ReasonKindKey:          "off",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var sink recorder
			p := resolving(true, openfeature.ProviderResolutionDetail{Reason: tt.reason, FlagMetadata: tt.metadata})
			newClient(t, p, hooks.NewEvaluationHook(&sink)).Boolean(context.Background(), "flag", false, user("anna"))
			want := maps.Clone(tt.want)
			want["feature_flag.key"] = "flag"
			want["feature_flag.provider.name"] = "InMemoryProvider"
			want["feature_flag.result.value"] = true
			if got := attributes(sink.only(t)); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
		})
	}
}

type contributing struct {
	openfeature.UnimplementedHook
}

func (contributing) Before(context.Context, openfeature.HookContext, openfeature.HookHints) (*openfeature.EvaluationContext, error) {
	evalCtx := openfeature.NewTargetlessEvaluationContext(map[string]any{"hook": 1})
	return &evalCtx, nil
}

func TestEventHasTheMergedContext(t *testing.T) {
	t.Parallel()
	var sink recorder
	api := isolated.NewAPI()
	t.Cleanup(func() { _ = api.Shutdown(context.Background()) })
	if err := api.SetProviderAndWait(context.Background(), provider(), openfeature.WithDomain("shop")); err != nil {
		t.Fatal(err)
	}
	api.SetEvaluationContext(openfeature.NewTargetlessEvaluationContext(map[string]any{"api": 1, "call": "api"}))
	client := api.NewClient(openfeature.WithDomain("shop"))
	client.SetEvaluationContext(openfeature.NewEvaluationContext("client", map[string]any{"client": 1}))
	ctx := openfeature.WithTransactionContext(context.Background(), openfeature.NewTargetlessEvaluationContext(map[string]any{"transaction": 1}))
	client.Boolean(ctx, "bool", false, openfeature.NewEvaluationContext("anna", map[string]any{"call": 1}),
		openfeature.WithHooks(hooks.NewEvaluationHook(&sink), contributing{}))

	event := sink.only(t)
	want := map[string]any{"api": 1, "client": 1, "transaction": 1, "call": 1, "hook": 1}
	if got := event.EvaluationContext; got.TargetingKey() != "anna" || !reflect.DeepEqual(got.Attributes(), want) {
		t.Errorf("got context %v", got)
	}
	if event.Domain != "shop" {
		t.Errorf("got domain %q", event.Domain)
	}
}

func TestHookWithoutSinkDoesNotChangeEvaluations(t *testing.T) {
	t.Parallel()
	var typedNil *hooks.TrackerSink
	for name, hook := range map[string]openfeature.Hook{
		"nil":           hooks.NewEvaluationHook(nil, nil),
		"zero":          &hooks.EvaluationHook{},
		"empty fan-out": hooks.NewEvaluationHook(hooks.NewMultiSink(nil, (*hooks.MultiSink)(nil))),
		"typed nil":     hooks.NewEvaluationHook(typedNil),
		"nil tracker":   hooks.NewEvaluationHook(hooks.NewTrackerSink(nil)),
		"nil client":    hooks.NewEvaluationHook(hooks.NewTrackerSink((*openfeature.Client)(nil))),
		"zero tracker":  hooks.NewEvaluationHook(&hooks.TrackerSink{}),
		"disabled":      hooks.NewEvaluationHook(&recorder{disabled: true}),
	} {
		client := newClient(t, provider(), hook)
		if !client.Boolean(context.Background(), "bool", false, user("anna")) {
			t.Errorf("%s: evaluation changed", name)
		}
		if client.Boolean(context.Background(), "none", false, user("anna")) {
			t.Errorf("%s: evaluation changed", name)
		}
	}
}
