package hooks_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/open-feature/go-sdk/openfeature"

	"github.com/openfeature-launchdarkly/go-provider/hooks"
)

// null is a sink that costs nothing, to measure the hook alone.
type null struct{ disabled bool }

func (n null) Enabled(context.Context) bool      { return !n.disabled }
func (n null) Emit(context.Context, hooks.Event) {}

// forgetting is a handler that is enabled and discards records; slog.DiscardHandler is disabled.
type forgetting struct{ slog.Handler }

func (forgetting) Enabled(context.Context, slog.Level) bool  { return true }
func (forgetting) Handle(context.Context, slog.Record) error { return nil }

// finally returns a function that runs the hook's part of one evaluation.
func finally(hook openfeature.Hook, metadata openfeature.FlagMetadata) func() {
	ctx := context.Background()
	hc := openfeature.NewHookContext("flag-key", openfeature.Boolean, false, openfeature.NewClientMetadata("shop"),
		openfeature.Metadata{Name: "LaunchDarkly"}, openfeature.NewEvaluationContext("user-key", map[string]any{"plan": "pro"}))
	evaluated := details(true, openfeature.ResolutionDetail{
		Variant: "0", Reason: openfeature.TargetingMatchReason, FlagMetadata: metadata,
	})
	return func() { hook.Finally(ctx, hc, evaluated, openfeature.HookHints{}) }
}

func cases() map[string]func() {
	metadata := openfeature.FlagMetadata{"reasonKind": "RULE_MATCH", "ruleIndex": 1, "ruleId": "rule", "contextId": "org:acme"}
	noop := hooks.NewTrackerSink(openfeature.NoopProvider{})
	logger := slog.New(slog.DiscardHandler)
	return map[string]func(){
		"no sink":                             finally(hooks.NewEvaluationHook(nil), metadata),
		"disabled":                            finally(hooks.NewEvaluationHook(null{disabled: true}), metadata),
		"disabled slog":                       finally(hooks.NewEvaluationHook(hooks.NewSlogSink(logger, slog.LevelDebug)), metadata),
		"refused by filter":                   finally(hooks.NewEvaluationHook(null{}, hooks.WithFlagFilter(func(string) bool { return false })), metadata),
		"not sampled":                         finally(hooks.NewEvaluationHook(null{}, hooks.WithSampling(0)), metadata),
		"repeated exposure":                   finally(hooks.NewEvaluationHook(noop), metadata),
		"repeated exposure without contextId": finally(hooks.NewEvaluationHook(noop), nil),
		"null":                                finally(hooks.NewEvaluationHook(null{}), nil),
		"null with LaunchDarkly metadata":     finally(hooks.NewEvaluationHook(null{}), metadata),
		"slog":                                finally(hooks.NewEvaluationHook(hooks.NewSlogSink(slog.New(forgetting{}), nil)), metadata),
		"tracker":                             finally(hooks.NewEvaluationHook(noop, hooks.WithoutDeduplication()), metadata),
	}
}

func BenchmarkHook(b *testing.B) {
	for name, run := range cases() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				run()
			}
		})
	}
}

// Not parallel: AllocsPerRun counts the allocations of the whole process.
func TestAllocations(t *testing.T) {
	want := map[string]float64{
		"no sink": 0, "disabled": 0, "disabled slog": 0, "refused by filter": 0, "not sampled": 0,
		"repeated exposure": 0, "repeated exposure without contextId": 0,
		"null": 0, "null with LaunchDarkly metadata": 0,
	}
	for name, run := range cases() {
		most, ok := want[name]
		if !ok {
			continue
		}
		if got := testing.AllocsPerRun(100, run); got > most {
			t.Errorf("%s: got %v allocations, want at most %v", name, got, most)
		}
	}
}
