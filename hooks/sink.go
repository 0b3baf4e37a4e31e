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
// A sink may track events, and may evaluate flags with a client other than the
// one that is evaluating. OpenFeature's client is locked for reading during an
// evaluation, its hooks included: a sink that evaluates with the same client, or
// reads anything of it, hangs if another goroutine is about to change the client,
// and one that changes the client itself always does. Where the other client has
// the same hook, the sink must not evaluate without end.
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
