package hooks

import "context"

var _ Sink = (*MultiSink)(nil)

// MultiSink passes events to several sinks in order. The zero value is disabled.
//
// A hook treats each of its sinks separately: it asks each whether it is enabled, deduplicates by
// its own default, and recovers its panics.
type MultiSink struct {
	sinks []Sink
}

// NewMultiSink returns a fan-out to sinks. Nil sinks are ignored, and a MultiSink among them is
// replaced by the sinks it consists of.
func NewMultiSink(sinks ...Sink) *MultiSink {
	m := &MultiSink{}
	for _, sink := range sinks {
		m.sinks = append(m.sinks, flatten(sink)...)
	}
	return m
}

// Enabled reports whether any of the sinks is enabled.
func (m *MultiSink) Enabled(ctx context.Context) bool {
	if m == nil {
		return false
	}
	for _, sink := range m.sinks {
		if sink.Enabled(ctx) {
			return true
		}
	}
	return false
}

// Emit passes the event to the sinks that are enabled. If one panics, the others receive the event
// before the panic propagates.
func (m *MultiSink) Emit(ctx context.Context, event Event) {
	if m != nil {
		emitAll(ctx, m.sinks, event)
	}
}

func emitAll(ctx context.Context, sinks []Sink, event Event) {
	for i, sink := range sinks {
		emitOne(ctx, sink, sinks[i+1:], event)
	}
}

// emitOne emits to the rest while a panic unwinds, so that the panic reaches the caller with its
// original value and stack.
func emitOne(ctx context.Context, sink Sink, rest []Sink, event Event) {
	returned := false
	defer func() {
		if !returned {
			emitAll(ctx, rest, event)
		}
	}()
	if sink.Enabled(ctx) {
		sink.Emit(ctx, event)
	}
	returned = true
}

// flatten returns the sinks that a sink consists of: none, itself, or those of a fan-out.
func flatten(sink Sink) []Sink {
	switch sink := sink.(type) {
	case nil:
		return nil
	case *MultiSink:
		if sink == nil {
			return nil
		}
		return sink.sinks
	default:
		return []Sink{sink}
	}
}
