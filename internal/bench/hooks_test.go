package bench

import (
	"context"
	"testing"

	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/telemetry"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	communityotel "github.com/open-feature/go-sdk-contrib/hooks/open-telemetry/pkg"

	"github.com/openfeature-launchdarkly/go-provider/hooks"
	"github.com/openfeature-launchdarkly/go-provider/hooks/otelhooks"
)

// recording is a span that reads the options of events and discards them, to measure the hook
// alone.
type recording struct{ trace.Span }

func (recording) IsRecording() bool { return true }

func (recording) AddEvent(_ string, options ...trace.EventOption) {
	_ = trace.NewEventConfig(options...)
}

// spans returns contexts without a span, with a recording span, and with a span of OpenTelemetry's
// SDK.
func spans(b *testing.B) []struct {
	name string
	ctx  context.Context
} {
	b.Helper()
	none := b.Context()
	sdk, span := sdktrace.NewTracerProvider().Tracer("bench").Start(none, "request")
	b.Cleanup(func() { span.End() })
	return []struct {
		name string
		ctx  context.Context
	}{
		{"none", none},
		{"api", trace.ContextWithSpan(none, recording{trace.SpanFromContext(none)})},
		{"sdk", sdk},
	}
}

// sameAttributes returns a hook with the three attributes of the community hook: flag key, provider
// name and variant.
func sameAttributes() openfeature.Hook {
	return hooks.NewEvaluationHook(otelhooks.NewSpanSink(),
		hooks.WithExcludedAttributes(telemetry.ContextIDKey, telemetry.ResultReasonKey))
}

// stage is the stage in which a hook reports a successful evaluation.
type stage func(context.Context, openfeature.HookContext, openfeature.InterfaceEvaluationDetails, openfeature.HookHints)

func after(hook openfeature.Hook) stage {
	return func(ctx context.Context, hc openfeature.HookContext, details openfeature.InterfaceEvaluationDetails, hints openfeature.HookHints) {
		_ = hook.After(ctx, hc, details, hints)
	}
}

// BenchmarkSpanHook measures the hooks without the evaluation. "ours" has the attributes of the
// community hook, "ours-default" adds the reason and the context ID.
func BenchmarkSpanHook(b *testing.B) {
	hc := openfeature.NewHookContext("bool", openfeature.Boolean, false, openfeature.NewClientMetadata(""),
		openfeature.Metadata{Name: "LaunchDarkly"}, openfeature.NewEvaluationContext("user-key", nil))
	details := openfeature.InterfaceEvaluationDetails{Value: true, EvaluationDetails: openfeature.EvaluationDetails{
		FlagKey: "bool", FlagType: openfeature.Boolean,
		ResolutionDetail: openfeature.ResolutionDetail{Variant: "0", Reason: openfeature.TargetingMatchReason},
	}}
	for _, span := range spans(b) {
		for _, subject := range []struct {
			name string
			run  stage
		}{
			{"ours", sameAttributes().Finally},
			{"community", after(communityotel.NewTracesHook())},
			{"ours-default", hooks.NewEvaluationHook(otelhooks.NewSpanSink()).Finally},
		} {
			b.Run("span="+span.name+"/by="+subject.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					subject.run(span.ctx, hc, details, openfeature.HookHints{})
				}
			})
		}
	}
}

// disabled is a disabled sink.
type disabled struct{}

func (disabled) Enabled(context.Context) bool      { return false }
func (disabled) Emit(context.Context, hooks.Event) {}

// BenchmarkHookedEvaluation measures a whole evaluation with one hook, of a boolean flag for a
// context with ten attributes. by=none is without a hook; by=tracker has a repeated exposure.
func BenchmarkHookedEvaluation(b *testing.B) {
	s := newSubjects(b)
	c := withAttributes("user-key", 10)
	all := spans(b)
	none, api, sdk := all[0].ctx, all[1].ctx, all[2].ctx
	for _, subject := range []struct {
		name string
		ctx  context.Context
		hook openfeature.Hook
	}{
		{"span=none/by=none", none, openfeature.UnimplementedHook{}},
		{"span=none/by=ours", none, sameAttributes()},
		{"span=none/by=community", none, communityotel.NewTracesHook()},
		{"span=api/by=ours", api, sameAttributes()},
		{"span=api/by=community", api, communityotel.NewTracesHook()},
		{"span=sdk/by=ours", sdk, sameAttributes()},
		{"span=sdk/by=community", sdk, communityotel.NewTracesHook()},
		{"span=none/by=disabled", none, hooks.NewEvaluationHook(disabled{})},
		{"span=none/by=tracker", none, hooks.NewEvaluationHook(hooks.NewTrackerSink(s.ours))},
	} {
		b.Run(subject.name, func(b *testing.B) {
			options := openfeature.WithHooks(subject.hook)
			b.ReportAllocs()
			for b.Loop() {
				_, _ = s.oursClient.BooleanValue(subject.ctx, "bool", false, c.evaluation, options)
			}
		})
	}
}

// BenchmarkHook measures the hook without the evaluation if it emits nothing: for a disabled sink,
// and for a repeated exposure.
func BenchmarkHook(b *testing.B) {
	ctx := b.Context()
	details := openfeature.InterfaceEvaluationDetails{Value: true, EvaluationDetails: openfeature.EvaluationDetails{
		ResolutionDetail: openfeature.ResolutionDetail{Variant: "0", Reason: openfeature.TargetingMatchReason},
	}}
	for _, c := range []contextCase{withAttributes("user-key", 10), multi("user-key")} {
		hc := openfeature.NewHookContext("bool", openfeature.Boolean, false, openfeature.NewClientMetadata(""),
			openfeature.Metadata{Name: "LaunchDarkly"}, c.evaluation)
		for _, subject := range []struct {
			name string
			hook openfeature.Hook
		}{
			{"disabled", hooks.NewEvaluationHook(disabled{})},
			{"repeated", hooks.NewEvaluationHook(hooks.NewTrackerSink(openfeature.NoopProvider{}))},
		} {
			b.Run(c.name+"/sink="+subject.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					subject.hook.Finally(ctx, hc, details, openfeature.HookHints{})
				}
			})
		}
	}
}
