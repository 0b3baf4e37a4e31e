package launchdarkly

import (
	"slices"
	"sync"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
)

// Stats counts tracked events since the provider was made, over all of its registrations. At any time that nothing is
// being tracked, Tracked = Delivered + Waiting + HandedOver + Dropped.Total().
type Stats struct {
	// Tracked is how many events were tracked, with Track or with LaunchDarkly's client.
	Tracked uint64
	// Delivered is how many of them LaunchDarkly has accepted.
	Delivered uint64
	// Waiting is how many wait for delivery or are being delivered.
	Waiting uint64
	// WaitingBytes is how many bytes those count for, by the measure of delivery.WithMaxBytes.
	WaitingBytes uint64
	// HandedOver is how many went to an event processor other than that of delivery.Lossless, which does not tell what
	// becomes of them.
	HandedOver uint64
	// Dropped is how many will never be delivered, by cause.
	Dropped Dropped
	// Requests is how many requests with tracked events LaunchDarkly accepted.
	Requests uint64
	// Retries is how many attempts at such requests failed and were, or will be, followed by another.
	Retries uint64
	// Evaluations is how many evaluation and identify events were recorded. LaunchDarkly's SDK sums most of them up,
	// and does not tell how many it loses.
	Evaluations uint64
}

// Dropped counts tracked events by why they were dropped.
type Dropped struct {
	EmptyEventName uint64 // ErrEmptyEventName
	InvalidContext uint64 // ErrInvalidContext, ErrTargetingKeyMissing
	EventsOff      uint64 // the configuration turns events off, or is offline
	delivery.Dropped
}

// Total sums up all causes.
func (d Dropped) Total() uint64 {
	return d.EmptyEventName + d.InvalidContext + d.EventsOff + d.Dropped.Total()
}

// Stats returns the counters. It is cheap enough to be called often.
func (p *Provider) Stats() Stats {
	delivered := p.accounts.sum()
	stats := Stats{
		Delivered:    delivered.Delivered,
		Waiting:      delivered.Waiting,
		WaitingBytes: delivered.WaitingBytes,
		HandedOver:   p.tracked.handedOver.Load(),
		Dropped:      Dropped{Dropped: delivered.Dropped},
		Requests:     delivered.Requests,
		Retries:      delivered.Retries,
		Evaluations:  delivered.Evaluations,
	}
	stats.Dropped.EmptyEventName = p.tracked.emptyName.Load()
	stats.Dropped.InvalidContext = p.tracked.invalidContext.Load()
	stats.Dropped.EventsOff = p.tracked.eventsOff.Load()
	closed := p.tracked.closed.Load()
	stats.Dropped.Closed += closed
	stats.Tracked = delivered.Tracked + stats.HandedOver + closed +
		stats.Dropped.EmptyEventName + stats.Dropped.InvalidContext + stats.Dropped.EventsOff
	return stats
}

// accounts are those of all event processors that the provider has had. Its zero value is ready, and it is safe for
// concurrent use.
type accounts struct {
	mu         sync.Mutex
	processors []*delivery.Processor
	past       delivery.Stats // of earlier ones, which have ended
}

// add takes in the processor of a session that begins, unless it is that of the session before: an application's client
// keeps its own. All others have ended, or are about to; those that have leave only their numbers.
func (a *accounts) add(p *delivery.Processor) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p == nil || slices.Contains(a.processors, p) {
		return
	}
	a.processors = slices.DeleteFunc(a.processors, func(earlier *delivery.Processor) bool {
		if !earlier.Ended() {
			return false
		}
		a.past = a.past.Plus(earlier.Stats())
		return true
	})
	a.processors = append(a.processors, p)
}

func (a *accounts) sum() delivery.Stats {
	a.mu.Lock()
	defer a.mu.Unlock()
	sum := a.past
	for _, p := range a.processors {
		sum = sum.Plus(p.Stats())
	}
	return sum
}
