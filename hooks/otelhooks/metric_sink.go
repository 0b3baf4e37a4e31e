package otelhooks

import (
	"context"
	"log/slog"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/open-feature/go-sdk/openfeature/telemetry"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/openfeature-launchdarkly/go-provider/hooks"
)

var _ hooks.Sink = (*MetricSink)(nil)

// CounterName is the name of the instrument of a [MetricSink].
const CounterName = telemetry.FlagEvaluationKey

// maxSeries is the number of attribute sets that a sink caches. Beyond it, the least recently used
// ones are built again when they recur.
const maxSeries = 2048

// MetricSink counts evaluations with an int64 counter named [CounterName], unit {evaluation}. Its
// attributes are those of the event whose number of values does not depend on the number of users:
// feature_flag.key, feature_flag.provider.name, feature_flag.result.variant,
// feature_flag.result.reason and error.type. Context IDs and flag values are never among them. If
// flag keys come from user input, add a flag filter, because flags that do not exist are counted by
// key too.
//
// Deduplication and sampling are applied before events are counted. The zero value is disabled.
type MetricSink struct {
	counter metric.Int64Counter
	series  *lru.Cache[dimensions, []metric.AddOption]
}

// dimensions are the values of the counter's attributes. Empty ones are absent.
type dimensions struct {
	key, provider, variant, reason, errorType string
}

// NewMetricSink returns a sink that counts with a meter of provider. If provider is nil, it uses
// the global one. An error of creating the counter is passed to OpenTelemetry's error handler. The
// sink is safe for concurrent use.
func NewMetricSink(provider metric.MeterProvider) *MetricSink {
	if provider == nil {
		provider = otel.GetMeterProvider()
	}
	counter, err := provider.Meter(scopeName).Int64Counter(CounterName,
		metric.WithUnit("{evaluation}"),
		metric.WithDescription("Number of feature flag evaluations."),
	)
	if err != nil {
		otel.Handle(err)
	}
	series, err := lru.New[dimensions, []metric.AddOption](maxSeries)
	if err != nil {
		otel.Handle(err)
	}
	return &MetricSink{counter: counter, series: series}
}

// Enabled reports whether the counter is enabled.
func (s *MetricSink) Enabled(ctx context.Context) bool {
	return s != nil && s.counter != nil && s.series != nil && s.counter.Enabled(ctx)
}

// Emit adds 1 to the counter.
func (s *MetricSink) Emit(ctx context.Context, event hooks.Event) {
	if s == nil || s.counter == nil || s.series == nil {
		return
	}
	d := dimensionsOf(event.Attributes)
	options, ok := s.series.Get(d)
	if !ok {
		options = []metric.AddOption{metric.WithAttributeSet(d.set())}
		s.series.Add(d, options)
	}
	s.counter.Add(ctx, 1, options...)
}

// dimensionsOf reads the attributes rather than the event's fields, so that the hook's options
// apply to the metric too.
func dimensionsOf(attrs []slog.Attr) dimensions {
	var d dimensions
	for i := range attrs {
		switch attrs[i].Key {
		case telemetry.FlagKey:
			d.key = attrs[i].Value.String()
		case telemetry.ProviderNameKey:
			d.provider = attrs[i].Value.String()
		case telemetry.ResultVariantKey:
			d.variant = attrs[i].Value.String()
		case telemetry.ResultReasonKey:
			d.reason = attrs[i].Value.String()
		case telemetry.ErrorTypeKey:
			d.errorType = attrs[i].Value.String()
		}
	}
	return d
}

func (d dimensions) set() attribute.Set {
	attrs := make([]attribute.KeyValue, 0, 5)
	for _, attr := range [...]attribute.KeyValue{
		attribute.String(telemetry.FlagKey, d.key),
		attribute.String(telemetry.ProviderNameKey, d.provider),
		attribute.String(telemetry.ResultVariantKey, d.variant),
		attribute.String(telemetry.ResultReasonKey, d.reason),
		attribute.String(telemetry.ErrorTypeKey, d.errorType),
	} {
		if attr.Value.AsString() != "" {
			attrs = append(attrs, attr)
		}
	}
	return attribute.NewSet(attrs...)
}
