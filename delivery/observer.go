package delivery

import (
	"context"
	"net/http"
	"sync"

	"github.com/openfeature-launchdarkly/go-provider/internal/httpstop"
)

// senderAttempts is how often LaunchDarkly's sender tries to deliver one payload.
const senderAttempts = 2

// observer is the HTTP transport of the evaluation lane: it notes how the last payload fared. Once stopped, it tells
// LaunchDarkly's sender that all is well, which saves it the retry.
type observer struct {
	transport httpstop.Transport
	changed   chan struct{} // has something in it when a payload's delivery has ended

	mu       sync.Mutex
	payload  string // the ID of the current one
	attempts int    // at its delivery
	state    observed
}

// observed counts payloads.
type observed struct {
	begun    uint64
	ended    uint64 // accepted, or given up by LaunchDarkly's sender
	accepted bool   // whether the last one to end was
}

func newObserver(stopping context.Context, next http.RoundTripper) *observer {
	if next == nil {
		next = http.DefaultTransport
	}
	return &observer{
		transport: httpstop.Transport{Next: next, Stopped: stopping, Status: http.StatusAccepted},
		changed:   make(chan struct{}, 1),
	}
}

// RoundTrip implements [http.RoundTripper].
func (o *observer) RoundTrip(request *http.Request) (*http.Response, error) {
	last := o.begin(request)
	response, err := o.transport.RoundTrip(request)
	switch {
	case err != nil:
		if last {
			o.end(false)
		}
	case followed(response): // and the client comes back with where that leads
	case outcomeOf(response.StatusCode) == accepted:
		o.end(o.transport.Stopped.Err() == nil)
	case last, !recoverable(response.StatusCode):
		o.end(false)
	}
	return response, err
}

// CloseIdleConnections passes on the call of [http.Client.CloseIdleConnections].
func (o *observer) CloseIdleConnections() { o.transport.CloseIdleConnections() }

// begin notes an attempt, and tells whether it is the last one at its payload.
func (o *observer) begin(request *http.Request) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if id := request.Header.Get("X-LaunchDarkly-Payload-ID"); id != o.payload {
		o.payload, o.attempts = id, 0
		o.state.begun++
	}
	if request.Response == nil { // it is not what a redirect leads to
		o.attempts++
	}
	return o.attempts >= senderAttempts
}

func (o *observer) end(ok bool) {
	o.mu.Lock()
	o.state.ended++
	o.state.accepted = ok
	o.mu.Unlock()
	signal(o.changed)
}

func (o *observer) observed() observed {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.state
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
