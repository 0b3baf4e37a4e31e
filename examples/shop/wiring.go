package main

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/hooks"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// launchDarkly is the provider and the launchdarklytest server that replaces LaunchDarkly. Only
// this file of the shop depends on them. A shop in production has the provider, the hook and an SDK
// key.
type launchDarkly struct {
	testServer *launchdarklytest.Server
	provider   *launchdarkly.Provider
	refusing   atomic.Bool
}

var _ backend = (*launchDarkly)(nil)

// connectLaunchDarkly registers the provider with OpenFeature.
func connectLaunchDarkly(logger *slog.Logger) (*launchDarkly, error) {
	testServer := launchdarklytest.NewServer()

	// A rollout: half of the visitors get each checkout, and a visitor always gets the same one.
	half := 50_000 // thousandths of a percent
	testServer.SetFlags(ldbuilders.NewFlagBuilder(newCheckoutFlag).
		On(true).
		Variations(ldvalue.Bool(false), ldvalue.Bool(true)).
		OffVariation(0).
		Fallthrough(ldbuilders.Experiment(ldvalue.NewOptionalInt(1), ldbuilders.Bucket(0, half), ldbuilders.Bucket(1, half))).
		Build())

	// Tracked events are delivered in batches, with retries. The intervals are short so that /live
	// shows changes soon; the defaults suit production.
	config := testServer.Config()
	config.Events = delivery.Lossless(
		ldcomponents.SendEvents().FlushInterval(200*time.Millisecond),
		delivery.WithBackoff(100*time.Millisecond, 400*time.Millisecond),
	)
	provider, err := launchdarkly.NewProvider(testServer.SDKKey(),
		launchdarkly.WithConfig(config),
		launchdarkly.WithLogger(logger),
	)
	if err != nil {
		testServer.Close()
		return nil, err
	}
	l := &launchDarkly{testServer: testServer, provider: provider}
	if err := openfeature.SetProviderAndWait(provider); err != nil {
		ending, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		return nil, errors.Join(err, l.shutdown(ending))
	}

	// The hook tracks an exposure once for each visitor for whom the flag is evaluated. NaN omits
	// the metric value.
	exposures := hooks.NewTrackerSink(provider, hooks.WithTrackingValue(math.NaN()))
	openfeature.AddHooks(hooks.NewEvaluationHook(exposures, hooks.WithValues())) // shown on the page
	return l, nil
}

// shutdown delivers tracked events until the context is done, and stops the provider and the
// server.
func (l *launchDarkly) shutdown(ctx context.Context) error {
	defer l.testServer.Close()
	return openfeature.ShutdownWithContext(ctx)
}

// delivery returns the provider's counts of tracked events.
func (l *launchDarkly) delivery() deliveryCounts {
	stats := l.provider.Stats()
	return deliveryCounts{
		Tracked:   stats.Tracked,
		Delivered: stats.Delivered,
		Waiting:   stats.Waiting,
		Lost:      stats.Dropped.Total(),
	}
}

// received waits until more than after events have been received. It returns the tracked events
// among the new ones, and the number of all events.
func (l *launchDarkly) received(ctx context.Context, after int) ([]event, int, error) {
	if err := l.testServer.WaitForEventCount(ctx, after+1); err != nil {
		return nil, after, err
	}
	all := l.testServer.Events()
	var tracked []event
	for _, e := range all[after:] {
		if e.Kind == launchdarklytest.KindCustom {
			tracked = append(tracked, translate(e))
		}
	}
	return tracked, len(all), nil
}

// translate converts an event for the live page.
func translate(received launchdarklytest.Event) event {
	e := event{
		Name:    received.Key,
		Visitor: received.ContextKeys()["user"],
		Time:    received.CreationDate,
	}
	if received.MetricValue != nil {
		e.Value, e.HasValue = *received.MetricValue, true
	}
	e.Data, _ = received.Data.AsArbitraryValue().(map[string]any)
	return e
}

// accepts reports whether the events service is up.
func (l *launchDarkly) accepts() bool { return !l.refusing.Load() }

// setAccepts starts or stops the events service.
func (l *launchDarkly) setAccepts(up bool) {
	if up {
		l.testServer.AcceptEvents()
	} else {
		l.testServer.RefuseEvents(503)
	}
	l.refusing.Store(!up)
}
