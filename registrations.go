package launchdarkly

import "time"

// overtakenFor is how long after a shutdown initializations may arrive that were requested before it. All that they wait
// for is the scheduler.
const overtakenFor = 5 * time.Second

// registrations decides which initializations begin a new registration of the provider, and which come too late for one
// that is over.
//
// OpenFeature's SDK (as of 1.20.0, EvaluationAPI.initNew and shutdownOld) starts every initialization, and the shutdown
// of a provider that was replaced, in a goroutine of its own. Nothing says which of them belong together, and they
// arrive in any order. What can be told is whether a shutdown is orderly: each initialization before it has returned,
// and there are as many of them as shutdowns, because OpenFeature initializes a provider for each domain that it is
// registered for, and shuts it down as often when its API is shut down. After an orderly shutdown, an initialization
// registers the provider again. After any other, some may be on their way that were requested before it: those that
// arrive within overtakenFor are refused.
//
// Its zero value is ready. It is not safe for concurrent use.
type registrations struct {
	running int       // initializations that have not returned
	open    int       // initializations that no shutdown has followed
	refuse  time.Time // until when initializations are refused
}

// begin notes an initialization, and reports whether it may go on; if so, it has to end. active is whether the provider
// has a session.
func (r *registrations) begin(active bool, now time.Time) bool {
	if now.Before(r.refuse) {
		return false
	}
	if !active {
		r.open = 0
	}
	r.open++
	r.running++
	return true
}

// end notes that an initialization has returned.
func (r *registrations) end() { r.running-- }

// shutDown notes a shutdown.
func (r *registrations) shutDown(now time.Time) {
	if r.running > 0 || r.open == 0 {
		r.open = 0
		r.refuse = now.Add(overtakenFor)
		return
	}
	r.open--
}
