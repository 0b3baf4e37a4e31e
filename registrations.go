package launchdarkly

import (
	"sync"
	"time"
)

// arrivalPauses of arrivalPause each are enough for everything to arrive that waits for nothing but
// the scheduler: with each pause, all goroutines that are ready get a turn.
const (
	arrivalPauses = 10
	arrivalPause  = time.Millisecond
)

// registrations decides which initializations begin a new registration of the provider, and which
// come too late for one that is over.
//
// OpenFeature's SDK (as of 1.20.0, EvaluationAPI.initNew and shutdownOld) starts every
// initialization, and the shutdown of a provider that was replaced, in a goroutine of its own. They
// arrive in any order, and nothing says which of them belong together. Therefore each shutdown
// waits until everything has arrived that was requested before. An initialization that arrives
// later was requested later, and is admitted. One that arrives meanwhile is in doubt.
//
// What resolves the doubt is that OpenFeature's SDK starts one goroutine for each registration that
// reads the event channel (eventExecutor.startListeningAndShutdownOld): if there have been more
// readers than shutdowns, the provider is registered again, and the initialization is admitted. If
// there are not when everything has arrived, the provider is not registered any more, and it is
// refused.
//
// Its zero value is ready, and it is safe for concurrent use.
type registrations struct {
	mu sync.Mutex
	registrationCounts
}

// read counts a request for the event channel: OpenFeature's SDK makes one before each event that
// it receives.
func (r *registrations) read() { r.count(1) }

// sent counts an event that was received, after which its reader requests the channel again.
func (r *registrations) sent() { r.count(-1) }

func (r *registrations) count(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.readers += n
}

// initialize decides about an initialization. arrived is when it has arrived, pauses how many it
// has made since; while the verdict is doubtful, it has to make another and try again. active is
// whether the provider has a session.
func (r *registrations) initialize(arrived time.Time, pauses int, active bool) verdict {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.decide(arrived, pauses >= arrivalPauses, active)
}

// shutDown counts a shutdown. await has to follow.
func (r *registrations) shutDown() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begin()
}

// await waits until everything has arrived that was requested before a shutdown.
func (r *registrations) await() {
	for range arrivalPauses {
		time.Sleep(arrivalPause)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end(time.Now())
}

// verdict is what becomes of an initialization.
type verdict int

const (
	doubtful verdict = iota // not decided yet
	admitted
	refused
)

// registrationCounts is the state of registrations.
type registrationCounts struct {
	readers int       // goroutines that have started to read the event channel
	over    int       // registrations that are over
	recent  int       // shutdowns that are not counted there yet: several can be of one registration
	waiting int       // shutdowns that wait
	since   time.Time // when the last of them has ended
}

// settle counts the registrations that are over, once no shutdown waits any more, and reports
// whether none does.
func (r *registrationCounts) settle() bool {
	if r.waiting > 0 {
		return false
	}
	r.over, r.recent = min(r.over+r.recent, r.readers), 0
	return true
}

// decide is about an initialization. waited is whether everything has arrived that was requested
// before it.
func (r *registrationCounts) decide(arrived time.Time, waited, active bool) verdict {
	settled := r.settle()
	switch {
	case active, r.readers > r.over+r.recent, settled && !arrived.Before(r.since):
		return admitted
	case settled && waited:
		return refused
	default:
		return doubtful
	}
}

// begin counts a shutdown, which waits.
func (r *registrationCounts) begin() {
	r.settle()
	r.recent++
	r.waiting++
}

// end is when everything has arrived that was requested before a shutdown.
func (r *registrationCounts) end(now time.Time) {
	r.waiting--
	r.since = now
	r.settle()
}
