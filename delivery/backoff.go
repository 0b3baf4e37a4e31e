package delivery

import (
	"math/rand/v2"
	"time"
)

// maxRefusedPause bounds the pause while the service refuses the SDK key, and what it can ask for
// with Retry-After.
const maxRefusedPause = 10 * time.Minute

// backoff is the pause before the next request after one that failed: it doubles with each failure
// up to the longest, and is then up to half shorter, so that a fleet does not come back all at
// once.
type backoff struct{ shortest, longest time.Duration }

// pause returns the pause after so many earlier failures in a row.
func (b backoff) pause(failures int) time.Duration {
	return jitter(doubled(b.shortest, failures, b.longest))
}

// refused returns the pause while the SDK key is refused, after so many earlier ones of that kind.
func (b backoff) refused(pauses int) time.Duration {
	return jitter(doubled(b.longest, pauses, max(b.longest, maxRefusedPause)))
}

func doubled(d time.Duration, times int, longest time.Duration) time.Duration {
	for range times {
		if d > longest/2 {
			return longest
		}
		d *= 2
	}
	return min(d, longest)
}

func jitter(d time.Duration) time.Duration { return d - rand.N(d/2+1) }
