package delivery

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
)

// requestBytes is about how much memory the events of one request may take; their JSON is smaller.
const requestBytes = 4 << 20

// customLane delivers what is in the queue, one request at a time and in order. It belongs to the goroutine that runs it.
type customLane struct {
	queue      *queue
	processor  ldevents.EventProcessor // formats events; it holds one request's worth at most
	retrier    *retrier
	perRequest int // how many events a request may carry
	batch      []waitingEvent
	dropped    func(DropError)
}

// newCustomLane builds the lane's own event processor of LaunchDarkly's, with our transport below it.
func newCustomLane(
	config *Configuration, client subsystems.BasicClientContext, q *queue, r *retrier, dropped func(DropError),
) (*customLane, error) {
	original := client.GetHTTP().CreateHTTPClient()
	direct := *original
	direct.Timeout = max(original.Timeout, q.settings.requestTimeout)
	r.client = &direct
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
			l.deliverWaiting(l.perRequest)
		case <-l.queue.flushes:
			l.deliverWaiting(1)
		case <-ticker.C:
			l.deliverWaiting(1)
		case <-stopping.Done():
			return
		}
	}
}

// deliverWaiting delivers what waits now, as long as at least enough of it is left. What comes meanwhile is for later:
// on a fast connection it would go in many small requests.
func (l *customLane) deliverWaiting(enough int) {
	for left := l.queue.len(); left >= enough && left > 0; {
		l.batch = l.queue.take(l.batch[:0], min(l.perRequest, left), requestBytes)
		if len(l.batch) == 0 {
			return
		}
		left -= len(l.batch)
		l.deliver(l.batch)
		clear(l.batch)
		if enough > 1 {
			left = l.queue.len()
		}
	}
}

// deliver sees to it that every event of the batch is delivered or accounted for.
func (l *customLane) deliver(batch []waitingEvent) {
	result, status := l.send(batch)
	switch result {
	case accepted:
		l.queue.settle(batch, nil)
	case tooLarge:
		l.perRequest = max(len(batch)/2, 1)
		l.divide(batch, fmt.Errorf("%w: status %d", ErrTooLarge, status))
	case invalid:
		l.divide(batch, fmt.Errorf("%w: the event is not valid JSON", ErrRefused))
	case refused:
		l.drop(batch, fmt.Errorf("%w: status %d", ErrRefused, status))
	case unauthorized:
		l.queue.stop(ErrUnauthorized)
		l.drop(batch, fmt.Errorf("%w: status %d", ErrUnauthorized, status))
		if n := l.queue.drop(ErrUnauthorized); n > 0 {
			l.dropped(DropError{Cause: ErrUnauthorized, Events: n})
		}
	case cancelled:
		l.drop(batch, ErrClosed)
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

func (l *customLane) drop(batch []waitingEvent, cause error) {
	l.queue.settle(batch, cause)
	report := DropError{Cause: cause, Events: len(batch)}
	if len(batch) == 1 {
		report.EventName = batch[0].event.Key
	}
	l.dropped(report)
}

// send gives the batch to LaunchDarkly's processor, has it make one request of it, and waits for the outcome. The
// processor is empty before and after, so that neither of its buffers can overflow.
func (l *customLane) send(batch []waitingEvent) (outcome, int) {
	if errors.Is(l.queue.refusal(), ErrUnauthorized) {
		return unauthorized, 0
	}
	l.retrier.last, l.retrier.status = refused, 0 // unless there is a request
	for i := range batch {
		event := batch[i].event
		event.ForceSampling = true // an empty payload would never be flushed
		l.processor.RecordCustomEvent(event)
	}
	l.processor.FlushBlocking(0)
	return l.retrier.last, l.retrier.status
}
