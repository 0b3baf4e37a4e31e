package otelhooks

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/openfeature-launchdarkly/go-provider/hooks"
)

var _ hooks.Sink = (*SpanSink)(nil)

// SpanSink adds events to the span that is active in the context of an
// evaluation. It is disabled where there is none, or where the span is not
// recorded. It leaves the span's status alone: an evaluation that falls back to
// its default does not fail the operation. The zero value is ready to use, from
// many goroutines; it must not be copied.
//
// A span of an application's own must read the options of AddEvent before it
// returns, as OpenTelemetry's does: their memory is used again.
type SpanSink struct {
	buffers sync.Pool // of *buffer
}

// buffer is the room for a span event's attributes.
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
	// Options can only be read by making a configuration of them, which copies.
	clear(attrs)
	s.buffers.Put(b)
}
