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

// reporter logs failures, rate-limited, and calls the error handlers for all dropped events. It is
// safe for concurrent use. It calls handlers without holding its lock.
type reporter struct {
	settings   settings
	limiter    ratelimit.Limiter
	overflowed atomic.Int64 // evaluations dropped because the queue was full, not reported yet

	mu        sync.Mutex
	observers []*observation       // copy on write
	unlogged  map[error]lostEvents // by cause, since the last line about it
	incident  incident
}

// lostEvents counts dropped events by group.
type lostEvents struct{ tracked, evaluations int }

// incident is a period in which requests fail.
type incident struct {
	since     time.Time // zero if there is none
	logged    bool      // whether it was logged, so that its end is logged, too
	keyLogged bool      // whether the log reports that the SDK key is refused
}

// observation holds the arguments of a call of Observe.
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

// dropped calls the error handlers, and logs the loss.
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

// logDropped logs the events dropped since the last line about the cause, unless the rate limit
// defers that.
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

// logLost logs the deferred losses of a kind, if there are any.
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

// causeOf returns the sentinel error that cause matches.
func causeOf(cause error) error {
	for _, kind := range []error{ErrQueueFull, ErrTooLarge, ErrRefused, ErrUnauthorized, ErrDamaged} {
		if errors.Is(cause, kind) {
			return kind
		}
	}
	return ErrClosed
}

// reportOverflow reports the evaluations that were dropped because the queue was full. It reports
// them together and later, because recording is on the path of every evaluation.
func (r *reporter) reportOverflow() {
	if n := r.overflowed.Swap(0); n > 0 {
		r.dropped(DropError{Cause: ErrQueueFull, Evaluations: int(n)})
	}
}

// failed logs a failed request.
func (r *reporter) failed(o outcome, s *schedule, now time.Time, l *ledger) {
	if s.passing() && s.available() && !o.tooLarge { // others pass, so it is about this request's events
		if suppressed, ok := r.limiter.Allow(ratelimit.Cause{Kind: "suspect"}); ok {
			r.log(slog.LevelWarn, "events service refuses some events while it accepts others",
				slog.Any("error", o.err), slog.Int("suppressed", suppressed))
		}
		return
	}
	r.mu.Lock()
	if r.incident.since.IsZero() {
		r.incident.since = now
	}
	key := s.keyRefused() && !r.incident.keyLogged
	r.incident.keyLogged = r.incident.keyLogged || key
	r.mu.Unlock()
	switch {
	case key:
		if _, ok := r.limiter.Allow(ratelimit.Cause{Kind: "key"}); !ok {
			return
		}
		r.log(slog.LevelError, "events service refuses the SDK key, events wait and are retried", r.incidentAttributes(o, s, l)...)
	case o.keyRefused && max(s.pause.length, s.suspectPause.length) < time.Second: // a single 401 or 403 may be about an event
		return
	default:
		suppressed, ok := r.limiter.Allow(ratelimit.Cause{Kind: "failed"})
		if !ok {
			return
		}
		attributes := r.incidentAttributes(o, s, l)
		if suppressed > 0 {
			attributes = append(attributes, slog.Int("suppressed", suppressed))
		}
		r.log(slog.LevelWarn, "sending events failed, will retry", attributes...)
	}
	r.mu.Lock()
	r.incident.logged = true
	r.mu.Unlock()
}

// incidentAttributes returns the attributes of log lines about an incident.
func (r *reporter) incidentAttributes(o outcome, s *schedule, l *ledger) []slog.Attr {
	stats := l.stats()
	return []slog.Attr{
		slog.Any("error", logtext.Error(o.err)), slog.Duration("retryIn", max(s.pause.length, s.suspectPause.length)),
		slog.Uint64("waiting", stats.Waiting), slog.Uint64("evaluationsWaiting", stats.EvaluationEvents.Waiting),
	}
}

// accepted logs the end of an incident that was logged, and the events dropped during it that were
// not.
func (r *reporter) accepted(l *ledger) {
	r.mu.Lock()
	ended := r.incident
	r.incident = incident{}
	r.mu.Unlock()
	if !ended.logged {
		return
	}
	r.logLost(ErrQueueFull, ErrQueueFull)
	stats := l.stats()
	r.log(slog.LevelInfo, "events are delivered again",
		slog.Duration("after", time.Since(ended.since).Round(time.Millisecond)),
		slog.Uint64("waiting", stats.Waiting), slog.Uint64("evaluationsWaiting", stats.EvaluationEvents.Waiting))
}

// stalled records a request without a response. It returns a function that logs it.
func (r *reporter) stalled() (log func()) {
	if _, ok := r.limiter.Allow(ratelimit.Cause{Kind: "stalled"}); !ok {
		return func() {}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.incident.logged = true
	if r.incident.since.IsZero() {
		r.incident.since = time.Now().Add(-stallTimeout)
	}
	return func() {
		r.log(slog.LevelWarn, "events service has not answered a request yet", slog.Duration("after", stallTimeout))
	}
}

// ended logs all losses that the rate limit deferred.
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
				logger = nil // the observer's logger replaces the default one
			}
		}
	}
	if logger != nil {
		logger.LogAttrs(context.Background(), level, message, attributes...)
	}
}
