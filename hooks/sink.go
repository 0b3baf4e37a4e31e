package hooks

import "context"

// Sink receives the events of an [EvaluationHook].
//
// Both methods run within the evaluation, on the caller's goroutine, and concurrently. They must
// not block; a sink that needs I/O queues the event. They cannot fail an evaluation: a panic is
// recovered, and the first one of each hook is logged. A sink handles its own errors.
//
// A sink may track events, and may evaluate flags with another client. If that client has the same
// hook, the sink must prevent endless recursion. It must not use the client that evaluates, which
// holds a read lock meanwhile: changing that client deadlocks, and so does reading from it or
// evaluating with it while another goroutine waits to change it.
type Sink interface {
	// Enabled reports whether an event that is emitted with ctx would be used. The hook calls it
	// first and builds no event if it returns false, so it should be cheap. It is called once per
	// evaluation, and twice if the evaluation fails. Emit may be called even though Enabled
	// returned false.
	Enabled(ctx context.Context) bool

	// Emit sends an event. The sink must not change its Attributes, which other sinks share. To
	// keep the event after Emit has returned, use [Event.Clone].
	Emit(ctx context.Context, event Event)
}
