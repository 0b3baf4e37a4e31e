package delivery

import (
	"errors"
	"fmt"
)

// Why custom events are dropped. A [DropError] matches one of these.
var (
	// ErrQueueFull is an event for which there was no room.
	ErrQueueFull = errors.New("the queue of tracked events is full")
	// ErrTooLarge is an event that is larger than the queue or than the events service allows for a request.
	ErrTooLarge = errors.New("the tracked event is too large")
	// ErrRefused is what the events service refuses for good: a request that was answered with a status that another
	// attempt won't change, or an event that is not valid JSON, such as one with a metric value of NaN, or with text that
	// is not UTF-8 where the service minds.
	ErrRefused = errors.New("not acceptable to the events service")
	// ErrUnauthorized is the end of delivery after the status 401 or 403: the SDK key is not valid, or no longer.
	ErrUnauthorized = errors.New("the events service refused the SDK key")
	// ErrClosed is an event that came after Shutdown, or that Shutdown's deadline left undelivered.
	ErrClosed = errors.New("event delivery is shut down")
)

// DropError reports custom events that will not be delivered.
type DropError struct {
	// Cause is one of this package's errors, possibly with more words.
	Cause error
	// Events is how many custom events were dropped, at least 1.
	Events int
	// EventName is the key of the event where it is a single one.
	EventName string
}

// Error says how many events were dropped, and why. It never holds any of their data.
func (e *DropError) Error() string {
	if e.EventName != "" {
		return fmt.Sprintf("tracked event %q dropped: %v", e.EventName, e.Cause)
	}
	return fmt.Sprintf("%s dropped: %v", trackedEvents(e.Events), e.Cause)
}

// Unwrap gives the cause.
func (e *DropError) Unwrap() error { return e.Cause }

// UndeliveredError reports that a flush ended before everything was delivered.
type UndeliveredError struct {
	// Events is how many custom events that were recorded before the flush are not delivered: they still wait, or
	// were dropped in the meantime.
	Events int
	// Evaluations is true where evaluation events are not known to be delivered.
	Evaluations bool
	// Cause is why the flush ended, such as context.DeadlineExceeded, or why events were dropped meanwhile.
	Cause error
}

// Error says how many events are not delivered.
func (e *UndeliveredError) Error() string {
	what, are := trackedEvents(e.Events), "are"
	switch {
	case e.Evaluations && e.Events == 0:
		what = "evaluation events"
	case e.Evaluations:
		what += " and evaluation events"
	case e.Events == 1:
		are = "is"
	}
	what += " " + are + " not delivered"
	if e.Cause == nil {
		return what
	}
	return fmt.Sprintf("%s: %v", what, e.Cause)
}

func trackedEvents(n int) string {
	if n == 1 {
		return "1 tracked event"
	}
	return fmt.Sprintf("%d tracked events", n)
}

// Unwrap gives the cause.
func (e *UndeliveredError) Unwrap() error { return e.Cause }

// Stats counts custom events since the processor was made. At any time,
// Tracked = Delivered + Waiting + Dropped.Total().
type Stats struct {
	// Tracked is how many custom events were recorded.
	Tracked uint64
	// Delivered is how many the events service has accepted.
	Delivered uint64
	// Waiting is how many are in the queue or in the current request.
	Waiting uint64
	// WaitingBytes is how many bytes those count for, by the measure of WithMaxBytes.
	WaitingBytes uint64
	// Dropped is how many will never be delivered, by cause.
	Dropped Dropped
	// Requests is how many requests with custom events were accepted.
	Requests uint64
	// Retries is how many attempts at such requests failed and were, or will be, followed by another.
	Retries uint64
	// Evaluations is how many evaluation, identify and migration events were handed to LaunchDarkly's own processor,
	// which sums most of them up. It does not tell how many of them it loses.
	Evaluations uint64
}

// Plus adds up the counters of two processors.
func (s Stats) Plus(t Stats) Stats {
	return Stats{
		Tracked:      s.Tracked + t.Tracked,
		Delivered:    s.Delivered + t.Delivered,
		Waiting:      s.Waiting + t.Waiting,
		WaitingBytes: s.WaitingBytes + t.WaitingBytes,
		Dropped: Dropped{
			QueueFull:    s.Dropped.QueueFull + t.Dropped.QueueFull,
			TooLarge:     s.Dropped.TooLarge + t.Dropped.TooLarge,
			Refused:      s.Dropped.Refused + t.Dropped.Refused,
			Unauthorized: s.Dropped.Unauthorized + t.Dropped.Unauthorized,
			Closed:       s.Dropped.Closed + t.Dropped.Closed,
		},
		Requests:    s.Requests + t.Requests,
		Retries:     s.Retries + t.Retries,
		Evaluations: s.Evaluations + t.Evaluations,
	}
}

// Dropped counts custom events by why they were dropped.
type Dropped struct {
	QueueFull    uint64 // ErrQueueFull
	TooLarge     uint64 // ErrTooLarge
	Refused      uint64 // ErrRefused
	Unauthorized uint64 // ErrUnauthorized
	Closed       uint64 // ErrClosed
}

// Total sums up all causes.
func (d Dropped) Total() uint64 {
	return d.QueueFull + d.TooLarge + d.Refused + d.Unauthorized + d.Closed
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
	default:
		d.Closed += n
	}
}
