package delivery

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	ldevents "github.com/launchdarkly/go-sdk-events/v3"
)

// closeTimeout is how long Close delivers what waits. The SDK calls it without a deadline.
const closeTimeout = 10 * time.Second

// accountTimeout is how long Shutdown stays, after its context has ended, to have what is left counted and reported. That
// takes a moment, other than with an error handler that blocks. Who ends a process then would otherwise never hear of it.
const accountTimeout = 200 * time.Millisecond

// Processor is the event processor that [Lossless] configures. All of its methods are safe for concurrent use.
type Processor struct {
	queue       *queue
	custom      *customLane
	evaluations *evaluationLane
	reporter    reporter
	stop        context.CancelFunc // ends what is going on at once
	delivering  sync.WaitGroup     // the custom events' lane
	summing     sync.WaitGroup     // that of the evaluations
	closing     atomic.Bool
	accounted   chan struct{} // closed once no custom event waits any more
	closed      chan struct{}
	closeError  error // valid once closed is
}

var _ ldevents.EventProcessor = (*Processor)(nil)

// RecordCustomEvent takes a tracked event into the queue. It may wait for room there, at most as long as [WithMaxWait]
// says. An event that it drops is counted and reported.
func (p *Processor) RecordCustomEvent(event ldevents.CustomEventData) {
	if err := p.queue.put(event); err != nil {
		p.reporter.dropped(DropError{Cause: err, Events: 1, EventName: event.Key})
	}
}

// RecordEvaluation takes LaunchDarkly's usual path. After Shutdown, it does nothing.
func (p *Processor) RecordEvaluation(event ldevents.EvaluationData) {
	if p.evaluations.open() {
		p.evaluations.processor.RecordEvaluation(event)
		p.evaluations.recorded.Add(1)
	}
}

// RecordIdentifyEvent takes LaunchDarkly's usual path. After Shutdown, it does nothing.
func (p *Processor) RecordIdentifyEvent(event ldevents.IdentifyEventData) {
	if p.evaluations.open() {
		p.evaluations.processor.RecordIdentifyEvent(event)
		p.evaluations.recorded.Add(1)
	}
}

// RecordMigrationOpEvent takes LaunchDarkly's usual path. After Shutdown, it does nothing.
func (p *Processor) RecordMigrationOpEvent(event ldevents.MigrationOpEventData) {
	if p.evaluations.open() {
		p.evaluations.processor.RecordMigrationOpEvent(event)
		p.evaluations.recorded.Add(1)
	}
}

// RecordRawEvent takes LaunchDarkly's usual path. After Shutdown, it does nothing.
func (p *Processor) RecordRawEvent(data json.RawMessage) {
	if p.evaluations.open() {
		p.evaluations.processor.RecordRawEvent(data)
		p.evaluations.recorded.Add(1)
	}
}

// Flush starts to deliver what has been recorded and does not wait for it. Unlike FlushBlocking and FlushContext, it does
// not shorten the pause before a failed request is tried again.
func (p *Processor) Flush() {
	signal(p.queue.flushes)
	signal(p.evaluations.flushes)
}

// FlushBlocking is [Processor.FlushContext] with a timeout, as the SDK knows it: true when everything is delivered. With
// a timeout of 0 or less, it waits without one.
func (p *Processor) FlushBlocking(timeout time.Duration) bool {
	ctx := context.Background()
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	return p.FlushContext(ctx) == nil
}

// FlushContext returns nil once everything that was recorded before the call is delivered: at once where nothing waits.
// Otherwise it returns an [UndeliveredError] when ctx ends, or when events that waited had to be dropped. Events that
// were dropped before the call, and those that are recorded after it, are no part of it.
func (p *Processor) FlushContext(ctx context.Context) error {
	custom, evaluations := p.queue.flush(), p.evaluations.flush()
	undelivered, cause := custom.wait(ctx)
	lost, evaluationsCause := evaluations.wait(ctx)
	if undelivered == 0 && lost == 0 {
		return nil
	}
	if cause == nil {
		cause = evaluationsCause
	}
	return &UndeliveredError{Events: int(undelivered), Evaluations: lost > 0, Cause: cause}
}

// Shutdown refuses further events, delivers what waits, and ends all goroutines. When ctx ends first, it gives up on
// what is left, counts and reports it as dropped, for which it stays up to 200ms longer, and returns an
// [UndeliveredError]; a request that is under way then may still arrive. A context without a deadline may make it wait for
// as long as the events service fails. Further calls wait for the first, until their own context ends, and return the same.
func (p *Processor) Shutdown(ctx context.Context) error {
	first := !p.closing.Swap(true)
	if first {
		p.queue.stop(ErrClosed)
		p.evaluations.closed.Store(true)
	}
	err := p.FlushContext(ctx)
	if first {
		p.closeError = err
		p.stop()
		go p.finish()
	}
	select {
	case <-p.closed:
		return p.closeError
	case <-ctx.Done():
		// LaunchDarkly's sender may be asleep before its retry, for a second at most.
	}
	if first {
		select {
		case <-p.accounted:
		case <-time.After(accountTimeout):
		}
	}
	return err
}

// finish ends everything. Nothing of it waits for the events service any more.
func (p *Processor) finish() {
	defer close(p.closed)
	p.delivering.Wait()
	p.queue.drop(ErrClosed, p.custom.cancelled, p.reporter.dropped)
	close(p.accounted)
	p.summing.Wait()
	// Who asks for the counters later keeps the processor, and not a request's worth of memory.
	p.custom.batch, p.custom.cancelled = nil, nil
	p.evaluations.progress.end(ErrClosed)
	_ = p.custom.processor.Close()
	_ = p.evaluations.processor.Close()
}

// Close is [Processor.Shutdown] with a deadline of 10s. The SDK calls it when its client is closed.
func (p *Processor) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return p.Shutdown(ctx)
}

// Observe adds a logger and an error handler to those of the options, until stop is called; either may be nil. The logger
// takes the place of [slog.Default] where [WithLogger] was not used, and gets the lines beside it where it was. The error
// handler has the obligations that [WithErrorHandler] describes. Observe and stop are safe for concurrent use.
func (p *Processor) Observe(logger *slog.Logger, onError func(error)) (stop func()) {
	return p.reporter.observe(logger, onError)
}

// Ended tells whether Shutdown has ended everything, so that the counters won't change any more, other than by events
// that come too late.
func (p *Processor) Ended() bool {
	select {
	case <-p.closed:
		return true
	default:
		return false
	}
}

// Stats returns the counters. It is cheap enough to be called often.
func (p *Processor) Stats() Stats {
	s := p.queue.snapshot()
	s.Evaluations = p.evaluations.recorded.Load()
	return s
}

// attempted follows the retrier.
func (p *Processor) attempted(err error, pause time.Duration) {
	p.queue.attempted(err == nil)
	if err != nil {
		p.reporter.retrying(err, pause)
	}
}
