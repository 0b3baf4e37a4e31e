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

// recording is a span that takes events and forgets them, after doing with their options what every span must. It
// leaves the hook's own price.
type recording struct{ trace.Span }

func (recording) IsRecording() bool { return true }

func (recording) AddEvent(_ string, options ...trace.EventOption) {
	_ = trace.NewEventConfig(options...)
}

// spans are the contexts that an evaluation may run in.
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

// sameAttributes leaves the three attributes that the community hook has: flag key, provider name and variant.
func sameAttributes() openfeature.Hook {
	return hooks.NewEvaluationHook(otelhooks.NewSpanSink(),
		hooks.WithExcludedAttributes(telemetry.ContextIDKey, telemetry.ResultReasonKey))
}

// stage is the one stage of a hook that does something on a success.
type stage func(context.Context, openfeature.HookContext, openfeature.InterfaceEvaluationDetails, openfeature.HookHints)

func after(hook openfeature.Hook) stage {
	return func(ctx context.Context, hc openfeature.HookContext, details openfeature.InterfaceEvaluationDetails, hints openfeature.HookHints) {
		_ = hook.After(ctx, hc, details, hints)
	}
}

// BenchmarkSpanHook runs the hooks' part of a successful evaluation, without the evaluation. "ours" has the community
// hook's attributes, "ours-default" adds the reason and the context ID.
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

// disabled is a sink that wants nothing.
type disabled struct{}

func (disabled) Enabled(context.Context) bool      { return false }
func (disabled) Emit(context.Context, hooks.Event) {}

// BenchmarkHookedEvaluation is a whole evaluation through OpenFeature's client, of a boolean flag of ours for a context
// of ten attributes, with one hook. by=none is what it costs without; "tracker" sees the same exposure each time.
func BenchmarkHookedEvaluation(b *testing.B) {
	s := newSubjects(b)
	c := withAttributes(10)
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

// BenchmarkHook is the price of the hook alone where it has nothing to emit: for a disabled sink, and for an exposure
// that the tracker sink has had.
func BenchmarkHook(b *testing.B) {
	ctx := b.Context()
	details := openfeature.InterfaceEvaluationDetails{Value: true, EvaluationDetails: openfeature.EvaluationDetails{
		ResolutionDetail: openfeature.ResolutionDetail{Variant: "0", Reason: openfeature.TargetingMatchReason},
	}}
	for _, c := range []contextCase{withAttributes(10), multi()} {
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
