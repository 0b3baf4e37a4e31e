package launchdarkly

import (
	"slices"
	"sync"
	"time"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
)

// Stats counts events since the provider was created, over all of its registrations. Its own fields
// count tracked events, EvaluationEvents counts all others. When nothing is being tracked,
//
//	Tracked + Adopted = Delivered + Waiting + HandedOver + SampledOut + OnDisk + Dropped.Total()
type Stats struct {
	// Tracked is the number of events tracked by Track or by LaunchDarkly's client.
	Tracked uint64
	// Adopted is the number of tracked events read from the spool of a process that has ended.
	Adopted uint64
	// Delivered is the number of tracked events that the first hop accepted: LaunchDarkly's events
	// service, or a Relay Proxy in front of it.
	Delivered uint64
	// Waiting is the number of tracked events that are queued, including those being sent.
	Waiting uint64
	// WaitingBytes is the size of those events in bytes, as limited by delivery.WithMaxBytes.
	WaitingBytes uint64
	// HandedOver is the number of tracked events passed to an event processor other than that of
	// delivery.Lossless. Their delivery is unknown.
	HandedOver uint64
	// SampledOut is the number of tracked events that LaunchDarkly's sampling ratios exclude.
	SampledOut uint64
	// OnDisk is the number of tracked events that a shutdown left in the spool for a later process.
	OnDisk uint64
	// Dropped is the number of tracked events that are lost, by cause.
	Dropped Dropped
	// Requests is the number of requests that the first hop accepted.
	Requests uint64
	// Retries is the number of failed attempts to send a request.
	Retries uint64
	// Repeated is the number of events sent again under another payload ID after an ambiguous
	// failure. They may have been delivered twice.
	Repeated uint64
	// SpoolFailures is the number of failed reads and writes of the spool. Meanwhile, events are
	// kept in memory.
	SpoolFailures uint64
	// OldestWaiting is the age of the oldest queued event, or 0 if the queue is empty.
	OldestWaiting time.Duration
	// Evaluations is the number of evaluation, identify and migration events recorded.
	Evaluations uint64
	// EvaluationEvents counts all events except tracked ones: evaluation, identify and migration
	// events, and the index, debug and summary events derived by LaunchDarkly's SDK.
	EvaluationEvents delivery.EventCounts
}

// Dropped counts lost tracked events by cause.
type Dropped struct {
	EmptyEventName uint64 // ErrEmptyEventName, or a name that is ErrTooLarge
	InvalidContext uint64 // ErrInvalidContext, ErrTargetingKeyMissing
	EventsOff      uint64 // the configuration turns events off, or is offline
	delivery.Dropped
}

// Total returns the sum of all causes.
func (d Dropped) Total() uint64 {
	return d.EmptyEventName + d.InvalidContext + d.EventsOff + d.Dropped.Total()
}

// Stats returns the counters. It is cheap enough to be called every second.
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

// accounts adds up the counters of all event processors of a provider. The zero value is ready for
// use. It is safe for concurrent use.
type accounts struct {
	mu         sync.Mutex
	processors []*delivery.Processor
	past       delivery.Stats // of earlier ones, which have ended
}

// add adds the processor of a new session. An application's client has the same processor in every
// session, so it may have been added already. The counters of processors that have ended are added
// up, and the processors released.
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
