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

// reporter logs what goes wrong, rate-limited, and passes every loss to the error handlers. It is
// safe for concurrent use; handlers are called without its lock.
type reporter struct {
	settings   settings
	limiter    ratelimit.Limiter
	overflowed atomic.Int64 // evaluation events for which there was no room, not reported yet

	mu        sync.Mutex
	observers []*observation       // replaced, never changed
	unlogged  map[error]lostEvents // by cause, since its last line
	trouble   trouble
}

// lostEvents counts by group.
type lostEvents struct{ tracked, evaluations int }

// trouble is a time in which requests fail.
type trouble struct {
	since  time.Time // zero while there is none
	logged bool      // whether a line reports it, so that another has to report its end
	key    bool      // whether a line says that the key is refused
}

// observation is what a call of Observe adds.
type observation struct {
	logger  *slog.Logger
	onError func(error)
}

func newReporter(s settings) *reporter {
	return &reporter{settings: s, unlogged: make(map[error]lostEvents)}
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
	r.logDropped(report)
}

// logDropped logs the events lost since the last line about the cause.
func (r *reporter) logDropped(report DropError) {
	kind := causeOf(report.Cause)
	r.mu.Lock()
	lost := r.unlogged[kind]
	lost.tracked += report.Events
	lost.evaluations += report.Evaluations
	r.unlogged[kind] = lost
	r.mu.Unlock()
	if _, ok := r.limiter.Allow(ratelimit.Cause{Kind: "dropped", Detail: kind.Error()}); ok {
		r.logLost(kind, report.Cause)
	}
}

func (r *reporter) logLost(kind, cause error) {
	r.mu.Lock()
	lost := r.unlogged[kind]
	delete(r.unlogged, kind)
	r.mu.Unlock()
	if lost == (lostEvents{}) {
		return
	}
	attributes := []slog.Attr{slog.Any("error", logtext.Error(cause)), slog.Int("events", lost.tracked)}
	if lost.evaluations > 0 {
		attributes = append(attributes, slog.Int("evaluationEvents", lost.evaluations))
	}
	r.log(slog.LevelError, "events dropped", attributes...)
}

// causeOf returns the cause that the log distinguishes.
func causeOf(cause error) error {
	for _, kind := range []error{ErrQueueFull, ErrTooLarge, ErrRefused, ErrUnauthorized, ErrDamaged} {
		if errors.Is(cause, kind) {
			return kind
		}
	}
	return ErrClosed
}

// reportOverflow reports the evaluation events for which there was no room, many at once: recording
// them is on the path of every evaluation.
func (r *reporter) reportOverflow() {
	if n := r.overflowed.Swap(0); n > 0 {
		r.dropped(DropError{Cause: ErrQueueFull, Evaluations: int(n)})
	}
}

// failed reports a request that failed.
func (r *reporter) failed(o outcome, s *schedule, now time.Time, l *ledger) {
	if s.passing() { // it is about the events of this request
		if suppressed, ok := r.limiter.Allow(ratelimit.Cause{Kind: "suspect"}); ok {
			r.log(slog.LevelWarn, "events service refuses some events while it accepts others",
				slog.Any("error", o.err), slog.Int("suppressed", suppressed))
		}
		return
	}
	r.mu.Lock()
	if r.trouble.since.IsZero() {
		r.trouble.since = now
	}
	key := s.keyRefused() && !r.trouble.key
	r.trouble.key = r.trouble.key || key
	r.mu.Unlock()
	switch {
	case key:
		if _, ok := r.limiter.Allow(ratelimit.Cause{Kind: "key"}); !ok {
			return
		}
		r.log(slog.LevelError, "events service refuses the SDK key, events wait and are retried", r.state(o, s, l)...)
	case o.keyRefused && s.rest < time.Second: // one such answer may be about an event
		return
	default:
		suppressed, ok := r.limiter.Allow(ratelimit.Cause{Kind: "failed"})
		if !ok {
			return
		}
		attributes := r.state(o, s, l)
		if suppressed > 0 {
			attributes = append(attributes, slog.Int("suppressed", suppressed))
		}
		r.log(slog.LevelWarn, "sending events failed, will retry", attributes...)
	}
	r.mu.Lock()
	r.trouble.logged = true
	r.mu.Unlock()
}

// state is what an operator wants to know of an outage.
func (r *reporter) state(o outcome, s *schedule, l *ledger) []slog.Attr {
	stats := l.stats()
	return []slog.Attr{
		slog.Any("error", logtext.Error(o.err)), slog.Duration("retryIn", s.rest),
		slog.Uint64("waiting", stats.Waiting), slog.Uint64("evaluationsWaiting", stats.EvaluationEvents.Waiting),
	}
}

// accepted reports the end of trouble that the log knows of, and what was lost in it since the last
// line.
func (r *reporter) accepted(l *ledger) {
	r.mu.Lock()
	over := r.trouble
	r.trouble = trouble{}
	r.mu.Unlock()
	if !over.logged {
		return
	}
	r.logLost(ErrQueueFull, ErrQueueFull)
	stats := l.stats()
	r.log(slog.LevelInfo, "events are delivered again",
		slog.Duration("after", time.Since(over.since).Round(time.Millisecond)),
		slog.Uint64("waiting", stats.Waiting), slog.Uint64("evaluationsWaiting", stats.EvaluationEvents.Waiting))
}

// stalled reports a request that has no answer yet.
func (r *reporter) stalled() {
	if _, ok := r.limiter.Allow(ratelimit.Cause{Kind: "stalled"}); ok {
		r.log(slog.LevelWarn, "events service has not answered a request yet", slog.Duration("after", stallTimeout))
		r.mu.Lock()
		defer r.mu.Unlock()
		r.trouble.logged = true
		if r.trouble.since.IsZero() {
			r.trouble.since = time.Now().Add(-stallTimeout)
		}
	}
}

// ended logs the losses that the rate limit has kept back.
func (r *reporter) ended() {
	r.reportOverflow()
	for _, kind := range []error{ErrQueueFull, ErrTooLarge, ErrRefused, ErrUnauthorized, ErrDamaged, ErrClosed} {
		r.logLost(kind, kind)
	}
}

func (r *reporter) log(level slog.Level, message string, attributes ...slog.Attr) {
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
