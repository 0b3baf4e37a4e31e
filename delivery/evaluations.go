package delivery

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	ldevents "github.com/launchdarkly/go-sdk-events/v3"

	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/openfeature-launchdarkly/go-provider/internal/httpstop"
)

const (
	// flushTimeout is longer than LaunchDarkly's sender takes for a request and the one retry that it makes.
	flushTimeout = 30 * time.Second
	// flushPatience is how long to look for a request where there may be nothing to send.
	flushPatience = 250 * time.Millisecond
)

var errEvaluationsLost = errors.New("the events service did not accept the evaluation events")

// evaluationLane is LaunchDarkly's own path for everything but custom events. The lane decides when it is flushed, and
// one flush at a time, because the SDK's FlushBlocking answers only when there is something to send and a worker free
// to send it. It is safe for concurrent use.
type evaluationLane struct {
	processor ldevents.EventProcessor
	observer  *observer
	turn      chan struct{} // held by the flush that is going on
	flushes   chan struct{} // has something in it when a flush is wanted in the background
	total     atomic.Uint64 // events recorded
	recorded  atomic.Int64  // events since the last flush
	certain   atomic.Int64  // of those, the ones that are certain to be part of a request
}

func newEvaluationLane(
	config *Configuration, client subsystems.BasicClientContext, stopping context.Context,
) (*evaluationLane, error) {
	create := client.GetHTTP().CreateHTTPClient
	// Once stopped, it tells LaunchDarkly's sender that all is well, which saves it the retry.
	o := &observer{transport: httpstop.Transport{Stopped: stopping, Status: http.StatusAccepted}}
	client.HTTP.CreateHTTPClient = func() *http.Client {
		observed := *create()
		o.transport.Next = observed.Transport
		if o.transport.Next == nil {
			o.transport.Next = http.DefaultTransport
		}
		observed.Transport = o
		return &observed
	}
	builder := *config.events
	builder.FlushInterval(never)
	processor, err := builder.Build(client)
	if err != nil {
		return nil, err
	}
	return &evaluationLane{
		processor: processor,
		observer:  o,
		turn:      make(chan struct{}, 1),
		flushes:   make(chan struct{}, 1),
	}, nil
}

// note counts an event that is about to be recorded.
func (l *evaluationLane) note(certain bool) {
	l.total.Add(1)
	if certain {
		l.certain.Add(1)
	}
	l.recorded.Add(1)
}

// run flushes at each interval, and when asked to.
func (l *evaluationLane) run(stopping context.Context, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-l.flushes:
		case <-ticker.C:
		case <-stopping.Done():
			return
		}
		_ = l.flush(stopping) // LaunchDarkly's sender logs what goes wrong
	}
}

// flush sends what has been recorded and waits for the answer of the events service. It returns at once where nothing
// has been recorded since the last flush.
func (l *evaluationLane) flush(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	recorded, certain := l.recorded.Swap(0), l.certain.Swap(0)
	if recorded == 0 {
		return nil
	}
	timeout := flushTimeout
	if certain == 0 {
		timeout = flushPatience
	}
	requests := l.observer.requests.Load()
	answered := make(chan bool, 1)
	go func() { answered <- l.processor.FlushBlocking(timeout) }()
	select {
	case ok := <-answered:
		nothingToSend := certain == 0 && l.observer.requests.Load() == requests
		if nothingToSend || ok && l.observer.accepted.Load() {
			return nil
		}
		return errEvaluationsLost
	case <-ctx.Done():
		l.recorded.Add(recorded)
		l.certain.Add(certain)
		return ctx.Err()
	}
}

// observer is the HTTP transport of the evaluation lane: it notes how the last request went.
type observer struct {
	transport httpstop.Transport
	requests  atomic.Uint64
	accepted  atomic.Bool
}

// RoundTrip implements [http.RoundTripper].
func (o *observer) RoundTrip(request *http.Request) (*http.Response, error) {
	o.requests.Add(1)
	o.accepted.Store(false)
	response, err := o.transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	o.accepted.Store(outcomeOf(response.StatusCode) == accepted && o.transport.Stopped.Err() == nil)
	return response, nil
}
