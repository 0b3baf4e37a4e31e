package soak

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/open-feature/go-sdk/openfeature"

	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/suite"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// await waits for d, or until over ends.
func await(over context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-over.Done():
	}
}

// between returns a random duration between shortest and longest.
func between(random *rand.Rand, shortest, longest time.Duration) time.Duration {
	return shortest + time.Duration(random.Int64N(int64(longest-shortest)))
}

// fragile reports whether a flag is deleted or malformed at times.
func fragile(flag string) bool { return flag == stringFlag || flag == objectFlag }

// streams changes flags, and interrupts or refuses streams.
func (w *world) streams(over context.Context, random *rand.Rand) {
	for over.Err() == nil {
		place := random.IntN(places)
		box := w.boxes[place]
		switch random.IntN(12) {
		case 0:
			w.faults.add("streams cut")
			box.DropStreams()
		case 1:
			w.faults.add("streams refused")
			status := []int{http.StatusServiceUnavailable, http.StatusInternalServerError, http.StatusTooManyRequests}
			box.RefuseStreams(status[random.IntN(len(status))], launchdarklytest.Times(1+random.IntN(3)))
			box.DropStreams()
		case 2:
			w.faults.add("streams held")
			box.HoldStreams()
			box.DropStreams()
			await(over, between(random, 0, 500*time.Millisecond))
			box.ReleaseStreams()
		case 3:
			w.faults.add("flags deleted")
			box.DeleteFlags(stringFlag, objectFlag)
		case 4:
			w.faults.add("flags broken")
			const none = 7
			box.SetFlags(ldbuilders.NewFlagBuilder(objectFlag).On(true).Variations(ldvalue.Null()).
				FallthroughVariation(none).Build())
		default:
			w.faults.add("flag changes")
			for range 1 + random.IntN(10) {
				w.setFlag(place, flags[random.IntN(len(flags))], random.IntN(4) > 0)
			}
		}
		await(over, between(random, 0, 100*time.Millisecond))
	}
}

// events makes the events services fail, half of them at a time. Each fault is followed by a pause
// of the same length: a service that always fails would delay a shutdown indefinitely.
func (w *world) events(over context.Context, random *rand.Rand) {
	for over.Err() == nil {
		half := random.IntN(2)
		lasts := between(random, 10*time.Millisecond, 300*time.Millisecond)
		name, fault := someFault(random, half)
		w.faults.add(name)
		for place := half; place < places; place += 2 {
			fault(w.boxes[place])
		}
		await(over, lasts)
		for _, box := range w.boxes {
			acceptEvents(box)
		}
		await(over, lasts)
	}
}

// someFault returns a random fault of an events service. Requests that were accepted and are
// repeated must not be too large then: LaunchDarkly could not recognize their events in other
// requests. So each half of the services has one of the two faults.
func someFault(random *rand.Rand, half int) (string, func(*launchdarklytest.Server)) {
	switch times := 1 + random.IntN(3); random.IntN(6) {
	case 0:
		status := []int{http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusRequestTimeout}[random.IntN(3)]
		return "outages", func(box *launchdarklytest.Server) { box.RefuseEvents(status) }
	case 1:
		return "refused requests", func(box *launchdarklytest.Server) {
			box.RefuseEvents(http.StatusServiceUnavailable, launchdarklytest.Times(times))
		}
	case 2:
		return "429s", func(box *launchdarklytest.Server) {
			box.RefuseEvents(http.StatusTooManyRequests, launchdarklytest.RetryAfter(time.Second), launchdarklytest.Times(1))
		}
	case 3:
		delay := between(random, time.Millisecond, 200*time.Millisecond)
		return "delays", func(box *launchdarklytest.Server) { box.DelayEvents(delay) }
	default:
		const largest = 32 << 10 // no event is larger
		most := 2 + random.IntN(50)
		switch {
		case half == 0:
			return "resets", func(box *launchdarklytest.Server) { box.ResetEvents(times) }
		case times == 1:
			return "413s by bytes", func(box *launchdarklytest.Server) { box.LimitEventBytes(largest) }
		default: // at least 2: a tracked event may come with one that makes its context known
			return "413s by events", func(box *launchdarklytest.Server) { box.LimitEvents(most) }
		}
	}
}

// acceptEvents ends all faults of an events service.
func acceptEvents(box *launchdarklytest.Server) {
	box.AcceptEvents()
	box.ResetEvents(0)
	box.DelayEvents(0)
	box.LimitEvents(0)
	box.LimitEventBytes(0)
}

// replacements replaces and flushes providers.
func (w *world) replacements(over context.Context, random *rand.Rand) {
	for over.Err() == nil {
		switch random.IntN(8) {
		case 0, 1:
			w.faults.add("replacements")
			w.register(w.another(random))
		case 2:
			w.faults.add("fresh providers")
			p := w.newProvider(fresh)
			w.providers = append(w.providers, p)
			w.register(p)
		case 3:
			w.faults.add("shutdowns")
			w.explain("shutdown", w.current.Provider.ShutdownWithContext(waiting()), false)
			await(over, between(random, 0, 50*time.Millisecond))
			w.register(w.another(random))
		case 4:
			w.faults.add("flushes")
			w.flush(waiting(), w.current)
		default:
			w.faults.add("hasty flushes")
			w.flush(suite.Within(between(random, 0, 20*time.Millisecond)), w.current)
		}
		await(over, between(random, 50*time.Millisecond, 500*time.Millisecond))
	}
}

// another returns a provider that is not registered, but may have been. It never returns the
// current one: in OpenFeature's SDK 1.20.0, Shutdown never returns after a provider was registered
// twice and then replaced.
func (w *world) another(random *rand.Rand) *provider {
	next := w.providers[random.IntN(borrowed+1)]
	if next == w.current {
		return w.providers[(slices.Index(w.providers, next)+1)%(borrowed+1)]
	}
	return next
}

// register replaces the current provider, and waits until that is shut down: OpenFeature does not
// wait, and could shut down a provider that has been registered again.
func (w *world) register(next *provider) {
	previous := w.current
	w.current = next
	err := w.api.SetProviderAndWait(waiting(), next)
	if err != nil && !errors.Is(err, ld.ErrInitializationTimeout) {
		w.ledger.problem("registration: %v", err)
	}
	w.explain("shutdown by OpenFeature", <-previous.shutdowns, false)
}

var _ openfeature.ContextAwareStateHandler = (*provider)(nil)
