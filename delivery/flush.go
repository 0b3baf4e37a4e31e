package delivery

import (
	"context"
	"time"
)

// Flush starts to send all recorded events. It does not wait.
func (p *Processor) Flush() { signal(p.formatter.flushes) }

// FlushBlocking calls [Processor.FlushContext] with a timeout, or without one if it is 0, and
// reports whether that returned nil. LaunchDarkly's SDK calls it for FlushAndWait.
func (p *Processor) FlushBlocking(timeout time.Duration) bool {
	ctx := context.Background()
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	return p.FlushContext(ctx) == nil
}

// FlushContext sends all events recorded before the call. It returns nil once they are delivered,
// which is at once if there are none, unless events were dropped since the last flush. Otherwise it
// returns an [*UndeliveredError]: when ctx is done, when the events service rejects the SDK key in
// response to a request of this flush, or when it rejects each remaining event, sent alone. Events
// that are not delivered keep waiting.
func (p *Processor) FlushContext(ctx context.Context) error {
	if ctx.Err() != nil {
		p.Flush() // send the events although this call does not wait
	}
	f := p.queue.flush()
	select {
	case <-f.done:
	case <-ctx.Done():
	}
	events, lost := p.ledger.end(f)
	cause := f.cause
	switch {
	case events == [groups]uint64{}:
		cause = lost.cause
	case cause == nil:
		cause = ctx.Err()
	}
	for g := range groups {
		events[g] += lost.events[g]
	}
	return undelivered(events, cause)
}

// undelivered returns an [*UndeliveredError], or nil if there are no events.
func undelivered(events [groups]uint64, cause error) error {
	if events == [groups]uint64{} {
		return nil
	}
	return &UndeliveredError{Events: int(events[groupTracked]), Evaluations: int(events[groupOthers]), Cause: cause}
}
