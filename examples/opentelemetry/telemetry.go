package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

// telemetry is OpenTelemetry's SDK, with one provider for each signal.
type telemetry struct {
	tracers *trace.TracerProvider
	loggers *log.LoggerProvider
	meters  *metric.MeterProvider
}

// startTelemetry creates the providers. The exporters of this example print one line for each
// record, span and counter. A service uses OTLP exporters, with batch processors for logs and
// spans.
func startTelemetry(out io.Writer) *telemetry {
	service := resource.NewSchemaless(attribute.String("service.name", "shop"))
	return &telemetry{
		tracers: trace.NewTracerProvider(trace.WithResource(service),
			trace.WithSyncer(spanPrinter{out})),
		loggers: log.NewLoggerProvider(log.WithResource(service),
			log.WithProcessor(log.NewSimpleProcessor(logPrinter{out}))),
		meters: metric.NewMeterProvider(metric.WithResource(service),
			metric.WithReader(metric.NewPeriodicReader(metricPrinter{out}))),
	}
}

// shutdown exports all remaining telemetry, in this example the metrics.
func (t *telemetry) shutdown(ctx context.Context) error {
	return errors.Join(t.tracers.Shutdown(ctx), t.loggers.Shutdown(ctx), t.meters.Shutdown(ctx))
}

type logPrinter struct{ out io.Writer }

func (p logPrinter) Export(_ context.Context, records []log.Record) error {
	for _, record := range records {
		var attributes []attribute.KeyValue
		record.WalkAttributes(func(kv attribute.KeyValue) bool {
			attributes = append(attributes, kv)
			return true
		})
		fmt.Fprintln(p.out, "log   ", record.EventName(), text(attributes))
	}
	return nil
}

func (logPrinter) ForceFlush(context.Context) error { return nil }
func (logPrinter) Shutdown(context.Context) error   { return nil }

type spanPrinter struct{ out io.Writer }

func (p spanPrinter) ExportSpans(_ context.Context, spans []trace.ReadOnlySpan) error {
	for _, span := range spans {
		fmt.Fprintln(p.out, "span  ", span.Name())
		for _, event := range span.Events() {
			fmt.Fprintln(p.out, "  event", event.Name, text(event.Attributes))
		}
	}
	return nil
}

func (spanPrinter) Shutdown(context.Context) error { return nil }

type metricPrinter struct{ out io.Writer }

func (p metricPrinter) Export(_ context.Context, collected *metricdata.ResourceMetrics) error {
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			counter, ok := m.Data.(metricdata.Sum[int64])
			if !ok {
				continue
			}
			var lines []string
			for _, point := range counter.DataPoints {
				lines = append(lines, fmt.Sprintln("metric", m.Name, point.Value, text(point.Attributes.ToSlice())))
			}
			slices.Sort(lines) // points have no order
			fmt.Fprint(p.out, strings.Join(lines, ""))
		}
	}
	return nil
}

func (metricPrinter) Temporality(kind metric.InstrumentKind) metricdata.Temporality {
	return metric.DefaultTemporalitySelector(kind)
}

func (metricPrinter) Aggregation(kind metric.InstrumentKind) metric.Aggregation {
	return metric.DefaultAggregationSelector(kind)
}

func (metricPrinter) ForceFlush(context.Context) error { return nil }
func (metricPrinter) Shutdown(context.Context) error   { return nil }

// text returns the main attributes. It omits the provider's name, LaunchDarkly's reason kind and
// the error message.
func text(attributes []attribute.KeyValue) string {
	var parts []string
	for _, key := range []attribute.Key{
		"feature_flag.key", "feature_flag.result.variant", "feature_flag.result.value",
		"feature_flag.result.reason", "error.type", "feature_flag.context.id",
	} {
		for _, kv := range attributes {
			if kv.Key == key {
				parts = append(parts, strings.TrimPrefix(string(key), "feature_flag.")+"="+kv.Value.String())
			}
		}
	}
	return strings.Join(parts, " ")
}
