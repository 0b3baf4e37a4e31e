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

// accountTimeout is how long Shutdown stays, after its context has ended, to count and report what
// is left. That takes a moment, other than with an error handler that blocks. Otherwise a process
// that exits after Shutdown never sees the loss.
const accountTimeout = 200 * time.Millisecond

// spoolTimeout is the same with a spool, which then writes what is left to disk.
const spoolTimeout = 5 * time.Second

// Processor is the event processor that [Lossless] configures. All of its methods are safe for
// concurrent use.
//
// An event takes one way through it: Record puts it into the queue, the formatter turns it into
// JSON and appends it to the store, and the sender sends it.
type Processor struct {
	queue     *queue
	formatter *formatter
	store     store
	spool     *spool // the store, if it is one
	sender    *sender
	ledger    *ledger
	report    *reporter

	formatting sync.WaitGroup
	sending    sync.WaitGroup
	stopping   context.CancelFunc // ends sending at once
	unformat   chan struct{}      // closed to end formatting

	closing    atomic.Bool
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
		closed: make(chan struct{}),
	}
	if s.spool.directory != "" {
		p.spool = newSpool(s, l, r, m)
		p.store = p.spool
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
	if p.spool != nil {
		p.useSpool(s)
	}
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

// useSpool has the formatter and the spool work together.
func (p *Processor) useSpool(s settings) {
	p.formatter.delay, p.formatter.durable = spoolFormatDelay, true
	if s.spool.sync {
		p.formatter.delay = 0
	}
	p.formatter.release = func() { p.spool.afterwards(func() { signal(p.sender.released) }) }
	p.formatter.afterwards = p.spool.afterwards
	p.spool.start(func() {
		signal(p.queue.wake)
		signal(p.sender.wake)
	})
}

// RecordCustomEvent queues a tracked event. It may block while there is no room, for as long as
// [WithMaxWait] allows, and with [WithSyncTrack] until the event is on disk. An event that it drops
// is counted and reported.
func (p *Processor) RecordCustomEvent(event ldevents.CustomEventData) {
	var synced chan struct{}
	if p.spool != nil && p.spool.settings.spool.sync {
		synced = make(chan struct{})
	}
	if err := p.queue.put(event, kindCustom, synced); err != nil {
		p.report.dropped(DropError{Cause: err, Events: 1, EventName: event.Key})
		return
	}
	for synced != nil {
		select {
		case <-synced:
			return
		case <-p.closed:
			return
		case <-time.After(stallTimeout):
			if !p.store.room()[laneTracked] {
				return // it may take long until it is even formatted
			}
		}
	}
}

// RecordEvaluation queues an evaluation. It never blocks. Evaluations that it drops are counted,
// and reported together.
func (p *Processor) RecordEvaluation(event ldevents.EvaluationData) {
	if err := p.queue.put(event, kindEvaluation, nil); errors.Is(err, ErrQueueFull) {
		p.report.overflowed.Add(1)
	}
}

// RecordIdentifyEvent queues an identify event, as [Processor.RecordCustomEvent] does.
func (p *Processor) RecordIdentifyEvent(event ldevents.IdentifyEventData) { p.control(event) }

// RecordMigrationOpEvent queues a migration event, as [Processor.RecordCustomEvent] does.
func (p *Processor) RecordMigrationOpEvent(event ldevents.MigrationOpEventData) { p.control(event) }

// RecordRawEvent queues an event that is JSON already, as [Processor.RecordCustomEvent] does. It is
// sent as it is; one that is not valid JSON is dropped.
func (p *Processor) RecordRawEvent(event json.RawMessage) {
	if !json.Valid(event) {
		p.ledger.refuse(groupOthers, errNotJSON)
		p.report.dropped(DropError{Cause: errNotJSON, Evaluations: 1})
		return
	}
	p.control(json.RawMessage(clone(validText(event))))
}

func (p *Processor) control(event any) {
	if err := p.queue.put(event, kindControl, nil); err != nil {
		p.report.dropped(DropError{Cause: err, Evaluations: 1})
	}
}

// Shutdown refuses further events, delivers what waits, and ends all goroutines. When ctx ends
// first, or the events service refuses the SDK key, it drops what is left, counts and reports it,
// for which it stays up to 200ms longer, and returns an [UndeliveredError]; a request that is under
// way then may still arrive. With a spool, it does not drop what is left, but leaves it on disk,
// for which it stays up to 5s longer. A context without a deadline may make it wait for as long as
// the events service fails. Further calls wait for the first, until their own context ends, and
// return the same.
func (p *Processor) Shutdown(ctx context.Context) error {
	if p.closing.Swap(true) {
		select {
		case <-p.closed:
			return p.closeError
		case <-ctx.Done():
			return undelivered(p.ledger.waiting(), ctx.Err())
		}
	}
	p.queue.close()
	p.ledger.forget() // what was lost before was reported then
	err := p.FlushContext(ctx)
	p.stopping()
	close(p.unformat)
	go p.finish(err)
	timeout := accountTimeout
	if p.spool != nil {
		timeout = spoolTimeout
	}
	select {
	case <-p.closed:
		return p.closeError
	case <-time.After(timeout):
		return err
	}
}

// finish ends everything. Nothing of it waits for the events service. err is how the flush went.
func (p *Processor) finish(err error) {
	defer close(p.closed)
	cause := ErrClosed
	if errors.Is(err, ErrUnauthorized) {
		cause = ErrUnauthorized
	}
	p.formatting.Wait()
	p.sending.Wait()
	p.dropRest(cause)
	p.closeError = err
	if rest, ok := errors.AsType[*UndeliveredError](err); ok {
		left := *rest
		s := p.ledger.stats()
		left.OnDisk = int(s.OnDisk + s.EvaluationEvents.OnDisk)
		left.Events = max(left.Events, int(s.OnDisk)) // some were not formatted then
		left.Evaluations = max(left.Evaluations, int(s.EvaluationEvents.OnDisk))
		p.closeError = &left
	}
	p.report.ended()
	p.formatter.close()
	p.sender.close()
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

// Observe adds a logger and an error handler to those of the options, until stop is called; either
// may be nil. The logger takes the place of [slog.Default] where [WithLogger] was not used, and
// gets the lines beside it where it was. The error handler has the obligations that
// [WithErrorHandler] describes. Observe and stop are safe for concurrent use.
func (p *Processor) Observe(logger *slog.Logger, onError func(error)) (stop func()) {
	return p.report.observe(logger, onError)
}

// Ended reports whether Shutdown has ended everything, so that the counters change only for events
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
	s := p.ledger.stats()
	raw := p.queue.waitingBytes()
	stored, oldest := p.store.held()
	s.WaitingBytes = uint64(stored[groupTracked] + raw[laneTracked])
	s.EvaluationEvents.WaitingBytes = uint64(stored[groupOthers] + raw[laneEvaluations])
	if !oldest.IsZero() {
		s.OldestWaiting = max(time.Since(oldest), 0)
	}
	return s
}
