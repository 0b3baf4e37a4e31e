package hooks

import "context"

// Sink receives the events of an [EvaluationHook].
//
// Both methods run inside the evaluation, on the caller's goroutine, and from
// many goroutines at once. They must be safe for that, and must not block: what
// needs I/O puts the event in a queue. A flag evaluation cannot fail because of
// them. A panic is recovered and the first one of each hook is logged. A sink
// has no way to report an error to the caller, and deals with its own.
//
// A sink may evaluate flags or track events. If it evaluates through a client
// that has the same hook, it must not do so without end.
type Sink interface {
	// Enabled reports whether an event emitted with ctx would be of use. It is
	// asked first, for every evaluation, and nothing is built when it says no,
	// so it should be cheap. An event may still be emitted after it said no.
	Enabled(ctx context.Context) bool

	// Emit takes an event. Its Attributes are shared with other sinks and must
	// not be changed; a sink that keeps the event after Emit has returned keeps
	// an [Event.Clone].
	Emit(ctx context.Context, event Event)
}
