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

// launchDarkly is LaunchDarkly in a box, and the provider that brings OpenFeature to it. This is the only file of the
// shop that knows them; a shop in production has the provider and the hook, and an SDK key in place of the box.
type launchDarkly struct {
	box      *launchdarklytest.Server
	provider *launchdarkly.Provider
	refusing atomic.Bool
}

var _ backend = (*launchDarkly)(nil)

// connectLaunchDarkly puts LaunchDarkly behind OpenFeature.
func connectLaunchDarkly(logger *slog.Logger) (*launchDarkly, error) {
	box := launchdarklytest.NewServer()

	// Half of the visitors get one checkout, half of them the other, and everybody gets the same each time.
	half := 50_000 // thousandths of a percent
	box.SetFlags(ldbuilders.NewFlagBuilder(newCheckoutFlag).
		On(true).
		Variations(ldvalue.Bool(false), ldvalue.Bool(true)).
		OffVariation(0).
		Fallthrough(ldbuilders.Experiment(ldvalue.NewOptionalInt(1), ldbuilders.Bucket(0, half), ldbuilders.Bucket(1, half))).
		Build())

	// Tracked events are delivered in groups, and tried again when that fails. A shop in production does well with the
	// defaults, which are longer; these are for people who watch.
	config := box.Config()
	config.Events = delivery.Lossless(
		ldcomponents.SendEvents().FlushInterval(200*time.Millisecond),
		delivery.WithBackoff(100*time.Millisecond, 400*time.Millisecond),
	)
	provider, err := launchdarkly.NewProvider(box.SDKKey(),
		launchdarkly.WithConfig(config),
		launchdarkly.WithLogger(logger),
	)
	if err != nil {
		box.Close()
		return nil, err
	}
	l := &launchDarkly{box: box, provider: provider}
	if err := openfeature.SetProviderAndWait(provider); err != nil {
		ending, cancel := context.WithTimeout(context.Background(), goodbye)
		defer cancel()
		return nil, errors.Join(err, l.shutdown(ending))
	}

	// Each visitor that the flag is evaluated for is an exposure, which LaunchDarkly hears of, once. It is no metric:
	// NaN says that it has no value.
	exposures := hooks.NewTrackerSink(provider, hooks.WithTrackingValue(math.NaN()))
	openfeature.AddHooks(hooks.NewEvaluationHook(exposures, hooks.WithValues())) // the page shows the value
	return l, nil
}

// shutdown delivers what is tracked within the context's time, and ends everything.
func (l *launchDarkly) shutdown(ctx context.Context) error {
	defer l.box.Close()
	return openfeature.ShutdownWithContext(ctx)
}

// delivery is what the provider says about tracked events.
func (l *launchDarkly) delivery() deliveryCounts {
	stats := l.provider.Stats()
	return deliveryCounts{
		Tracked:   stats.Tracked,
		Delivered: stats.Delivered,
		Waiting:   stats.Waiting,
		Lost:      stats.Dropped.Total(),
	}
}

// received waits for events beyond the first so many, and returns the tracked ones among them, with how many there are
// now.
func (l *launchDarkly) received(ctx context.Context, after int) ([]event, int, error) {
	if err := l.box.WaitForEventCount(ctx, after+1); err != nil {
		return nil, after, err
	}
	all := l.box.Events()
	var tracked []event
	for _, e := range all[after:] {
		if e.Kind == launchdarklytest.KindCustom {
			tracked = append(tracked, translate(e))
		}
	}
	return tracked, len(all), nil
}

// translate takes from an event what the live page shows.
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

// accepts says whether the events service is up.
func (l *launchDarkly) accepts() bool { return !l.refusing.Load() }

// setAccepts takes the events service up or down.
func (l *launchDarkly) setAccepts(up bool) {
	if up {
		l.box.AcceptEvents()
	} else {
		l.box.RefuseEvents(503)
	}
	l.refusing.Store(!up)
}
