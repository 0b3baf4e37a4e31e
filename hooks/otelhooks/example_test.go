package otelhooks_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"
	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/hooks"
	"github.com/openfeature-launchdarkly/go-provider/hooks/otelhooks"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

var anna = openfeature.NewEvaluationContext("anna", nil)

// demo returns a client of an in-memory provider with the flag "bool".
func demo() (client *openfeature.Client, shutdown func()) {
	api := isolated.NewAPI()
	if err := api.SetProviderAndWait(context.Background(), provider()); err != nil {
		fmt.Println(err)
	}
	return api.NewClient(), func() { _ = api.Shutdown(context.Background()) }
}

func ExampleSpanSink() {
	exporter := tracetest.NewInMemoryExporter()
	tracers := trace.NewTracerProvider(trace.WithSyncer(exporter))
	client, shutdown := demo()
	defer shutdown()
	client.AddHooks(hooks.NewEvaluationHook(otelhooks.NewSpanSink(), hooks.WithValues(), hooks.WithExcludedAttributes("feature_flag.context.id")))

	ctx, span := tracers.Tracer("shop").Start(context.Background(), "checkout")
	client.Boolean(ctx, "bool", false, anna)
	span.End()

	event := exporter.GetSpans()[0].Events[0]
	fmt.Println(event.Name)
	for _, attr := range event.Attributes {
		fmt.Println(attr.Key, "=", attr.Value.String())
	}
	// Output:
	// feature_flag.evaluation
	// feature_flag.key = bool
	// feature_flag.provider.name = InMemoryProvider
	// feature_flag.result.variant = on
	// feature_flag.result.value = true
	// feature_flag.result.reason = static
}

func ExampleLogSink() {
	var exported records // an exporter
	loggers := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewSimpleProcessor(&exported)))
	client, shutdown := demo()
	defer shutdown()
	client.AddHooks(hooks.NewEvaluationHook(otelhooks.NewLogSink(loggers)))

	client.Boolean(context.Background(), "bool", false, anna)

	record := exported.got[0]
	fmt.Println(record.EventName(), record.Severity())
	record.WalkAttributes(func(attr attribute.KeyValue) bool {
		fmt.Println(attr.Key, "=", attr.Value.String())
		return true
	})
	// Output:
	// feature_flag.evaluation INFO
	// feature_flag.key = bool
	// feature_flag.provider.name = InMemoryProvider
	// feature_flag.result.variant = on
	// feature_flag.result.reason = static
	// feature_flag.context.id = anna
}

func ExampleMetricSink() {
	reader := metric.NewManualReader()
	meters := metric.NewMeterProvider(metric.WithReader(reader))
	client, shutdown := demo()
	defer shutdown()
	client.AddHooks(hooks.NewEvaluationHook(otelhooks.NewMetricSink(meters)))

	for range 3 {
		client.Boolean(context.Background(), "bool", false, anna)
	}

	var collected metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &collected); err != nil {
		fmt.Println(err)
	}
	counter := collected.ScopeMetrics[0].Metrics[0]
	point := counter.Data.(metricdata.Sum[int64]).DataPoints[0]
	variant, _ := point.Attributes.Value("feature_flag.result.variant")
	fmt.Println(counter.Name, variant.AsString(), point.Value)
	// Output:
	// feature_flag.evaluation on 3
}

// The application tracks events as usual; operators see what happens to them.
func ExampleRegisterDeliveryMetrics() {
	box := launchdarklytest.NewServer() // in place of LaunchDarkly
	defer box.Close()
	provider, err := launchdarkly.NewProvider(box.SDKKey(),
		launchdarkly.WithConfig(box.Config()), launchdarkly.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		fmt.Println(err)
		return
	}
	api := isolated.NewAPI()
	if err := api.SetProviderAndWait(context.Background(), provider); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = api.Shutdown(context.Background()) }()

	reader := metric.NewManualReader()
	registration, err := otelhooks.RegisterDeliveryMetrics(provider,
		otelhooks.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(reader))))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = registration.Unregister() }()

	api.NewClient().Track(context.Background(), "checkout", anna, openfeature.NewTrackingEventDetails(99.90))
	if err := provider.Flush(context.Background()); err != nil {
		fmt.Println(err)
	}

	var collected metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &collected); err != nil {
		fmt.Println(err)
	}
	for _, m := range collected.ScopeMetrics[0].Metrics {
		counter, _ := m.Data.(metricdata.Sum[int64])
		for _, point := range counter.DataPoints {
			group, _ := point.Attributes.Value(otelhooks.EventGroupKey)
			if group.AsString() == otelhooks.TrackedEvents && point.Value > 0 {
				fmt.Println(m.Name, m.Unit, point.Value)
			}
		}
	}
	// Output:
	// launchdarkly.events.recorded {event} 1
	// launchdarkly.events.delivered {event} 1
}
