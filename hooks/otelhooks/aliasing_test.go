package otelhooks_test

import (
	"context"
	"strconv"
	"sync"
	"testing"

	"github.com/open-feature/go-sdk/openfeature"
	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/openfeature-launchdarkly/go-provider/hooks"
	"github.com/openfeature-launchdarkly/go-provider/hooks/otelhooks"
)

// Exporters read events on another goroutine after Emit has returned, so events must not share
// memory that is reused.
func TestEventsOutliveTheirEmission(t *testing.T) {
	t.Parallel()
	const goroutines, rounds = 4, 50
	var logs records
	spans := tracetest.NewInMemoryExporter()
	loggers := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(&logs)))
	tracers := trace.NewTracerProvider(trace.WithBatcher(spans))
	client := newClient(t, hooks.NewEvaluationHook(
		hooks.NewMultiSink(otelhooks.NewSpanSink(), otelhooks.NewLogSink(loggers))))

	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range rounds {
				key := strconv.Itoa(g*rounds + i)
				ctx, span := tracers.Tracer("test").Start(context.Background(), key)
				client.Boolean(ctx, "bool", false, openfeature.NewEvaluationContext(key, nil))
				span.End()
			}
		})
	}
	wg.Wait()
	if err := tracers.ForceFlush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := loggers.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}

	want := func(key string) []attribute.KeyValue {
		return []attribute.KeyValue{
			attribute.String("feature_flag.key", "bool"),
			attribute.String("feature_flag.provider.name", "InMemoryProvider"),
			attribute.String("feature_flag.result.variant", "on"),
			attribute.String("feature_flag.result.reason", "static"),
			attribute.String("feature_flag.context.id", key),
		}
	}
	ended := spans.GetSpans()
	if len(ended) != goroutines*rounds || len(logs.got) != goroutines*rounds {
		t.Fatalf("got %d spans and %d log records", len(ended), len(logs.got))
	}
	for _, span := range ended {
		if len(span.Events) != 1 || !same(span.Events[0].Attributes, want(span.Name)) {
			t.Fatalf("span %s has %v", span.Name, span.Events)
		}
	}
	ids := map[string]bool{}
	for _, record := range logs.got {
		var got []attribute.KeyValue
		record.WalkAttributes(func(attr attribute.KeyValue) bool {
			got = append(got, attr)
			return true
		})
		id := got[len(got)-1].Value.AsString()
		if ids[id] = true; !same(got, want(id)) {
			t.Fatalf("record has %v", got)
		}
	}
	if len(ids) != goroutines*rounds {
		t.Errorf("records of %d contexts", len(ids))
	}
	if err := tracers.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
}
