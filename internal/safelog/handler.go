// Package safelog recovers panics of an application's log handler.
package safelog

import (
	"context"
	"errors"
	"log/slog"
)

// errPanic is returned in place of the panic value, which may contain logged values.
var errPanic = errors.New("safelog: the log handler panicked")

// Logger returns a logger that recovers panics of l's handler. The record is lost.
func Logger(l *slog.Logger) *slog.Logger {
	if _, ok := l.Handler().(handler); ok {
		return l
	}
	return slog.New(handler{next: l.Handler()})
}

// handler recovers panics of the next handler.
type handler struct{ next slog.Handler }

var _ slog.Handler = handler{}

// Enabled implements [slog.Handler]. It returns false if the next handler panics.
func (h handler) Enabled(ctx context.Context, level slog.Level) (enabled bool) {
	defer func() {
		if recover() != nil {
			enabled = false
		}
	}()
	return h.next.Enabled(ctx, level)
}

// Handle implements [slog.Handler]. It returns an error if the next handler panics.
func (h handler) Handle(ctx context.Context, record slog.Record) (err error) {
	defer func() {
		if recover() != nil {
			err = errPanic
		}
	}()
	return h.next.Handle(ctx, record)
}

// WithAttrs implements [slog.Handler]. If the next handler panics, records lack these attributes.
func (h handler) WithAttrs(attributes []slog.Attr) slog.Handler {
	return h.derived(func() slog.Handler { return h.next.WithAttrs(attributes) })
}

// WithGroup implements [slog.Handler]. If the next handler panics, records lack this group.
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
