package launchdarklytest

import (
	"net/http"
	"time"
)

// RefuseOption says how [Server.RefuseEvents] and [Server.RefuseStreams] refuse.
type RefuseOption interface{ apply(*refusal) }

type refuseOptionFunc func(*refusal)

func (f refuseOptionFunc) apply(r *refusal) { f(r) }

// Times limits the refusal to the next n requests; those after them are served again. With n below 1
// it lasts until it is undone, as it does without this option.
func Times(n int) RefuseOption {
	return refuseOptionFunc(func(r *refusal) { r.left = max(n, 0) })
}

// RetryAfter adds a Retry-After header, in whole seconds, rounded up. With d of 0 or less there is none.
func RetryAfter(d time.Duration) RefuseOption {
	return refuseOptionFunc(func(r *refusal) { r.answer.retryAfter = max(d, 0) })
}

// refusal is a status that requests are refused with. The zero value refuses nothing.
type refusal struct {
	on     bool
	answer answer
	left   int // how many requests still; 0 when there is no limit
}

func newRefusal(status int, opts []RefuseOption) refusal {
	if status < 400 || status > 599 {
		status = http.StatusServiceUnavailable
	}
	r := refusal{on: true, answer: answer{status: status}}
	for _, opt := range opts {
		if opt != nil {
			opt.apply(&r)
		}
	}
	return r
}

// take returns the answer for one request, and whether it is refused at all.
func (r *refusal) take() (answer, bool) {
	if !r.on {
		return answer{}, false
	}
	a := r.answer
	if r.left > 0 {
		r.left--
		r.on = r.left > 0
	}
	return a, true
}
