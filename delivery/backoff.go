package delivery

import (
	"math/rand/v2"
	"time"
)

// maxRefusedPause bounds the pause while the service refuses the SDK key, and the pause that it can
// request with Retry-After.
const maxRefusedPause = 10 * time.Minute

// backoff computes the pause after a failed request: shortest after the first failure, doubled with
// each further one up to longest, and reduced by a random part of up to half, so that many clients
// do not retry at the same time.
type backoff struct{ shortest, longest time.Duration }

// pause returns the pause after a failure that follows the given number of failures in a row.
func (b backoff) pause(failures int) time.Duration {
	return jitter(doubled(b.shortest, failures, b.longest))
}

// refused returns the pause while the SDK key is refused, after the given number of such pauses in
// a row.
func (b backoff) refused(pauses int) time.Duration {
	return jitter(doubled(b.longest, pauses, max(b.longest, maxRefusedPause)))
}

// doubled returns d doubled the given number of times, at most longest.
func doubled(d time.Duration, times int, longest time.Duration) time.Duration {
	for range times {
		if d > longest/2 {
			return longest
		}
		d *= 2
	}
	return min(d, longest)
}

// jitter returns d reduced by a random part of up to half.
func jitter(d time.Duration) time.Duration { return d - rand.N(d/2+1) }
