package delivery

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openfeature-launchdarkly/go-provider/internal/logtext"
	"github.com/openfeature-launchdarkly/go-provider/internal/ratelimit"
	"github.com/openfeature-launchdarkly/go-provider/internal/safelog"
)

// reporter tells the log, rarely, and the error handlers, always, what goes wrong.
type reporter struct {
	settings     settings
	limiter      ratelimit.Limiter
	unauthorized atomic.Bool

	mu        sync.Mutex
	observers []*observation // replaced, never changed
}

// observation is what a call of Observe adds.
type observation struct {
	logger  *slog.Logger
	onError func(error)
}

// observe adds a logger and an error handler, either of which may be nil, until stop is called.
func (r *reporter) observe(logger *slog.Logger, onError func(error)) (stop func()) {
	if logger != nil {
		logger = safelog.Logger(logger)
	}
	o := &observation{logger: logger, onError: onError}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.observers = append(slices.Clip(r.observers), o)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.observers = slices.DeleteFunc(slices.Clone(r.observers), func(other *observation) bool { return other == o })
	}
}

func (r *reporter) observed() []*observation {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.observers
}

// dropped reports events that will not be delivered.
func (r *reporter) dropped(report DropError) {
	for _, handle := range r.settings.onError {
		handle(&report)
	}
	for _, o := range r.observed() {
		if o.onError != nil {
			o.onError(&report)
		}
	}
	if errors.Is(report.Cause, ErrUnauthorized) {
		// It stays so until the process has another key. Saying it once is enough.
		if !r.unauthorized.Swap(true) {
			r.log(slog.LevelError, "LaunchDarkly refuses the SDK key: no more events are sent", 0,
				slog.Any("error", report.Cause))
		}
		return
	}
	if suppressed, ok := r.limiter.Allow(ratelimit.Cause{Kind: "dropped", Detail: kindOf(report.Cause)}); ok {
		r.log(slog.LevelError, "tracked events dropped", suppressed,
			slog.Any("error", report.Cause), slog.Int("events", report.Events))
	}
}

// kindOf keeps the causes that the log tells apart few.
func kindOf(cause error) string {
	for _, kind := range []error{ErrQueueFull, ErrTooLarge, ErrRefused, ErrClosed} {
		if errors.Is(cause, kind) {
			return kind.Error()
		}
	}
	return ""
}

// retrying reports an attempt that failed and will be followed by another.
func (r *reporter) retrying(err error, pause time.Duration) {
	if suppressed, ok := r.limiter.Allow(ratelimit.Cause{Kind: "retrying"}); ok {
		r.log(slog.LevelWarn, "sending tracked events failed, will retry", suppressed,
			slog.Any("error", logtext.Error(err)), slog.Duration("retryIn", pause))
	}
}

func (r *reporter) log(level slog.Level, message string, suppressed int, attributes ...slog.Attr) {
	if suppressed > 0 {
		attributes = append(attributes, slog.Int("suppressed", suppressed))
	}
	logger := r.settings.logger
	for _, o := range r.observed() {
		if o.logger != nil {
			o.logger.LogAttrs(context.Background(), level, message, attributes...)
			if !r.settings.ownLogger {
				logger = nil // the observer's takes the place of the default
			}
		}
	}
	if logger != nil {
		logger.LogAttrs(context.Background(), level, message, attributes...)
	}
}
