package launchdarkly

import (
	"slices"
	"sync"
	"time"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
)

// Stats counts events since the provider was made, over all of its registrations. Its own fields
// are about tracked events, those of EvaluationEvents about all others. At rest, for tracked
// events, Tracked + Adopted = Delivered + Waiting + HandedOver + SampledOut + OnDisk +
// Dropped.Total().
type Stats struct {
	// Tracked is the number of events that were tracked, with Track or with LaunchDarkly's client.
	Tracked uint64
	// Adopted is the number of tracked events read from spool segments that earlier processes left
	// behind.
	Adopted uint64
	// Delivered is the number of tracked events that the first hop accepted: LaunchDarkly's events
	// service, or a Relay Proxy in front of it.
	Delivered uint64
	// Waiting is the number of tracked events that wait for delivery or are being delivered.
	Waiting uint64
	// WaitingBytes is the number of bytes that those hold, by the measure of delivery.WithMaxBytes.
	WaitingBytes uint64
	// HandedOver is the number of tracked events passed to an event processor other than that of
	// delivery.Lossless, which does not report what becomes of them.
	HandedOver uint64
	// SampledOut is the number of tracked events that LaunchDarkly's sampling ratios leave out.
	SampledOut uint64
	// OnDisk is the number of tracked events that a shutdown left in the spool for a later process.
	OnDisk uint64
	// Dropped is the number of tracked events that will never be delivered, by cause.
	Dropped Dropped
	// Requests is the number of requests that the first hop accepted.
	Requests uint64
	// Retries is the number of attempts at requests that failed.
	Retries uint64
	// Repeated is the number of events that were sent again under another payload ID after an
	// ambiguous failure, so that they may have been delivered twice.
	Repeated uint64
	// SpoolFailures is the number of times that the spool could not be written or read. Meanwhile,
	// events wait in memory.
	SpoolFailures uint64
	// OldestWaiting is the time since the oldest waiting event was recorded, 0 where nothing waits.
	OldestWaiting time.Duration
	// Evaluations is the number of evaluation, identify and migration events that were recorded.
	Evaluations uint64
	// EvaluationEvents counts all events other than tracked ones: evaluation, identify and
	// migration events, and the index, debug and summary events that LaunchDarkly's SDK derives.
	EvaluationEvents delivery.EventCounts
}

// Dropped counts tracked events by why they were dropped.
type Dropped struct {
	EmptyEventName uint64 // ErrEmptyEventName, or a name that is ErrTooLarge
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
		Adopted:          delivered.Adopted,
		Delivered:        delivered.Delivered,
		Waiting:          delivered.Waiting,
		WaitingBytes:     delivered.WaitingBytes,
		HandedOver:       p.tracked.handedOver.Load(),
		SampledOut:       delivered.SampledOut,
		OnDisk:           delivered.OnDisk,
		Dropped:          Dropped{Dropped: delivered.Dropped},
		Requests:         delivered.Requests,
		Retries:          delivered.Retries,
		Repeated:         delivered.Repeated,
		SpoolFailures:    delivered.SpoolFailures,
		OldestWaiting:    delivered.OldestWaiting,
		Evaluations:      delivered.Evaluations,
		EvaluationEvents: delivered.EvaluationEvents,
	}
	stats.Dropped.EmptyEventName = p.tracked.badName.Load()
	stats.Dropped.InvalidContext = p.tracked.invalidContext.Load()
	stats.Dropped.EventsOff = p.tracked.eventsOff.Load()
	closed := p.tracked.closed.Load()
	stats.Dropped.Closed += closed
	stats.Tracked = delivered.Tracked + stats.HandedOver + closed +
		stats.Dropped.EmptyEventName + stats.Dropped.InvalidContext + stats.Dropped.EventsOff
	return stats
}

// accounts are those of all event processors that the provider has had. Its zero value is ready,
// and it is safe for concurrent use.
type accounts struct {
	mu         sync.Mutex
	processors []*delivery.Processor
	past       delivery.Stats // of earlier ones, which have ended
}

// add takes in the processor of a session that begins, unless it is that of the session before: an
// application's client keeps its own. All others have ended, or are about to; those that have leave
// only their numbers.
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
