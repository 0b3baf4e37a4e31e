package otelhooks_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/open-feature/go-sdk/openfeature"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/openfeature-launchdarkly/go-provider/hooks"
	"github.com/openfeature-launchdarkly/go-provider/hooks/otelhooks"
)

func collect(t *testing.T, reader metric.Reader) metricdata.Metrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	if len(all.ScopeMetrics) != 1 || len(all.ScopeMetrics[0].Metrics) != 1 {
		t.Fatalf("got %+v", all.ScopeMetrics)
	}
	return all.ScopeMetrics[0].Metrics[0]
}

func TestMetricSink(t *testing.T) {
	t.Parallel()
	reader := metric.NewManualReader()
	sink := otelhooks.NewMetricSink(metric.NewMeterProvider(metric.WithReader(reader)))
	client := newClient(t, hooks.NewEvaluationHook(sink, hooks.WithAttributeMapper(
		func(openfeature.HookContext, openfeature.InterfaceEvaluationDetails) []slog.Attr {
			return []slog.Attr{slog.String("unbounded", "x")}
		})))

	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 25 {
				evalCtx := openfeature.NewEvaluationContext(fmt.Sprintf("user-%d", i), nil)
				client.Boolean(context.Background(), "bool", false, evalCtx)
				client.Int(context.Background(), "rule", 0, evalCtx)
				client.Boolean(context.Background(), "none", false, evalCtx)
			}
		})
	}
	wg.Wait()

	point := func(attrs ...attribute.KeyValue) metricdata.DataPoint[int64] {
		attrs = append(attrs, attribute.String("feature_flag.provider.name", "InMemoryProvider"))
		return metricdata.DataPoint[int64]{Attributes: attribute.NewSet(attrs...), Value: 100}
	}
	metricdatatest.AssertEqual(t, metricdata.Metrics{
		Name:        "feature_flag.evaluation",
		Description: "Number of feature flag evaluations.",
		Unit:        "{evaluation}",
		Data: metricdata.Sum[int64]{
			Temporality: metricdata.CumulativeTemporality,
			IsMonotonic: true,
			DataPoints: []metricdata.DataPoint[int64]{
				point(attribute.String("feature_flag.key", "bool"),
					attribute.String("feature_flag.result.variant", "on"),
					attribute.String("feature_flag.result.reason", "static")),
				point(attribute.String("feature_flag.key", "rule"),
					attribute.String("feature_flag.result.variant", "1"),
					attribute.String("feature_flag.result.reason", "split")),
				point(attribute.String("feature_flag.key", "none"),
					attribute.String("feature_flag.result.reason", "error"),
					attribute.String("error.type", "flag_not_found")),
			},
		},
	}, collect(t, reader), metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
}

func TestMetricSinkOmitsExcludedAttributes(t *testing.T) {
	t.Parallel()
	reader := metric.NewManualReader()
	sink := otelhooks.NewMetricSink(metric.NewMeterProvider(metric.WithReader(reader)))
	client := newClient(t, hooks.NewEvaluationHook(sink, hooks.WithExcludedAttributes("feature_flag.key", "feature_flag.provider.name")))
	for _, e := range evaluations()[:2] {
		e.evaluate(context.Background(), client)
	}
	for _, point := range collect(t, reader).Data.(metricdata.Sum[int64]).DataPoints {
		if point.Attributes.HasValue("feature_flag.key") || point.Attributes.HasValue("feature_flag.provider.name") {
			t.Errorf("got %v", point.Attributes)
		}
	}
}

func TestMetricSinkWithoutProvider(t *testing.T) {
	t.Parallel()
	var none *otelhooks.MetricSink
	for name, sink := range map[string]*otelhooks.MetricSink{"nil": none, "zero": {}} {
		if sink.Enabled(context.Background()) {
			t.Errorf("%s: enabled", name)
		}
		sink.Emit(context.Background(), hooks.Event{})
	}
	otelhooks.NewMetricSink(nil).Emit(context.Background(), hooks.Event{})
}
