// Package safelog keeps what is logged about going when an application's log handler panics.
package safelog

import (
	"context"
	"errors"
	"log/slog"
)

// errPanic takes the place of what a handler panicked with, which can hold what was being logged.
var errPanic = errors.New("safelog: the log handler panicked")

// Logger returns a logger with l's handler, of which a panic costs the line, and nothing else.
func Logger(l *slog.Logger) *slog.Logger {
	if _, ok := l.Handler().(handler); ok {
		return l
	}
	return slog.New(handler{next: l.Handler()})
}

// handler recovers the panics of another one.
type handler struct{ next slog.Handler }

var _ slog.Handler = handler{}

// Enabled implements [slog.Handler]. A handler that panics here takes no lines.
func (h handler) Enabled(ctx context.Context, level slog.Level) (enabled bool) {
	defer func() {
		if recover() != nil {
			enabled = false
		}
	}()
	return h.next.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h handler) Handle(ctx context.Context, record slog.Record) (err error) {
	defer func() {
		if recover() != nil {
			err = errPanic
		}
	}()
	return h.next.Handle(ctx, record)
}

// WithAttrs implements [slog.Handler]. Where the other handler panics, the lines go without these attributes.
func (h handler) WithAttrs(attributes []slog.Attr) slog.Handler {
	return h.derived(func() slog.Handler { return h.next.WithAttrs(attributes) })
}

// WithGroup implements [slog.Handler]. Where the other handler panics, the lines go without this group.
func (h handler) WithGroup(name string) slog.Handler {
	return h.derived(func() slog.Handler { return h.next.WithGroup(name) })
}

func (h handler) derived(derive func() slog.Handler) (derived slog.Handler) {
	defer func() {
		if recover() != nil {
			derived = h
		}
	}()
	return handler{next: derive()}
}
