package delivery

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
)

// growAfter is how many full requests in a row have to be accepted before larger ones are tried again.
const growAfter = 16

// errNotJSON is an event that would spoil the request that it is part of.
var errNotJSON = fmt.Errorf("%w: not valid JSON", ErrRefused)

// customLane delivers what is in the queue, one request at a time and in order. It belongs to the goroutine that runs it.
type customLane struct {
	queue        *queue
	processor    ldevents.EventProcessor // formats events; it holds one request's worth at most
	retrier      *retrier
	dropped      func(DropError)
	batch        []waitingEvent
	perRequest   int  // how many events a request may carry
	inRow        int  // full requests that were accepted since that was last changed
	divided      bool // whether the current batch was too large
	largest      int  // how much of it was accepted at once
	unauthorized bool
	cancelled    []waitingEvent // what was under way at shutdown; they count as in flight
}

// newCustomLane builds the lane's own event processor of LaunchDarkly's, with our transport below it.
func newCustomLane(
	config *Configuration, client subsystems.BasicClientContext, q *queue, r *retrier, dropped func(DropError),
) (*customLane, error) {
	direct := newHTTPClient(client)
	direct.Timeout = max(direct.Timeout, q.settings.requestTimeout)
	direct.CheckRedirect = keepMethod(direct.CheckRedirect)
	r.client = direct
	client.HTTP.CreateHTTPClient = func() *http.Client { return &http.Client{Transport: r} }

	builder := *config.events
	builder.FlushInterval(never)
	builder.Capacity(2 * q.settings.requestEvents) // each event may bring an index event
	processor, err := builder.Build(client)
	if err != nil {
		return nil, err
	}
	return &customLane{
		queue:      q,
		processor:  processor,
		retrier:    r,
		perRequest: q.settings.requestEvents,
		dropped:    dropped,
	}, nil
}

// run delivers until it is told to stop: whole requests when there are enough events for one, everything at each
// interval and each flush.
func (l *customLane) run(stopping context.Context, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-l.queue.wake:
			for stopping.Err() == nil && l.deliverNext(true) > 0 {
			}
		case <-l.queue.flushes:
			l.flush(stopping)
		case <-ticker.C:
			l.flush(stopping)
		case <-stopping.Done():
			return
		}
	}
}

// flush delivers what waits now. What comes meanwhile is for later: on a fast connection it would go in many small
// requests.
func (l *customLane) flush(stopping context.Context) {
	for left := l.queue.len(); left > 0 && stopping.Err() == nil; {
		n := l.deliverNext(false)
		if n == 0 {
			return
		}
		left -= n
	}
}

// deliverNext delivers the next request's worth of events, or what there is of it unless whole is set. It returns how
// many events that were.
func (l *customLane) deliverNext(whole bool) int {
	l.batch = l.queue.take(l.batch[:0], l.perRequest, whole)
	n := len(l.batch)
	if n == 0 {
		return 0
	}
	l.deliver(l.batch)
	clear(l.batch)
	if l.divided {
		l.perRequest = max(l.largest, 1)
		l.divided, l.largest = false, 0
	}
	if l.unauthorized {
		l.queue.drop(ErrUnauthorized, nil, l.dropped)
	}
	return n
}

// deliver sees to it that every event of the batch is delivered, accounted for, or cancelled.
func (l *customLane) deliver(batch []waitingEvent) {
	switch result, status := l.send(batch); result {
	case accepted:
		l.queue.settle(batch, nil)
		l.fits(len(batch))
	case tooLarge:
		l.divided = l.divided || len(batch) > 1
		l.inRow = 0
		l.divide(batch, fmt.Errorf("%w: status %d", ErrTooLarge, status))
	case invalid:
		before := l.retrier.cautious
		l.retrier.cautious = true
		l.divide(batch, errNotJSON)
		l.retrier.cautious = before
	case unauthorized:
		l.unauthorized = true
		l.queue.stop(ErrUnauthorized)
		l.drop(batch, withStatus(ErrUnauthorized, status))
	case cancelled:
		l.cancelled = append(l.cancelled, batch...) // reported with what waits, as one loss
	default:
		l.drop(batch, withStatus(ErrRefused, status))
	}
}

// fits notes that so many events were not too much for one request. A limit may come from a few large events, so that
// it is tried again, now and then, whether more of them fit.
func (l *customLane) fits(events int) {
	if l.divided {
		l.largest = max(l.largest, events)
		return
	}
	if events < l.perRequest || l.perRequest == l.queue.settings.requestEvents {
		return
	}
	if l.inRow++; l.inRow >= growAfter {
		l.inRow = 0
		l.perRequest = min(2*l.perRequest, l.queue.settings.requestEvents)
	}
}

// divide delivers the halves of a batch that is refused as a whole; cause is why its last event is dropped.
func (l *customLane) divide(batch []waitingEvent, cause error) {
	if len(batch) == 1 {
		l.drop(batch, cause)
		return
	}
	half := len(batch) / 2
	l.deliver(batch[:half])
	l.deliver(batch[half:])
}

// drop reports that the batch is lost, and then settles it: whoever flushes hears of it first.
func (l *customLane) drop(batch []waitingEvent, cause error) {
	report := DropError{Cause: cause, Events: len(batch)}
	if len(batch) == 1 {
		report.EventName = batch[0].event.Key
	}
	l.dropped(report)
	l.queue.settle(batch, cause)
}

// send gives the batch to LaunchDarkly's processor, has it make one request of it, and waits for the outcome. The
// processor is empty before and after, so that neither of its buffers can overflow.
func (l *customLane) send(batch []waitingEvent) (outcome, int) {
	if l.unauthorized {
		return unauthorized, 0
	}
	l.retrier.last, l.retrier.status = refused, 0 // unless there is a request
	for i := range batch {
		event := batch[i].event
		if !event.ForceSampling { // an empty payload would never be flushed
			event.ForceSampling, event.SamplingRatio = true, ldvalue.OptionalInt{} // each event stands for itself
		}
		l.processor.RecordCustomEvent(event)
	}
	l.processor.FlushBlocking(0)
	return l.retrier.last, l.retrier.status
}

// withStatus adds what the events service answered, if it was asked.
func withStatus(cause error, status int) error {
	if status == 0 {
		return cause
	}
	return fmt.Errorf("%w: status %d", cause, status)
}

// newHTTPClient makes a client as the SDK would, and one that may be changed.
func newHTTPClient(client subsystems.BasicClientContext) *http.Client {
	made := client.GetHTTP().CreateHTTPClient()
	if made == nil {
		made = http.DefaultClient // as the SDK does
	}
	own := *made
	return &own
}
