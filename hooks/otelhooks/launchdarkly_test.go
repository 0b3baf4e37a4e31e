package otelhooks_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"
	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/hooks"
	"github.com/openfeature-launchdarkly/go-provider/hooks/otelhooks"
	"github.com/openfeature-launchdarkly/go-provider/internal/sdkleaks"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// TestWithLaunchDarkly evaluates a LaunchDarkly flag and reads all three signals.
func TestWithLaunchDarkly(t *testing.T) {
	defer goleak.VerifyNone(t, sdkleaks.Ignore()...)
	box := launchdarklytest.NewServer()
	defer box.Close()
	box.SetFlags(ldbuilders.NewFlagBuilder("upload-limit").On(true).
		Variations(ldvalue.Int(10), ldvalue.Int(500)).FallthroughVariation(0).
		AddRule(ldbuilders.NewRuleBuilder().ID("large").Variation(1).
			Clauses(ldbuilders.ClauseWithKind("org", "employees", ldmodel.OperatorGreaterThan, ldvalue.Int(100)))).
		Build())

	var logs records
	loggers := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewSimpleProcessor(&logs)))
	spans := tracetest.NewSpanRecorder()
	tracer := trace.NewTracerProvider(trace.WithSpanProcessor(spans)).Tracer("test")
	metrics := metric.NewManualReader()
	meters := metric.NewMeterProvider(metric.WithReader(metrics))

	provider, err := launchdarkly.NewProvider(box.SDKKey(),
		launchdarkly.WithConfig(box.Config()),
		launchdarkly.WithLogger(slog.New(slog.DiscardHandler)),
		launchdarkly.WithHooks(hooks.NewEvaluationHook(hooks.NewMultiSink(
			otelhooks.NewLogSink(loggers), otelhooks.NewSpanSink(), otelhooks.NewMetricSink(meters)))))
	if err != nil {
		t.Fatal(err)
	}
	api := isolated.NewAPI()
	if err := api.SetProviderAndWait(t.Context(), provider); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = api.Shutdown(context.Background()) }()

	ctx, span := tracer.Start(t.Context(), "request")
	acme := openfeature.NewEvaluationContext("acme", map[string]any{"kind": "org", "employees": 250})
	if limit, err := api.NewClient().IntValue(ctx, "upload-limit", 0, acme); limit != 500 || err != nil {
		t.Errorf("got %d, %v", limit, err)
	}
	span.End()

	bounded := []attribute.KeyValue{
		attribute.String("feature_flag.key", "upload-limit"),
		attribute.String("feature_flag.provider.name", "LaunchDarkly"),
		attribute.String("feature_flag.result.variant", "1"),
		attribute.String("feature_flag.result.reason", "targeting_match"),
	}
	want := append([]attribute.KeyValue{
		attribute.String("feature_flag.context.id", "org:acme"),
		attribute.String("launchdarkly.reason.kind", "rule_match"),
	}, bounded...)

	if len(logs.got) != 1 {
		t.Fatalf("%d log records", len(logs.got))
	}
	var logged []attribute.KeyValue
	logs.got[0].WalkAttributes(func(kv attribute.KeyValue) bool {
		logged = append(logged, kv)
		return true
	})
	if !same(logged, want) {
		t.Errorf("log record %v\nwant %v", logged, want)
	}

	events := spans.Ended()[0].Events()
	if len(events) != 1 || events[0].Name != "feature_flag.evaluation" || !same(events[0].Attributes, want) {
		t.Errorf("span events %v\nwant %v", events, want)
	}

	var collected metricdata.ResourceMetrics
	if err := metrics.Collect(t.Context(), &collected); err != nil {
		t.Fatal(err)
	}
	sum := collected.ScopeMetrics[0].Metrics[0].Data.(metricdata.Sum[int64])
	if len(sum.DataPoints) != 1 || sum.DataPoints[0].Value != 1 || !same(sum.DataPoints[0].Attributes.ToSlice(), bounded) {
		t.Errorf("metric points %v\nwant one with %v", sum.DataPoints, bounded)
	}
}
