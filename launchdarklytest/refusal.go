package launchdarklytest

import (
	"net/http"
	"time"
)

// RefuseOption is an option of [Server.RefuseEvents] and [Server.RefuseStreams].
type RefuseOption interface{ apply(*refusal) }

type refuseOptionFunc func(*refusal)

func (f refuseOptionFunc) apply(r *refusal) { f(r) }

// Times limits the fault to the next n requests. If n <= 0, there is no limit, which is the
// default.
func Times(n int) RefuseOption {
	return refuseOptionFunc(func(r *refusal) { r.left = max(n, 0) })
}

// RetryAfter adds a Retry-After header with d rounded up to whole seconds. If d <= 0, there is no
// header, which is the default.
func RetryAfter(d time.Duration) RefuseOption {
	return refuseOptionFunc(func(r *refusal) { r.response.retryAfter = max(d, 0) })
}

// refusal is a fault that makes requests fail with a status. The zero value refuses nothing.
type refusal struct {
	on       bool
	response response
	left     int // remaining requests; unlimited when 0
}

func newRefusal(status int, opts []RefuseOption) refusal {
	if status < 400 || status > 599 {
		status = http.StatusServiceUnavailable
	}
	r := refusal{on: true, response: response{status: status}}
	for _, opt := range opts {
		if opt != nil {
			opt.apply(&r)
		}
	}
	return r
}

// take returns the response to one request, and whether it is refused.
func (r *refusal) take() (response, bool) {
	if !r.on {
		return response{}, false
	}
	resp := r.response
	if r.left > 0 {
		r.left--
		r.on = r.left > 0
	}
	return resp, true
}
