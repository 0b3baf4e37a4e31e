// Package otelhooks connects package hooks and event delivery to OpenTelemetry: evaluations as log
// records, as span events and as a metric, and delivery counters as metrics.
//
//	hook := hooks.NewEvaluationHook(hooks.NewMultiSink(
//		otelhooks.NewSpanSink(),
//		otelhooks.NewMetricSink(nil),
//	))
//	registration, err := otelhooks.RegisterDeliveryMetrics(provider)
//
// # Evaluations
//
// An event of package hooks is converted as follows:
//
//   - Event.Name: the event name of the log record, or the name of the span event
//   - string attributes: STRING
//   - bool attributes: BOOL
//   - int64 attributes: INT64
//   - float64 attributes: FLOAT64
//
// An event has no other kinds of attributes. OpenTelemetry's [semantic conventions] require log
// records; Appendix D of the OpenFeature specification recommends span events, which cost less. An
// application can use both.
//
// A sink takes the OpenTelemetry provider of its signal. If it is nil, the sink uses the global
// provider, which may be set later. If no OpenTelemetry SDK is installed, sinks are disabled and
// cost a few nanoseconds.
//
// # Delivery
//
// [RegisterDeliveryMetrics] exports the counters of a LaunchDarkly provider. Its documentation
// lists the metrics. Prometheus gets them from OpenTelemetry's Prometheus exporter, which changes
// names as follows: dots become underscores, counters end with _total, and units of By and s are
// appended as _bytes and _seconds. The repository has alert rules (docs/alerts.yaml) and an example
// with a Grafana dashboard (examples/metrics).
//
// [semantic conventions]: https://opentelemetry.io/docs/specs/semconv/feature-flags/feature-flags-events/
package otelhooks

// scopeName is the instrumentation scope.
const scopeName = "github.com/openfeature-launchdarkly/go-provider/hooks/otelhooks"
