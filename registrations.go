package launchdarkly

import (
	"sync/atomic"
	"time"
)

const (
	// overtakenFor is how long after a shutdown initializations may arrive that were requested before it. All that they
	// wait for is the scheduler.
	overtakenFor = 2 * time.Second
	// readerPatience bounds how long an initialization in doubt waits for the goroutine that OpenFeature's SDK starts
	// with it.
	readerPatience = 500 * time.Millisecond
)

// registrations decides which initializations begin a new registration of the provider, and which come too late for one
// that is over.
//
// OpenFeature's SDK (as of 1.20.0, EvaluationAPI.initNew and shutdownOld) starts every initialization, and the shutdown
// of a provider that was replaced, in a goroutine of its own. They arrive in any order, and nothing says which of them
// belong together. But for each registration, OpenFeature's SDK also starts one goroutine that reads the event channel
// (eventExecutor.startListeningAndShutdownOld), so that an initialization that follows a shutdown is told by that: if more
// readers have started than registrations are over, the provider is registered again. Otherwise, the initialization was
// requested before the shutdown, and is refused.
//
// Others than OpenFeature's SDK do not read, or do so after the initialization, as OpenFeature's multi-provider does. They
// know the order of their calls, so that what they initialize after a shutdown is registered again.
//
// Its zero value is ready. All but the counting of readers needs a lock.
type registrations struct {
	readers atomic.Int64 // goroutines that have started to read the event channel

	over      int64     // registrations that are over
	running   int       // initializations that have not returned
	caller    caller    // of the initializations since the last shutdown, or of those before it while there are none
	refuseFor time.Time // until when initializations can have been requested before the last shutdown
}

// caller is what is known of who initializes the provider.
type caller int

const (
	unknownCaller caller = iota // none of its initializations has returned before the provider was shut down
	otherCaller
	openFeature
)

// read counts a request for the event channel: OpenFeature's SDK makes one before each event that it receives.
func (r *registrations) read() { r.readers.Add(1) }

// sent counts an event that was received, after which its reader asks for the channel again.
func (r *registrations) sent() { r.readers.Add(-1) }

// begin notes an initialization, unless it is refused; if it returns true, end has to follow. active is whether the
// provider has a session, waited whether the initialization has waited for a reader to start.
func (r *registrations) begin(now time.Time, active, waited bool) bool {
	readers := r.readers.Load()
	switch {
	case active:
	case !now.Before(r.refuseFor), readers > r.over, r.caller == otherCaller, waited && readers <= 0:
		r.caller = unknownCaller
	default:
		return false
	}
	r.running++
	return true
}

// end notes that an initialization has returned. active is whether the provider still has the session that it was for.
func (r *registrations) end(active bool) {
	r.running--
	switch {
	case active && r.readers.Load() > r.over:
		r.caller = openFeature
	case active && r.caller == unknownCaller:
		r.caller = otherCaller
	}
}

// shutDown notes a shutdown. active is whether it ends a session. One that does not is that of another domain, or comes
// from the application, or belongs to a registration whose initialization has not arrived.
func (r *registrations) shutDown(now time.Time, active bool) {
	if active || r.readers.Load() > r.over {
		r.over++
	}
	if !active || r.running > 0 {
		r.caller = unknownCaller
	}
	r.refuseFor = now.Add(overtakenFor)
}
