package hooks

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync/atomic"
)

// reporter logs each kind of problem of a hook once.
type reporter struct {
	logger *slog.Logger // slog.Default at the time of logging if nil

	panicLogged     atomic.Bool
	unmatchedLogged atomic.Bool
}

// panicked logs the value returned by recover. sink is nil if an option panicked. The line locates
// the panic but holds no data of the evaluation: a panic value may contain what was being sent, so
// only its type is logged, and the text only of runtime errors.
func (r *reporter) panicked(ctx context.Context, sink Sink, value any) {
	// Not a sync.Once: it would block other evaluations until the logger returns, and deadlock if
	// the logger itself evaluates a flag.
	if r.panicLogged.Swap(true) {
		return
	}
	source := "an option"
	if sink != nil {
		source = fmt.Sprintf("%T", sink)
	}
	cause := fmt.Sprintf("%T", value)
	if err, ok := value.(runtime.Error); ok {
		cause = err.Error()
	}
	r.log(ctx, slog.LevelError,
		"feature flag evaluation event lost to a panic; further ones of this hook are not logged",
		slog.String("sink", source),
		slog.String("panic", cause),
		slog.String("stack", string(debug.Stack())),
	)
}

// unmatched logs that the error of an evaluation did not reach its event.
func (r *reporter) unmatched(ctx context.Context) {
	if r.unmatchedLogged.Swap(true) {
		return
	}
	r.log(ctx, slog.LevelWarn,
		"feature flag evaluation event lacks the error of another hook; further ones of this hook are not logged")
}

func (r *reporter) log(ctx context.Context, level slog.Level, message string, attrs ...slog.Attr) {
	defer func() { _ = recover() }() // the handler may be what panicked before
	logger := r.logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.LogAttrs(ctx, level, message, attrs...)
}
