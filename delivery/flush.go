package delivery

import (
	"context"
	"time"
)

// Flush sends everything recorded soon. It does not wait.
func (p *Processor) Flush() { signal(p.formatter.flushes) }

// FlushBlocking sends everything recorded, and returns true once it is delivered, or false after
// the timeout, 0 for none. LaunchDarkly's SDK calls it for FlushAndWait. Use
// [Processor.FlushContext] to learn what is missing.
func (p *Processor) FlushBlocking(timeout time.Duration) bool {
	ctx := context.Background()
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	return p.FlushContext(ctx) == nil
}

// FlushContext sends everything recorded, and returns nil once it is delivered, which is at once
// where nothing waits, and nothing was dropped since the last flush. Otherwise it returns an
// [UndeliveredError]: when ctx ends; at once when the events service refuses the SDK key also for
// this flush; or when all that is left are events that the service refuses by themselves. What is
// not delivered goes on waiting. Events recorded after the call are no part of it.
func (p *Processor) FlushContext(ctx context.Context) error {
	if ctx.Err() != nil {
		p.Flush() // although nothing waits for it
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

// undelivered returns an error about so many events, nil for none.
func undelivered(events [groups]uint64, cause error) error {
	if events == [groups]uint64{} {
		return nil
	}
	return &UndeliveredError{Events: int(events[groupTracked]), Evaluations: int(events[groupOthers]), Cause: cause}
}
