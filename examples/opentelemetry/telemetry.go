package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/stdout/stdoutlog"
	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

// telemetry is OpenTelemetry's SDK, one provider for each signal. All of them export in the background, and what is left
// at shutdown.
type telemetry struct {
	tracers *trace.TracerProvider
	loggers *sdklog.LoggerProvider
	meters  *metric.MeterProvider

	// What was exported, each signal for itself. An exporter that sends to a collector needs none of this.
	spans, records, metrics *bytes.Buffer
}

// startTelemetry makes the three providers. A service has OTLP exporters in place of the ones here.
func startTelemetry() (*telemetry, error) {
	t := &telemetry{spans: &bytes.Buffer{}, records: &bytes.Buffer{}, metrics: &bytes.Buffer{}}
	spans, err := stdouttrace.New(
		stdouttrace.WithWriter(t.spans), stdouttrace.WithPrettyPrint(), stdouttrace.WithoutTimestamps())
	if err != nil {
		return nil, err
	}
	records, err := stdoutlog.New(
		stdoutlog.WithWriter(t.records), stdoutlog.WithPrettyPrint(), stdoutlog.WithoutTimestamps())
	if err != nil {
		return nil, err
	}
	metrics, err := stdoutmetric.New(
		stdoutmetric.WithWriter(t.metrics), stdoutmetric.WithPrettyPrint(), stdoutmetric.WithoutTimestamps())
	if err != nil {
		return nil, err
	}

	service := resource.NewSchemaless(attribute.String("service.name", "shop"))
	t.tracers = trace.NewTracerProvider(trace.WithResource(service), trace.WithBatcher(spans))
	t.loggers = sdklog.NewLoggerProvider(
		sdklog.WithResource(service), sdklog.WithProcessor(sdklog.NewBatchProcessor(records)))
	t.meters = metric.NewMeterProvider(
		metric.WithResource(service), metric.WithReader(metric.NewPeriodicReader(metrics)))
	return t, nil
}

// shutdown exports what has not been exported yet, ends all that runs in the background, and prints what was exported.
func (t *telemetry) shutdown(ctx context.Context, out io.Writer) error {
	err := errors.Join(
		t.tracers.Shutdown(ctx),
		t.loggers.Shutdown(ctx),
		t.meters.Shutdown(ctx),
	)
	for _, signal := range []struct {
		name     string
		exported *bytes.Buffer
	}{
		{"Spans, with an event for each evaluation", t.spans},
		{"Log records, one for each evaluation", t.records},
		{"Metrics, which count evaluations", t.metrics},
	} {
		_, writeErr := fmt.Fprintf(out, "== %s\n%s\n", signal.name, oneLineEach(signal.exported.Bytes()))
		err = errors.Join(err, writeErr)
	}
	return err
}

// oneLineEach puts the attributes in an exporter's JSON on one line each, so that it can be read.
func oneLineEach(exported []byte) []byte {
	attribute := regexp.MustCompile(`\{\s+"Key": (.*),\s+"Value": \{\s+"Type": (.*),\s+"Value": (.*)\s+\}\s+\}`)
	return attribute.ReplaceAll(exported, []byte(`{"Key": $1, "Value": {"Type": $2, "Value": $3}}`))
}
