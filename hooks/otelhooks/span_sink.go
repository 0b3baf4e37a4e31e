package otelhooks

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/openfeature-launchdarkly/go-provider/hooks"
)

var _ hooks.Sink = (*SpanSink)(nil)

// SpanSink adds events to the active span in the context of an evaluation. It is disabled if there
// is no span or the span is not recording. It does not change the span's status, because an
// evaluation that falls back to its default does not fail the operation. The zero value is ready
// for use. It is safe for concurrent use and must not be copied.
//
// An application's own implementation of a span must read the options of AddEvent before it
// returns, as OpenTelemetry's SDK does, because their memory is reused.
type SpanSink struct {
	buffers sync.Pool // of *buffer
}

// buffer is the memory for the attributes of a span event.
type buffer [inlineAttributes]attribute.KeyValue

// NewSpanSink returns a [SpanSink].
func NewSpanSink() *SpanSink {
	return &SpanSink{}
}

// Enabled reports whether the active span is recording.
func (s *SpanSink) Enabled(ctx context.Context) bool {
	return s != nil && trace.SpanFromContext(ctx).IsRecording()
}

// Emit adds the event to the active span.
func (s *SpanSink) Emit(ctx context.Context, event hooks.Event) {
	if s == nil {
		return
	}
	span := trace.SpanFromContext(ctx)
	if len(event.Attributes) > inlineAttributes {
		attrs := convert(make([]attribute.KeyValue, len(event.Attributes)), event.Attributes)
		span.AddEvent(event.Name, trace.WithAttributes(attrs...))
		return
	}
	b, _ := s.buffers.Get().(*buffer)
	if b == nil {
		b = new(buffer)
	}
	attrs := convert(b[:], event.Attributes)
	span.AddEvent(event.Name, trace.WithAttributes(attrs...))
	// Options can only be read through a configuration, which copies them.
	clear(attrs)
	s.buffers.Put(b)
}
