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

// timeToAnswer is the part of an invocation's time that Handle leaves to the platform for sending
// the response.
const timeToAnswer = 100 * time.Millisecond

// Event is the input of an invocation.
type Event struct {
	UserID string
	Total  float64
}

// Response is the result of an invocation.
type Response struct {
	Discount float64
}

// Function is the state of a process between invocations. Platforms start many such processes,
// freeze each after its response, and may never resume it, so events that are not delivered by then
// may be lost.
type Function struct {
	provider *launchdarkly.Provider
	flags    *openfeature.Client
	logger   *slog.Logger
}

// NewFunction performs the cold start. If flags are not available within the timeout, the function
// serves default values.
func NewFunction(ctx context.Context, sdkKey string, config ld.Config, logger *slog.Logger) (*Function, error) {
	// Invocations take seconds. With these settings, requests on a connection that broke while the
	// process was frozen time out after 3 seconds instead of 30, and retries start early.
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
		logger.WarnContext(ctx, "feature flags are not ready", slog.Any("error", err))
	}
	return &Function{provider: provider, flags: openfeature.NewDefaultClient(), logger: logger}, nil
}

// Handle serves one invocation, and delivers tracked events before it returns.
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

// deliver flushes within the remaining time of the invocation. It logs undelivered events, which
// stay in the queue: if the process is resumed, the next invocation delivers them.
func (f *Function) deliver(ctx context.Context) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-timeToAnswer))
		defer cancel()
	}
	err := f.provider.Flush(ctx)
	if undelivered, ok := errors.AsType[*delivery.UndeliveredError](err); ok {
		f.logger.ErrorContext(ctx, "events not delivered before freeze",
			slog.Int("events", undelivered.Events), slog.Any("cause", undelivered.Cause))
	} else if err != nil {
		f.logger.ErrorContext(ctx, "flush failed", slog.Any("error", err))
	}
}
