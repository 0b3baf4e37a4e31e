package hooks

import "context"

var _ Sink = (*MultiSink)(nil)

// MultiSink hands events to several sinks, in order. The zero value is disabled.
//
// In a hook, each of its sinks is treated as if it were the only one: it is
// asked whether it is enabled, is deduplicated by its own default, and panics by
// itself.
type MultiSink struct {
	sinks []Sink
}

// NewMultiSink returns a fan-out to sinks. Nil ones are left out, and a
// MultiSink among them is replaced with what it consists of.
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

// Emit hands the event to the sinks that are enabled. When one panics, the
// others get it before the panic goes on.
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

// emitOne continues with the rest while a panic unwinds, so that it reaches the
// caller as it was thrown, with its stack.
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

// flatten returns the sinks that a sink consists of: none, itself or a fan-out's.
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
