package hooks

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync/atomic"
)

// reporter logs the first panic of a hook, and no other.
type reporter struct {
	logger *slog.Logger // nil is slog.Default when it is needed
	told   atomic.Bool
}

// panicked takes what recover returned. It says where the panic came from, but
// nothing of the evaluation: a panic's value can hold what was being sent, so
// only its type is logged, and the text only of errors of the runtime.
func (r *reporter) panicked(ctx context.Context, sink Sink, value any) {
	// Not a sync.Once: it would make other evaluations wait for the logger, and
	// one that the logger itself causes would wait for ever.
	if r.told.Swap(true) {
		return
	}
	defer func() { _ = recover() }() // the logger may be what panicked before
	logger := r.logger
	if logger == nil {
		logger = slog.Default()
	}
	cause := fmt.Sprintf("%T", value)
	if err, ok := value.(runtime.Error); ok {
		cause = err.Error()
	}
	logger.LogAttrs(ctx, slog.LevelError,
		"feature flag evaluation event lost to a panic; further ones of this hook are not logged",
		slog.String("sink", fmt.Sprintf("%T", sink)),
		slog.String("panic", cause),
		slog.String("stack", string(debug.Stack())),
	)
}
