// Package otelhooks has the OpenTelemetry sinks of package hooks: evaluations as log
// records, as events of the active span, and as a metric.
//
//	hook := hooks.NewEvaluationHook(hooks.NewMultiSink(
//		otelhooks.NewSpanSink(),
//		otelhooks.NewMetricSink(nil),
//	))
//
// The conversion of an event:
//
//   - Event.Name: the record's event name, or the span event's name
//   - string attributes: STRING
//   - bool attributes: BOOL
//   - int64 attributes: INT64
//   - float64 attributes: FLOAT64
//
// There are no others: see hooks.Event. OpenTelemetry's [semantic conventions]
// ask for log records; Appendix D of the OpenFeature specification recommends
// span events, which cost less. Nothing keeps an application from having both.
//
// Sinks take the provider of their signal, as OpenTelemetry calls what an SDK
// implements. Nil stands for the global one, which may be set later. With no SDK
// installed the sinks are disabled, and cost a few nanoseconds.
//
// [semantic conventions]: https://opentelemetry.io/docs/specs/semconv/feature-flags/feature-flags-events/
package otelhooks

// scopeName is the instrumentation scope of what the sinks emit.
const scopeName = "github.com/openfeature-launchdarkly/go-provider/hooks/otelhooks"
