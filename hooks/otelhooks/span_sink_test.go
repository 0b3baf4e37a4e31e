package otelhooks_test

import (
	"context"
	"log/slog"
	"strconv"
	"testing"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/openfeature-launchdarkly/go-provider/hooks"
	"github.com/openfeature-launchdarkly/go-provider/hooks/otelhooks"
)

func TestSpanSink(t *testing.T) {
	t.Parallel()
	for _, tt := range evaluations() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			exporter := tracetest.NewInMemoryExporter()
			tracers := trace.NewTracerProvider(trace.WithSyncer(exporter))
			client := newClient(t, hooks.NewEvaluationHook(otelhooks.NewSpanSink(), hooks.WithValues()))

			ctx, span := tracers.Tracer("test").Start(context.Background(), "request")
			tt.evaluate(ctx, client)
			span.End()

			spans := exporter.GetSpans()
			if len(spans) != 1 || len(spans[0].Events) != 1 {
				t.Fatalf("got spans %+v", spans)
			}
			if spans[0].Status.Code != codes.Unset {
				t.Errorf("got status %v", spans[0].Status)
			}
			event := spans[0].Events[0]
			if event.Name != "feature_flag.evaluation" || event.Time.IsZero() {
				t.Errorf("got event %q at %v", event.Name, event.Time)
			}
			if !same(event.Attributes, tt.want) {
				t.Errorf("got  %v\nwant %v", event.Attributes, tt.want)
			}
		})
	}
}

func TestSpanSinkEnabled(t *testing.T) {
	t.Parallel()
	if (*otelhooks.SpanSink)(nil).Enabled(context.Background()) {
		t.Error("nil is enabled")
	}
	sink := otelhooks.NewSpanSink()
	if sink.Enabled(context.Background()) {
		t.Error("enabled without a span")
	}
	for _, sampled := range []bool{false, true} {
		sampler := trace.NeverSample()
		if sampled {
			sampler = trace.AlwaysSample()
		}
		ctx, span := trace.NewTracerProvider(trace.WithSampler(sampler)).Tracer("test").Start(context.Background(), "request")
		if got := sink.Enabled(ctx); got != sampled {
			t.Errorf("sampled %v: got %v", sampled, got)
		}
		span.End()
		if sink.Enabled(ctx) {
			t.Error("enabled after the end of the span")
		}
	}
}

// Buffers are reused, and some events are larger than a buffer.
func TestSpanSinkKeepsEventsApart(t *testing.T) {
	t.Parallel()
	exporter := tracetest.NewInMemoryExporter()
	tracers := trace.NewTracerProvider(trace.WithSyncer(exporter))
	ctx, span := tracers.Tracer("test").Start(context.Background(), "request")
	sink := otelhooks.NewSpanSink()
	for _, n := range []int{3, 1, 40, 2} {
		var event hooks.Event
		for i := range n {
			event.Attributes = append(event.Attributes, slog.Int(strconv.Itoa(i), n))
		}
		sink.Emit(ctx, event)
	}
	span.End()
	for i, n := range []int{3, 1, 40, 2} {
		attrs := exporter.GetSpans()[0].Events[i].Attributes
		if len(attrs) != n || attrs[n-1].Value.AsInt64() != int64(n) {
			t.Errorf("event %d: got %v", i, attrs)
		}
	}
}
