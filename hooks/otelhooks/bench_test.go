package otelhooks_test

import (
	"context"
	"testing"

	"github.com/open-feature/go-sdk/openfeature"
	"go.opentelemetry.io/otel/attribute"
	logapi "go.opentelemetry.io/otel/log"
	lognoop "go.opentelemetry.io/otel/log/noop"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/openfeature-launchdarkly/go-provider/hooks"
	"github.com/openfeature-launchdarkly/go-provider/hooks/otelhooks"
)

// finally returns a function that runs the hook's finally stage for a successful evaluation of a
// boolean flag.
func finally(ctx context.Context, hook openfeature.Hook) func() {
	hc := openfeature.NewHookContext("flag-key", openfeature.Boolean, false, openfeature.ClientMetadata{},
		openfeature.Metadata{Name: "LaunchDarkly"}, openfeature.NewEvaluationContext("user-key", nil))
	details := openfeature.InterfaceEvaluationDetails{Value: true, EvaluationDetails: openfeature.EvaluationDetails{
		FlagKey:          "flag-key",
		ResolutionDetail: openfeature.ResolutionDetail{Variant: "0", Reason: openfeature.TargetingMatchReason},
	}}
	return func() { hook.Finally(ctx, hc, details, openfeature.HookHints{}) }
}

// span is a recording span that reads the options of events and discards them.
type span struct{ trace.Span }

func (span) IsRecording() bool { return true }

func (span) AddEvent(_ string, options ...trace.EventOption) {
	_ = trace.NewEventConfig(options...)
}

// plain is the simplest hook that adds the same attributes to a span. It has no options, and is the
// baseline for comparisons.
type plain struct{ openfeature.UnimplementedHook }

func (plain) Finally(ctx context.Context, hc openfeature.HookContext, details openfeature.InterfaceEvaluationDetails, _ openfeature.HookHints) {
	attrs := []attribute.KeyValue{
		attribute.String("feature_flag.key", hc.FlagKey()),
		attribute.String("feature_flag.provider.name", hc.ProviderMetadata().Name),
	}
	if value, ok := details.Value.(bool); ok {
		attrs = append(attrs, attribute.Bool("feature_flag.result.value", value))
	}
	if details.Variant != "" {
		attrs = append(attrs, attribute.String("feature_flag.result.variant", details.Variant))
	}
	attrs = append(attrs, attribute.String("feature_flag.result.reason", "targeting_match"))
	attrs = append(attrs, attribute.String("feature_flag.context.id", hc.EvaluationContext().TargetingKey()))
	trace.SpanFromContext(ctx).AddEvent("feature_flag.evaluation", trace.WithAttributes(attrs...))
}

// logger is an enabled logger that discards records.
type logger struct{ logapi.Logger }

func (logger) Enabled(context.Context, logapi.EnabledParameters) bool { return true }
func (logger) Emit(context.Context, logapi.Record)                    {}

type loggers struct{ lognoop.LoggerProvider }

func (loggers) Logger(string, ...logapi.LoggerOption) logapi.Logger { return logger{} }

func cases() map[string]func() {
	background := context.Background()
	recording := trace.ContextWithSpan(background, span{trace.SpanFromContext(background)})
	meters := metric.NewMeterProvider(metric.WithReader(metric.NewManualReader()))
	return map[string]func(){
		"span":          finally(recording, hooks.NewEvaluationHook(otelhooks.NewSpanSink())),
		"span, plain":   finally(recording, plain{}),
		"span, no span": finally(background, hooks.NewEvaluationHook(otelhooks.NewSpanSink())),
		"log":           finally(background, hooks.NewEvaluationHook(otelhooks.NewLogSink(loggers{}))),
		"log, disabled": finally(background, hooks.NewEvaluationHook(otelhooks.NewLogSink(lognoop.NewLoggerProvider()))),
		"metric":        finally(background, hooks.NewEvaluationHook(otelhooks.NewMetricSink(meters))),
	}
}

func BenchmarkSinks(b *testing.B) {
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
	got := map[string]float64{}
	for name, run := range cases() {
		got[name] = testing.AllocsPerRun(100, run)
	}
	if got["span, no span"] != 0 || got["log, disabled"] != 0 {
		t.Errorf("disabled sinks allocate: %v", got)
	}
	if got["span"] > got["span, plain"] {
		t.Errorf("the span sink allocates more than a plain hook: %v", got)
	}
	if got["metric"] != 0 {
		t.Errorf("the metric sink allocates: %v", got)
	}
}
