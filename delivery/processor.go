package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	ldevents "github.com/launchdarkly/go-sdk-events/v3"
)

// closeTimeout is the timeout of Close, to which the SDK passes no deadline.
const closeTimeout = 10 * time.Second

// finishTimeout bounds the time that Shutdown waits, after its context is done, until the remaining
// events are counted and reported: otherwise, a process that exits after Shutdown never sees the
// loss. It only takes that long if an error handler blocks.
const finishTimeout = 200 * time.Millisecond

// spoolFinishTimeout replaces finishTimeout if there is a spool, which writes the remaining events
// to disk.
const spoolFinishTimeout = 5 * time.Second

// Processor is the event processor that [Lossless] configures. All methods are safe for concurrent
// use.
//
// Record puts an event into the queue, the formatter converts it to JSON and appends it to the
// store, and the sender sends it.
type Processor struct {
	queue     *queue
	formatter *formatter
	store     store
	spool     *spool // the store, if it is a spool; nil otherwise
	sender    *sender
	ledger    *ledger
	report    *reporter

	formatting     sync.WaitGroup
	sending        sync.WaitGroup
	stopSending    context.CancelFunc // stops the sender and cancels its request
	stopFormatting chan struct{}      // closed to stop the formatter

	closing    atomic.Bool
	closed     chan struct{}
	closeError error // valid after closed is closed
}

var _ ldevents.EventProcessor = (*Processor)(nil)

func newProcessor(s settings, f *formatter, e *endpoint) *Processor {
	l, r := newLedger(), newReporter(s)
	ctx, stop := context.WithCancel(context.Background())
	m := newMemory(s, l, r)
	p := &Processor{
		queue: newQueue(s, l, m.evaluations), formatter: f, ledger: l, report: r, store: m,
		stopSending: stop, stopFormatting: make(chan struct{}),
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
	p.formatting.Go(func() { f.run(p.stopFormatting) })
	p.sending.Go(func() { p.sender.run(ctx) })
	if s.rate.events == 0 {
		p.sending.Go(func() {
			if e.isRelay(ctx) {
				r.warnRelay()
			}
		})
	}
	return p
}

// useSpool connects the formatter, the spool and the sender.
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

// RecordCustomEvent queues a tracked event. It may block for up to [WithMaxWait] if there is no
// room, and with [WithSyncTrack] until the event is on disk. If it drops the event, it counts and
// reports that.
func (p *Processor) RecordCustomEvent(event ldevents.CustomEventData) {
	var synced chan struct{}
	if p.spool != nil && p.spool.settings.spool.sync {
		synced = make(chan struct{})
	}
	err := errNotJSON
	if event.HasMetric && (math.IsNaN(event.MetricValue) || math.IsInf(event.MetricValue, 0)) {
		p.ledger.refuse(groupTracked, err) // it would make the whole batch invalid
	} else {
		err = p.queue.put(event, kindCustom, synced)
	}
	if err != nil {
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
				return // the store is full, so that it may take long until the event is formatted
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

// RecordRawEvent queues an event in JSON, as [Processor.RecordCustomEvent] does. It drops an event
// that is not valid JSON.
func (p *Processor) RecordRawEvent(event json.RawMessage) {
	if !json.Valid(event) {
		p.ledger.refuse(groupOthers, errNotJSON)
		p.report.dropped(DropError{Cause: errNotJSON, Evaluations: 1})
		return
	}
	p.control(json.RawMessage(clone(validText(event))))
}

// control queues an event that is not a custom event but must not be lost either.
func (p *Processor) control(event any) {
	if err := p.queue.put(event, kindControl, nil); err != nil {
		p.report.dropped(DropError{Cause: err, Evaluations: 1})
	}
}

// Shutdown rejects further events, delivers those that wait, and ends all goroutines. If ctx is
// done first, or the events service rejects the SDK key, it drops the remaining events, counts and
// reports them, and returns an [*UndeliveredError], up to 200ms later; the current request may
// still be delivered. With a spool, it leaves the remaining events on disk instead, for which it
// may take up to 5s more. Without a deadline, it waits for as long as the events service fails.
// Further calls wait for the first call, or until their own context is done, and return its result.
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
	p.ledger.forget() // earlier losses were reported when they occurred
	err := p.FlushContext(ctx)
	p.stopSending()
	close(p.stopFormatting)
	go p.finish(err)
	timeout := finishTimeout
	if p.spool != nil {
		timeout = spoolFinishTimeout
	}
	select {
	case <-p.closed:
		return p.closeError
	case <-time.After(timeout):
		return err
	}
}

// finish stops all goroutines and drops the remaining events. err is the result of the flush.
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
		left.Events = max(left.Events, int(s.OnDisk)) // the flush did not count events that were not formatted
		left.Evaluations = max(left.Evaluations, int(s.EvaluationEvents.OnDisk))
		p.closeError = &left
	}
	p.report.ended()
	p.formatter.close()
	p.sender.close()
}

// dropRest drops all remaining events, and reports them as one loss.
func (p *Processor) dropRest(cause error) {
	raw, stored := p.queue.drain(), p.store.close()
	rest := stored
	for i := range raw {
		rest = append(rest, event{kind: raw[i].kind, epoch: raw[i].epoch, weight: 1})
	}
	drop(p.ledger, p.report, rest, cause)
}

// Close calls [Processor.Shutdown] with a timeout of 10s. The SDK calls it when its client is
// closed.
func (p *Processor) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return p.Shutdown(ctx)
}

// Observe adds a logger and an error handler, either of which may be nil, until stop is called. The
// logger receives the same lines as that of [WithLogger], or replaces [slog.Default] if that option
// is not used. See [WithErrorHandler] for what the error handler must not do. Observe and stop are
// safe for concurrent use.
func (p *Processor) Observe(logger *slog.Logger, onError func(error)) (stop func()) {
	return p.report.observe(logger, onError)
}

// Ended reports whether a shutdown is complete. From then on, the counters change only for events
// that are recorded too late.
func (p *Processor) Ended() bool {
	select {
	case <-p.closed:
		return true
	default:
		return false
	}
}

// Stats returns the counters. It takes microseconds, however many events wait.
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
