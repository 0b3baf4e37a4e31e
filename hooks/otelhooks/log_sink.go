package otelhooks

import (
	"context"
	"time"

	"github.com/open-feature/go-sdk/openfeature/telemetry"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"

	"github.com/openfeature-launchdarkly/go-provider/hooks"
)

var _ hooks.Sink = (*LogSink)(nil)

// LogSink emits events through OpenTelemetry's Logs API, as records with an event name and severity
// INFO, which the semantic conventions require. OpenTelemetry's SDK adds the trace and span ID of
// the context. The zero value is disabled.
type LogSink struct {
	logger log.Logger
}

// NewLogSink returns a sink that emits through a logger of provider. If provider is nil, it uses
// the global one. It is safe for concurrent use.
func NewLogSink(provider log.LoggerProvider) *LogSink {
	if provider == nil {
		provider = otel.GetLoggerProvider()
	}
	return &LogSink{logger: provider.Logger(scopeName)}
}

// Enabled reports whether the logger is enabled for evaluation events at severity INFO.
func (s *LogSink) Enabled(ctx context.Context) bool {
	return s != nil && s.logger != nil && s.logger.Enabled(ctx, log.EnabledParameters{
		Severity:  log.SeverityInfo,
		EventName: telemetry.FlagEvaluationKey,
	})
}

// Emit emits the event as a log record, with the current time as its timestamp.
func (s *LogSink) Emit(ctx context.Context, event hooks.Event) {
	if s == nil || s.logger == nil {
		return
	}
	var record log.Record
	record.SetEventName(event.Name)
	record.SetTimestamp(time.Now())
	record.SetSeverity(log.SeverityInfo)
	record.SetSeverityText("INFO")
	var inline [inlineAttributes]attribute.KeyValue
	attrs := inline[:]
	if len(event.Attributes) > len(inline) {
		attrs = make([]attribute.KeyValue, len(event.Attributes))
	}
	record.AddAttributes(convert(attrs, event.Attributes)...)
	s.logger.Emit(ctx, record)
}
