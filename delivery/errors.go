package delivery

import (
	"errors"
	"fmt"
)

// The causes of dropped events. A [DropError] matches one of these with [errors.Is].
var (
	// ErrQueueFull means that there was no room for the event.
	ErrQueueFull = errors.New("the event queue is full")
	// ErrTooLarge means that the event alone is larger than the store, or than the events service
	// accepts.
	ErrTooLarge = errors.New("the event is too large")
	// ErrRefused means that the event has no valid JSON form, such as one with a metric value of
	// NaN, or that requests with this event alone failed repeatedly while others succeeded.
	ErrRefused = errors.New("the event is not acceptable to the events service")
	// ErrUnauthorized means that the events service responds 401 or 403 to every request: the SDK
	// key is not valid, or a proxy rejects it. Events wait and are retried. FlushContext and
	// Shutdown return it.
	ErrUnauthorized = errors.New("the events service refuses the SDK key")
	// ErrDamaged means that the event's record in the spool can no longer be read.
	ErrDamaged = errors.New("the event's record in the spool is damaged")
	// ErrClosed means that the event was recorded after Shutdown, or that Shutdown could not
	// deliver it in time.
	ErrClosed = errors.New("event delivery is shut down")
)

// DropError reports events that will not be delivered.
type DropError struct {
	// Cause matches one of this package's errors.
	Cause error
	// Events is the number of custom events dropped.
	Events int
	// Evaluations is the number of other events dropped: evaluation, identify, migration, index,
	// debug and summary events.
	Evaluations int
	// EventName is the key of the custom event, if it is the only event.
	EventName string
}

// Error returns how many events were dropped, and why, without any of their data.
func (e *DropError) Error() string {
	if e.EventName != "" {
		return fmt.Sprintf("tracked event %q dropped: %v", e.EventName, e.Cause)
	}
	return fmt.Sprintf("%s dropped: %v", describe(e.Events, e.Evaluations), e.Cause)
}

// Unwrap returns the cause.
func (e *DropError) Unwrap() error { return e.Cause }

// UndeliveredError reports that a flush or a shutdown ended before everything was delivered, or
// that events were dropped since the last flush.
type UndeliveredError struct {
	// Events is the number of custom events not delivered: they still wait, or were dropped.
	Events int
	// Evaluations is the number of other events not delivered, counted as in
	// [Stats.EvaluationEvents].
	Evaluations int
	// OnDisk is the number of events, of both groups, that are in the spool and will be delivered
	// by a later process.
	OnDisk int
	// Cause is why the flush ended, such as context.DeadlineExceeded, or why events were dropped.
	Cause error
}

// Error returns how many events are not delivered, and why.
func (e *UndeliveredError) Error() string {
	text := describe(e.Events, e.Evaluations) + " not delivered"
	if e.OnDisk > 0 {
		text += fmt.Sprintf(" (%d on disk, for the next process)", e.OnDisk)
	}
	if e.Cause == nil {
		return text
	}
	return fmt.Sprintf("%s: %v", text, e.Cause)
}

// Unwrap returns the cause.
func (e *UndeliveredError) Unwrap() error { return e.Cause }

// describe returns the numbers of tracked and evaluation events in words.
func describe(tracked, evaluations int) string {
	switch {
	case evaluations == 0:
		return plural(tracked, "tracked event")
	case tracked == 0:
		return plural(evaluations, "evaluation event")
	default:
		return plural(tracked, "tracked event") + " and " + plural(evaluations, "evaluation event")
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
