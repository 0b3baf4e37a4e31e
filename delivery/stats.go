package delivery

import (
	"errors"
	"time"
)

// Stats counts events since the processor was created. Its own fields count custom events, and
// those of EvaluationEvents count all others. For custom events, Tracked + Adopted is always
// Delivered + Waiting + SampledOut + OnDisk + Dropped.Total().
type Stats struct {
	// Tracked is the number of custom events recorded.
	Tracked uint64
	// Adopted is the number of custom events read from spool segments that earlier processes left
	// behind.
	Adopted uint64
	// Delivered is the number of events that the first hop accepted with a 2xx status:
	// LaunchDarkly's events service, or a Relay Proxy in front of it.
	Delivered uint64
	// Waiting is the number of events in the queue, in the store, or in the current request.
	Waiting uint64
	// WaitingBytes is the number of bytes of these events, counted as for [WithMaxBytes], or the size
	// of their JSON if they are in the spool.
	WaitingBytes uint64
	// SampledOut is the number of events that LaunchDarkly's sampling ratios leave out.
	SampledOut uint64
	// OnDisk is the number of events that Shutdown left in the spool for a later process.
	OnDisk uint64
	// Dropped is the number of events that will never be delivered, by cause.
	Dropped Dropped
	// Requests is the number of accepted requests, with events of either group.
	Requests uint64
	// Retries is the number of failed attempts to send a request.
	Retries uint64
	// Repeated is the number of events that were sent again under another payload ID after an
	// ambiguous failure, so that they may have been delivered twice.
	Repeated uint64
	// SpoolFailures is the number of times that the spool could not be written or read. Meanwhile,
	// events wait in memory.
	SpoolFailures uint64
	// OldestWaiting is the time since the oldest waiting event was recorded, or 0 if none waits.
	OldestWaiting time.Duration
	// Evaluations is the number of evaluation, identify and migration events recorded.
	Evaluations uint64
	// EvaluationEvents counts evaluation, identify and migration events, and the index, debug and
	// summary events that LaunchDarkly's SDK derives from all events.
	EvaluationEvents EventCounts
}

// EventCounts counts events. Recorded + Adopted is always Delivered + Waiting + SampledOut + OnDisk
// + Dropped.Total().
type EventCounts struct {
	Recorded     uint64 // recorded by the SDK, or derived from recorded events
	Adopted      uint64 // read from spool segments that earlier processes left behind
	Delivered    uint64 // accepted by the first hop
	Waiting      uint64 // in the queue, in the store, or in the current request
	WaitingBytes uint64 // the bytes of these events, counted as those of Stats
	SampledOut   uint64 // left out by LaunchDarkly's sampling ratios
	OnDisk       uint64 // left in the spool for a later process
	Dropped      Dropped
}

// Plus returns the sums of the counters of two processors, and the greater age.
func (s Stats) Plus(t Stats) Stats {
	return Stats{
		Tracked:       s.Tracked + t.Tracked,
		Adopted:       s.Adopted + t.Adopted,
		Delivered:     s.Delivered + t.Delivered,
		Waiting:       s.Waiting + t.Waiting,
		WaitingBytes:  s.WaitingBytes + t.WaitingBytes,
		SampledOut:    s.SampledOut + t.SampledOut,
		OnDisk:        s.OnDisk + t.OnDisk,
		Dropped:       s.Dropped.plus(t.Dropped),
		Requests:      s.Requests + t.Requests,
		Retries:       s.Retries + t.Retries,
		Repeated:      s.Repeated + t.Repeated,
		SpoolFailures: s.SpoolFailures + t.SpoolFailures,
		OldestWaiting: max(s.OldestWaiting, t.OldestWaiting),
		Evaluations:   s.Evaluations + t.Evaluations,
		EvaluationEvents: EventCounts{
			Recorded:     s.EvaluationEvents.Recorded + t.EvaluationEvents.Recorded,
			Adopted:      s.EvaluationEvents.Adopted + t.EvaluationEvents.Adopted,
			Delivered:    s.EvaluationEvents.Delivered + t.EvaluationEvents.Delivered,
			Waiting:      s.EvaluationEvents.Waiting + t.EvaluationEvents.Waiting,
			WaitingBytes: s.EvaluationEvents.WaitingBytes + t.EvaluationEvents.WaitingBytes,
			SampledOut:   s.EvaluationEvents.SampledOut + t.EvaluationEvents.SampledOut,
			OnDisk:       s.EvaluationEvents.OnDisk + t.EvaluationEvents.OnDisk,
			Dropped:      s.EvaluationEvents.Dropped.plus(t.EvaluationEvents.Dropped),
		},
	}
}

// Dropped counts events by why they were dropped.
type Dropped struct {
	QueueFull    uint64 // ErrQueueFull
	TooLarge     uint64 // ErrTooLarge
	Refused      uint64 // ErrRefused
	Unauthorized uint64 // ErrUnauthorized
	Damaged      uint64 // ErrDamaged
	Closed       uint64 // ErrClosed
}

// Total returns the sum of all causes.
func (d Dropped) Total() uint64 {
	return d.QueueFull + d.TooLarge + d.Refused + d.Unauthorized + d.Damaged + d.Closed
}

func (d Dropped) plus(e Dropped) Dropped {
	return Dropped{
		QueueFull:    d.QueueFull + e.QueueFull,
		TooLarge:     d.TooLarge + e.TooLarge,
		Refused:      d.Refused + e.Refused,
		Unauthorized: d.Unauthorized + e.Unauthorized,
		Damaged:      d.Damaged + e.Damaged,
		Closed:       d.Closed + e.Closed,
	}
}

// add counts n events that were dropped for the cause.
func (d *Dropped) add(cause error, n uint64) {
	switch {
	case errors.Is(cause, ErrQueueFull):
		d.QueueFull += n
	case errors.Is(cause, ErrTooLarge):
		d.TooLarge += n
	case errors.Is(cause, ErrRefused):
		d.Refused += n
	case errors.Is(cause, ErrUnauthorized):
		d.Unauthorized += n
	case errors.Is(cause, ErrDamaged):
		d.Damaged += n
	default:
		d.Closed += n
	}
}
