package launchdarkly

import (
	"sync"
	"time"
)

// arrivalPauses of arrivalPause each are enough for everything to arrive that waits for nothing but
// the scheduler: with each pause, all goroutines that are ready get a turn.
const (
	// arrivalPauses pauses of arrivalPause give every runnable goroutine time to run.
	arrivalPauses = 10
	arrivalPause  = time.Millisecond
)

// registrations decides which initializations start a new registration of the provider, and which
// are late ones of a registration that has ended.
//
// OpenFeature's SDK (as of 1.20.0, EvaluationAPI.initNew and shutdownOld) starts every
// initialization, and the shutdown of a provider that was replaced, in separate goroutines. They
// run in any order, and nothing relates one to the other. Each shutdown therefore waits until
// everything requested before it has arrived. An initialization that arrives after the wait was
// requested later, and is admitted. One that arrives during the wait is undecided.
//
// For those, the readers of the event channel decide: OpenFeature's SDK starts one goroutine that
// reads it for each registration (eventExecutor.startListeningAndShutdownOld). If there have been
// more readers than shutdowns, the provider is registered again, and the initialization is
// admitted. If there have not been more by the end of the wait, the initialization is refused.
//
// The zero value is ready for use. It is safe for concurrent use.
type registrations struct {
	mu sync.Mutex
	registrationCounts
}

// read counts a request for the event channel. OpenFeature's SDK makes one before it receives each
// event.
func (r *registrations) read() { r.count(1) }

// sent counts an event that was received. Its reader then requests the channel again.
func (r *registrations) sent() { r.count(-1) }

func (r *registrations) count(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.readers += n
}

// initialize decides about an initialization. arrived is the time of its arrival, and pauses the
// number of pauses it has made since. If the verdict is undecided, it must pause and try again.
// active reports whether the provider has a session.
func (r *registrations) initialize(arrived time.Time, pauses int, active bool) verdict {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.decide(arrived, pauses >= arrivalPauses, active)
}

// shutDown counts a shutdown. The caller must then call await.
func (r *registrations) shutDown() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begin()
}

// await waits until everything requested before a shutdown has arrived.
func (r *registrations) await() {
	for range arrivalPauses {
		time.Sleep(arrivalPause)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end(time.Now())
}

// verdict is the decision about an initialization.
type verdict int

const (
	undecided verdict = iota
	admitted
	refused
)

// registrationCounts is the state of registrations.
type registrationCounts struct {
	readers int       // goroutines that have started to read the event channel
	over    int       // registrations that have ended
	recent  int       // shutdowns not counted in over yet: one registration can have several
	waiting int       // shutdowns that are waiting
	since   time.Time // the end of the last wait
}

// settle adds recent shutdowns to over unless a shutdown is waiting. It reports whether it did.
func (r *registrationCounts) settle() bool {
	if r.waiting > 0 {
		return false
	}
	r.over, r.recent = min(r.over+r.recent, r.readers), 0
	return true
}

// decide returns the verdict on an initialization. waited reports whether everything requested
// before it has arrived.
func (r *registrationCounts) decide(arrived time.Time, waited, active bool) verdict {
	settled := r.settle()
	switch {
	case active, r.readers > r.over+r.recent, settled && !arrived.Before(r.since):
		return admitted
	case settled && waited:
		return refused
	default:
		return undecided
	}
}

// begin counts a shutdown, which then waits.
func (r *registrationCounts) begin() {
	r.settle()
	r.recent++
	r.waiting++
}

// end ends the wait of a shutdown.
func (r *registrationCounts) end(now time.Time) {
	r.waiting--
	r.since = now
	r.settle()
}
