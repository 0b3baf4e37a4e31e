package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	ldevents "github.com/launchdarkly/go-sdk-events/v3"
)

// closeTimeout is how long Close delivers what waits. The SDK calls it without a deadline.
const closeTimeout = 10 * time.Second

// accountTimeout is how long Shutdown stays, after its context has ended, to count and report what is left. That takes a
// moment, other than with an error handler that blocks. Otherwise a process that exits after Shutdown never sees the loss.
const accountTimeout = 200 * time.Millisecond

// Processor is the event processor that [Lossless] configures. All of its methods are safe for concurrent use.
//
// An event takes one way through it: Record puts it into the queue, the formatter turns it into JSON and appends it to the
// store, and the sender sends it.
type Processor struct {
	queue     *queue
	formatter *formatter
	store     store
	sender    *sender
	ledger    *ledger
	report    *reporter

	formatting sync.WaitGroup
	sending    sync.WaitGroup
	stopping   context.CancelFunc // ends sending at once
	unformat   chan struct{}      // closed to end formatting

	closing    atomic.Bool
	accounted  chan struct{} // closed once no event waits any more
	closed     chan struct{}
	closeError error // valid once closed is
}

var _ ldevents.EventProcessor = (*Processor)(nil)

func newProcessor(s settings, f *formatter, e *endpoint) *Processor {
	l, r := newLedger(), newReporter(s)
	ctx, stop := context.WithCancel(context.Background())
	m := newMemory(s, l, r)
	p := &Processor{
		queue: newQueue(s, l, m.evaluations), formatter: f, ledger: l, report: r, store: m,
		stopping: stop, unformat: make(chan struct{}),
		accounted: make(chan struct{}), closed: make(chan struct{}),
	}
	p.sender = &sender{
		queue: p.queue, ledger: l, store: p.store, report: r, endpoint: e, pace: s.rate,
		schedule: newSchedule(backoff{s.minBackoff, s.maxBackoff}, s.requestEvents, s.requestBytes),
		date:     func(date string) { f.capture.date.Store(&date) },
		wake:     make(chan struct{}, 1), released: make(chan struct{}, 1),
	}
	f.queue, f.ledger, f.store, f.report = p.queue, l, p.store, r
	f.release = func() { signal(p.sender.released) }
	f.stored = func() { signal(p.sender.wake) }
	p.formatting.Go(func() { f.run(p.unformat) })
	p.sending.Go(func() { p.sender.run(ctx) })
	if s.rate.events == 0 {
		p.sending.Go(func() {
			if e.isRelay(ctx) {
				r.relay()
			}
		})
	}
	return p
}

// RecordCustomEvent queues a tracked event. It may block while there is no room, for as long as [WithMaxWait] allows. An
// event that it drops is counted and reported.
func (p *Processor) RecordCustomEvent(event ldevents.CustomEventData) {
	if err := p.queue.put(event, kindCustom); err != nil {
		p.report.dropped(DropError{Cause: err, Events: 1, EventName: event.Key})
	}
}

// RecordEvaluation queues an evaluation. It never blocks. Evaluations that it drops are counted, and reported together.
func (p *Processor) RecordEvaluation(event ldevents.EvaluationData) {
	if err := p.queue.put(event, kindEvaluation); errors.Is(err, ErrQueueFull) {
		p.report.overflowed.Add(1)
	}
}

// RecordIdentifyEvent queues an identify event, as [Processor.RecordCustomEvent] does.
func (p *Processor) RecordIdentifyEvent(event ldevents.IdentifyEventData) { p.control(event) }

// RecordMigrationOpEvent queues a migration event, as [Processor.RecordCustomEvent] does.
func (p *Processor) RecordMigrationOpEvent(event ldevents.MigrationOpEventData) { p.control(event) }

// RecordRawEvent queues an event that is JSON already, as [Processor.RecordCustomEvent] does. It is sent as it is.
func (p *Processor) RecordRawEvent(event json.RawMessage) { p.control(event) }

func (p *Processor) control(event any) {
	if err := p.queue.put(event, kindControl); err != nil {
		p.report.dropped(DropError{Cause: err, Evaluations: 1})
	}
}

// Shutdown refuses further events, delivers what waits, and ends all goroutines. When ctx ends first, or the events
// service refuses the SDK key, it drops what is left, counts and reports it, for which it stays up to 200ms longer, and
// returns an [UndeliveredError]; a request that is under way then may still arrive. A context without a deadline may
// make it wait for as long as the events service fails. Further calls wait for the first, until their own context ends,
// and return the same.
func (p *Processor) Shutdown(ctx context.Context) error {
	if p.closing.Swap(true) {
		select {
		case <-p.closed:
			return p.closeError
		case <-ctx.Done():
			return undelivered(p.ledger.pending(), ctx.Err())
		}
	}
	p.queue.close()
	p.ledger.forget() // what was lost before was reported then
	p.closeError = p.FlushContext(ctx)
	p.stopping()
	close(p.unformat)
	go p.finish()
	select {
	case <-p.closed:
	case <-time.After(accountTimeout):
	}
	return p.closeError
}

// finish ends everything. Nothing of it waits for the events service.
func (p *Processor) finish() {
	defer close(p.closed)
	cause := ErrClosed
	if errors.Is(p.closeError, ErrUnauthorized) {
		cause = ErrUnauthorized
	}
	p.formatting.Wait()
	p.sending.Wait()
	p.dropRest(cause)
	p.report.ended()
	p.formatter.close()
	p.sender.endpoint.closeIdle()
}

// dropRest reports all that is left as one loss, and then settles it.
func (p *Processor) dropRest(cause error) {
	raw, stored := p.queue.drain(), p.store.close()
	rest := stored
	for i := range raw {
		rest = append(rest, event{kind: raw[i].kind, epoch: raw[i].epoch, weight: 1})
	}
	drop(p.ledger, p.report, rest, cause)
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
	return p.report.observe(logger, onError)
}

// Ended reports whether Shutdown has ended everything, so that the counters change only for events that come too late.
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
	s := p.ledger.stats()
	raw := p.queue.waitingBytes()
	stored, oldest := p.store.held()
	s.WaitingBytes = uint64(stored[groupTracked] + raw[laneTracked])
	s.EvaluationEvents.WaitingBytes = uint64(stored[groupOthers] + raw[laneEvaluations])
	if oldest != nil {
		s.OldestWaiting = max(time.Since(oldest.recordedAt()), 0)
	}
	return s
}
