package launchdarkly

import (
	"context"
	"errors"
	"log/slog"

	"github.com/openfeature-launchdarkly/go-provider/internal/logtext"
	"github.com/openfeature-launchdarkly/go-provider/internal/ratelimit"
)

// reporter logs problems, rate-limited, and passes each to the application's error handler.
type reporter struct {
	logger  *slog.Logger
	onError func(context.Context, error)
	limiter ratelimit.Limiter
}

// evaluation logs the warnings about the input of an evaluation.
func (r *reporter) evaluation(ctx context.Context, flag string, warnings problems) {
	for _, warning := range warnings {
		r.log(ctx, slog.LevelWarn, "evaluation input left out", warning, slog.String("flag", logtext.Cut(flag)))
	}
}

// leftOut reports what is omitted from a tracked event.
func (r *reporter) leftOut(ctx context.Context, eventName string, warnings problems) {
	for _, warning := range warnings {
		r.handle(ctx, &TrackingError{EventName: eventName, Sent: true, Err: warning})
		r.log(ctx, slog.LevelWarn, "tracking input left out", warning, slog.String("event", logtext.Cut(eventName)))
	}
}

// notSent reports why an event is not sent.
func (r *reporter) notSent(ctx context.Context, eventName string, cause error) {
	r.handle(ctx, &TrackingError{EventName: eventName, Err: cause})
	r.log(ctx, slog.LevelError, "tracked event not sent", cause, slog.String("event", logtext.Cut(eventName)))
}

// handle calls the application's error handler.
func (r *reporter) handle(ctx context.Context, err error) {
	if r.onError == nil {
		return
	}
	defer func() {
		if recover() != nil { // its value may hold personal data
			r.log(ctx, slog.LevelError, "error handler panicked", errors.New("panic in the function of WithErrorHandler"))
		}
	}()
	r.onError(ctx, err)
}

// log writes at most one line a minute for each message, cause and attribute. Of an AttributeError,
// it logs the attribute's name only.
func (r *reporter) log(ctx context.Context, level slog.Level, message string, problem error, attributes ...slog.Attr) {
	cause := ratelimit.Cause{Kind: message, Detail: logtext.Cut(problem.Error())}
	attribute, ok := errors.AsType[*AttributeError](problem)
	if ok {
		name := logtext.Cut(attribute.name)
		cause.Kind, cause.Detail = message+attribute.Err.Error(), name
		problem = attribute.Err
		attributes = append(attributes, slog.String("attribute", name))
	}
	suppressed, ok := r.limiter.Allow(cause)
	if !ok {
		return
	}
	attributes = append(attributes, slog.Any("problem", logtext.Error(problem)))
	if suppressed > 0 {
		attributes = append(attributes, slog.Int("suppressed", suppressed))
	}
	r.logger.LogAttrs(ctx, level, message, attributes...)
}
