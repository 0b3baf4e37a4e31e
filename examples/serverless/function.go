package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
)

// timeToAnswer is what Handle leaves of an invocation's time for what the platform does after it has returned.
const timeToAnswer = 100 * time.Millisecond

// Event is what an invocation is about.
type Event struct {
	UserID string
	Total  float64
}

// Response is what an invocation answers.
type Response struct {
	Discount float64
}

// Function is what a process keeps from one invocation to the next. Platforms start many such processes, freeze each after
// its answer, and may never wake it up again: what is not delivered by then may be lost.
type Function struct {
	provider *launchdarkly.Provider
	flags    *openfeature.Client
	logger   *slog.Logger
}

// NewFunction is the cold start. A function whose flags come late answers with defaults, rather than not at all.
func NewFunction(ctx context.Context, sdkKey string, config ld.Config, logger *slog.Logger) (*Function, error) {
	// An invocation has seconds. A connection that died while the process was frozen is given up after a few of them, not
	// after 30; and what failed is tried again soon.
	config.Events = delivery.Lossless(ldcomponents.SendEvents(),
		delivery.WithRequestTimeout(3*time.Second),
		delivery.WithBackoff(50*time.Millisecond, 200*time.Millisecond),
	)
	provider, err := launchdarkly.NewProvider(sdkKey,
		launchdarkly.WithConfig(config),
		launchdarkly.WithLogger(logger),
		launchdarkly.WithInitTimeout(2*time.Second),
	)
	if err != nil {
		return nil, err
	}
	if err := openfeature.SetProviderWithContextAndWait(ctx, provider); err != nil {
		logger.WarnContext(ctx, "no feature flags yet", slog.Any("error", err))
	}
	return &Function{provider: provider, flags: openfeature.NewDefaultClient(), logger: logger}, nil
}

// Handle serves one invocation, and delivers what it has tracked before it returns.
func (f *Function) Handle(ctx context.Context, event Event) (Response, error) {
	defer f.deliver(ctx) // also after an error
	if event.UserID == "" {
		return Response{}, errors.New("the event has no user")
	}

	user := openfeature.NewEvaluationContext(event.UserID, nil)
	discount := f.flags.Float(ctx, "discount", 0, user)
	f.flags.Track(ctx, "purchase", user, openfeature.NewTrackingEventDetails(event.Total*(1-discount)))
	return Response{Discount: discount}, nil
}

// deliver flushes within the time that the invocation has left. What it can't deliver is told, and stays in the queue: if
// the process is woken up again, the next invocation delivers it.
func (f *Function) deliver(ctx context.Context) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-timeToAnswer))
		defer cancel()
	}
	err := f.provider.Flush(ctx)
	if undelivered, ok := errors.AsType[*delivery.UndeliveredError](err); ok {
		f.logger.ErrorContext(ctx, "frozen with undelivered events",
			slog.Int("events", undelivered.Events), slog.Any("cause", undelivered.Cause))
	} else if err != nil {
		f.logger.ErrorContext(ctx, "flush failed", slog.Any("error", err))
	}
}
