package delivery

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
)

const (
	// flushPatience is how long LaunchDarkly's processor may take from a flush to the request that it makes. It makes
	// none where it had nothing to send: an event was sampled out, or had just been sent.
	flushPatience = time.Second
	// maxUnderWay is how many requests are made at once. It leaves some of the five workers of LaunchDarkly's processor
	// free: with none, a flush would be for nothing.
	maxUnderWay = 3
	// answerTimeout is how long a request and its retry may take, unless the HTTP client allows more.
	answerTimeout = 30 * time.Second
)

var errEvaluationsLost = errors.New("the events service did not accept the evaluation events")

// evaluationLane is LaunchDarkly's own path for everything but custom events. The lane decides when it is flushed, because
// the SDK's FlushBlocking answers only when there is something to send and a worker free to send it. While a request takes
// its time, others go out at each interval, as with the SDK. It is safe for concurrent use; one goroutine runs it.
type evaluationLane struct {
	processor ldevents.EventProcessor
	observer  *observer
	timeout   time.Duration
	flushes   chan struct{} // has something in it when a flush is wanted
	recorded  atomic.Uint64 // events that LaunchDarkly's processor got
	progress  progress      // of those
	closed    atomic.Bool
}

func newEvaluationLane(
	stopping context.Context, config *Configuration, client subsystems.BasicClientContext,
) (*evaluationLane, error) {
	observed := newHTTPClient(client)
	o := newObserver(stopping, observed.Transport)
	observed.Transport = o
	observed.CheckRedirect = keepMethod(observed.CheckRedirect)
	client.HTTP.CreateHTTPClient = func() *http.Client { return observed }
	builder := *config.events
	builder.FlushInterval(never)
	processor, err := builder.Build(client)
	if err != nil {
		return nil, err
	}
	return &evaluationLane{
		processor: processor,
		observer:  o,
		timeout:   max(answerTimeout, 3*observed.Timeout),
		flushes:   make(chan struct{}, 1),
	}, nil
}

// open tells whether events are still taken. LaunchDarkly's processor would keep them after its end, too.
func (l *evaluationLane) open() bool { return !l.closed.Load() }

// run flushes at each interval, and when asked to.
func (l *evaluationLane) run(stopping context.Context, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	done := uint64(0)
	for {
		select {
		case <-l.flushes:
		case <-ticker.C:
		case <-stopping.Done():
			return
		}
		recorded := l.recorded.Load()
		if recorded == done {
			continue
		}
		var cause error // LaunchDarkly's sender logs more
		if !l.deliver(stopping, ticker.C) {
			cause = errEvaluationsLost
		}
		l.progress.settle(recorded-done, cause)
		done = recorded
	}
}

// deliver has LaunchDarkly's processor send what it has, and tells whether the events service accepted it, and what was
// under way before.
func (l *evaluationLane) deliver(stopping context.Context, ticks <-chan time.Time) bool {
	before := l.observer.observed()
	answered := l.processor.FlushBlocking(flushPatience)
	begun := l.observer.observed().begun
	if answered && begun == before.begun {
		return false // it made no request: it shut down when it was refused earlier
	}
	timeout := time.NewTimer(l.timeout)
	defer timeout.Stop()
	for {
		now := l.observer.observed()
		if l.observer.settled(begun) {
			return now.lost == before.lost
		}
		select {
		case <-l.observer.changed:
		case <-ticks:
			if now.begun-now.ended < maxUnderWay {
				l.processor.Flush()
			}
		case <-timeout.C:
			l.observer.abandon(begun)
			return false
		case <-stopping.Done():
			return false
		}
	}
}

// flush asks for the delivery of everything that has been recorded, and follows it.
func (l *evaluationLane) flush() *watch {
	w := l.progress.watch(l.recorded.Load())
	if !w.over() {
		signal(l.flushes)
	}
	return w
}
