package delivery

import (
	"context"
	"net/http"
	"sync"

	"github.com/openfeature-launchdarkly/go-provider/internal/httpstop"
)

// senderAttempts is how often LaunchDarkly's sender tries to deliver one payload.
const senderAttempts = 2

// observer is the HTTP transport of the evaluation lane: it notes how payloads fare. Once stopped, it tells LaunchDarkly's
// sender that all is well, which saves it the retry.
type observer struct {
	transport httpstop.Transport
	changed   chan struct{} // has something in it when a payload's delivery has ended

	mu    sync.Mutex
	open  map[string]payload // those under way, by ID
	state observed
}

// payload is one under way.
type payload struct {
	number   uint64 // in the order in which they begin, from 1
	attempts int
}

// observed counts payloads.
type observed struct {
	begun uint64
	ended uint64 // accepted, or given up by LaunchDarkly's sender
	lost  uint64 // of those, the ones that were not accepted
}

func newObserver(stopping context.Context, next http.RoundTripper) *observer {
	return &observer{
		transport: httpstop.Transport{Next: next, Stopped: stopping, Status: http.StatusAccepted},
		changed:   make(chan struct{}, 1),
		open:      make(map[string]payload),
	}
}

// RoundTrip implements [http.RoundTripper].
func (o *observer) RoundTrip(request *http.Request) (*http.Response, error) {
	last := o.begin(request)
	response, err := o.transport.RoundTrip(request)
	switch {
	case err != nil:
		if last {
			o.end(request, false)
		}
	case followed(response): // and the client comes back with where that leads
	case outcomeOf(response.StatusCode) == accepted:
		o.end(request, o.transport.Stopped.Err() == nil)
	case last, !recoverable(response.StatusCode):
		o.end(request, false)
	}
	return response, err
}

// CloseIdleConnections passes on the call of [http.Client.CloseIdleConnections].
func (o *observer) CloseIdleConnections() { o.transport.CloseIdleConnections() }

// begin notes an attempt, and tells whether it is the last one at its payload.
func (o *observer) begin(request *http.Request) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	p, ok := o.open[idOf(request)]
	if !ok {
		o.state.begun++
		p.number = o.state.begun
	}
	if request.Response == nil { // it is not what a redirect leads to
		p.attempts++
	}
	o.open[idOf(request)] = p
	return p.attempts >= senderAttempts
}

// end notes that no more attempts will follow. A payload that was abandoned has ended already.
func (o *observer) end(request *http.Request, accepted bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	id := idOf(request)
	if _, ok := o.open[id]; !ok {
		return
	}
	delete(o.open, id)
	o.state.ended++
	if !accepted {
		o.state.lost++
	}
	signal(o.changed)
}

func idOf(request *http.Request) string { return request.Header.Get("X-LaunchDarkly-Payload-ID") }

func (o *observer) observed() observed {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.state
}

// settled tells whether the payloads up to the number have ended; others may be under way.
func (o *observer) settled(number uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range o.open {
		if p.number <= number {
			return false
		}
	}
	return true
}

// abandon ends the payloads up to the number of which nothing more is expected, as after a loop of redirects.
func (o *observer) abandon(number uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, p := range o.open {
		if p.number <= number {
			delete(o.open, id)
			o.state.ended++
			o.state.lost++
		}
	}
}

// followed tells whether the client follows a redirect. It does with the events, or not at all, see keepMethod.
func followed(response *http.Response) bool {
	switch response.StatusCode {
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return response.Header.Get("Location") != ""
	default:
		return false
	}
}

// recoverable tells whether LaunchDarkly's sender tries again after a status.
func recoverable(status int) bool {
	return status == http.StatusBadRequest || outcomeOf(status) == failed
}
