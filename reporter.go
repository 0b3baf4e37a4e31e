package launchdarkly

import (
	"context"
	"errors"
	"log/slog"

	"github.com/openfeature-launchdarkly/go-provider/internal/ratelimit"
)

// reporter tells the log, rarely, and the application's error handler, always, about bad input.
type reporter struct {
	logger  *slog.Logger
	onError func(context.Context, error)
	limiter ratelimit.Limiter
}

// evaluation logs what was wrong with the input of an evaluation.
func (r *reporter) evaluation(ctx context.Context, flag string, warnings []error) {
	for _, warning := range warnings {
		r.warn(ctx, "evaluation input is not as LaunchDarkly needs it", warning, slog.String("flag", flag))
	}
}

// tracking reports what was wrong with a call of Track.
func (r *reporter) tracking(ctx context.Context, eventName string, problems ...error) {
	for _, problem := range problems {
		r.handle(ctx, &TrackingError{EventName: eventName, Err: problem})
		r.warn(ctx, "tracking input is not as LaunchDarkly needs it", problem, slog.String("event", eventName))
	}
}

// handle calls the application's error handler.
func (r *reporter) handle(ctx context.Context, err error) {
	if r.onError == nil {
		return
	}
	defer func() {
		if recover() != nil { // its value may hold personal data
			r.warn(ctx, "the error handler panicked", errors.New("panic in the function of WithErrorHandler"))
		}
	}()
	r.onError(ctx, err)
}

// warn logs at most one line a minute for each message, cause and attribute.
func (r *reporter) warn(ctx context.Context, message string, problem error, attributes ...slog.Attr) {
	cause := ratelimit.Cause{Kind: message, Detail: problem.Error()}
	if attribute, ok := errors.AsType[*AttributeError](problem); ok {
		cause.Kind += attribute.Err.Error()
	}
	suppressed, ok := r.limiter.Allow(cause)
	if !ok {
		return
	}
	attributes = append(attributes, slog.Any("problem", problem))
	if suppressed > 0 {
		attributes = append(attributes, slog.Int("suppressed", suppressed))
	}
	r.logger.LogAttrs(ctx, slog.LevelWarn, message, attributes...)
}
