package delivery

import (
	"encoding/json"
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// maxRawEvents bounds the recorded events of a lane that are not formatted yet.
	maxRawEvents = 4_000
	// maxRawEvaluations is the same for evaluations, which never wait. It is what LaunchDarkly's
	// processor takes by default.
	maxRawEvaluations = 10_000
	// maxRawBytes bounds them by the memory that they take, of which the last ones that were
	// formatted are the measure.
	maxRawBytes = 8 << 20
	// maxBlocked is how many raw events of a lane may wait while the store is full.
	maxBlocked = 32
	// firstBatch is how many of them are formatted together at first, for that measure. Each batch
	// may then be four times as large as the one before, until nothing waits.
	firstBatch = 16
	// stallTimeout is how long a request may go without an answer until nobody waits for the room
	// that it would make.
	stallTimeout = time.Second
)

// rawEvent is a recorded event: a value of one of LaunchDarkly's event types, or a json.RawMessage.
type rawEvent struct {
	event  any
	kind   kind
	epoch  uint32
	synced chan struct{} // closed once it is on disk; nil where nobody waits for that
}

// queue holds recorded events until they are formatted, a lane for tracked events and one for
// evaluations. It is safe for concurrent use; one goroutine, the formatter, takes events out.
type queue struct {
	settings    settings
	ledger      *ledger
	evaluations func() int    // in the store
	wake        chan struct{} // to the formatter: something waits, or is to be formatted at once

	mu        sync.Mutex
	lanes     [lanes]fifo[rawEvent]
	writers   []*writer   // the blocked puts, in the order in which they came; all of the tracked lane
	limit     int         // raw events of a lane, other than for the last resort
	exposures int         // the same for evaluations
	blocked   [lanes]bool // whether events wait for room in the store
	batch     int         // raw events that are formatted together
	average   [lanes]int  // bytes of memory, of the last events
	flushed   uint32      // events of this epoch and earlier ones are wanted at once; valid if flushing
	flush     bool
	failing   bool      // whether the last attempt at a request failed
	since     time.Time // when the request under way began; zero while there is none
	closed    bool
}

func newQueue(s settings, l *ledger, evaluations func() int) *queue {
	q := &queue{settings: s, ledger: l, evaluations: evaluations, wake: make(chan struct{}, 1)}
	// Until the first event is formatted, nothing is known of their size. Evaluations can't wait
	// for that.
	q.limit, q.exposures, q.batch, q.average = firstBatch, maxRawEvents, 1, [lanes]int{4 << 10, 4 << 10}
	return q
}

// put accepts an event, or returns why it is dropped. An event of the tracked lane may wait for
// room, for as long as the settings allow and something makes progress. Blocked puts get room in
// their order, and before others.
func (q *queue) put(e any, k kind, synced chan struct{}) error {
	raw := rawEvent{event: e, kind: k, synced: synced}
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return q.refuse(raw, ErrClosed)
	case k.lane() == laneEvaluations:
		return q.acceptLast(raw)
	case len(q.writers) == 0 && q.accept(raw, false):
		return nil
	}
	signal(q.wake)
	if q.settings.maxWait == 0 || q.hopeless() {
		return q.acceptLast(raw)
	}
	return q.waitForRoom(raw)
}

// hopeless reports whether there will be no room soon: everything that may wait does, and requests
// fail or stall.
func (q *queue) hopeless() bool {
	return (q.failing || q.stalled()) && (q.blocked[laneTracked] || q.ledger.pending()[groupTracked] >= uint64(q.maxEvents(false)))
}

// maxEvents is how many tracked events may wait. Only the last resort uses the reserve: while it
// lasts, a request that takes longer than a put may wait costs no event.
func (q *queue) maxEvents(last bool) int {
	if last {
		return q.settings.maxEvents
	}
	return q.settings.maxEvents - q.settings.reserveEvents
}

// accept takes the event in if there is room, or any room at all for the last resort.
func (q *queue) accept(raw rawEvent, last bool) bool {
	l := raw.kind.lane()
	limit := q.limit
	switch {
	case q.blocked[l]: // nothing is known of the size of events that are not formatted
		limit = maxBlocked
	case l == laneEvaluations:
		limit = q.exposures // they can't wait
	case last: // only the formatter is late
		limit = max(limit, maxRawEvents, q.settings.maxBytes/2/max(q.average[l], 1))
	}
	if q.lanes[l].length >= limit {
		return false
	}
	if l == laneEvaluations && q.lanes[l].length+q.evaluations() >= max(q.settings.maxEvents/evaluationShare, 1) {
		return false
	}
	most := uint64(math.MaxUint64) // the ledger counts summarized evaluations, which take no room
	if raw.kind.group() == groupTracked {
		most = uint64(q.maxEvents(last))
	}
	epoch, ok := q.ledger.open(raw.kind.group(), most)
	if !ok {
		return false
	}
	raw.epoch = epoch
	q.lanes[l].push(raw)
	if n := q.lanes[l].length; n == 1 || n == q.batch {
		signal(q.wake)
	}
	return true
}

// acceptLast takes the event in if there is any room at all, or refuses it.
func (q *queue) acceptLast(raw rawEvent) error {
	if q.accept(raw, true) {
		return nil
	}
	return q.refuse(raw, ErrQueueFull)
}

// refuse counts an event that is not taken in, and returns why.
func (q *queue) refuse(raw rawEvent, cause error) error {
	q.ledger.refuse(raw.kind.group(), cause)
	return cause
}

// writer is a blocked put.
type writer struct {
	raw    rawEvent
	result chan error // gets one value, once the event is accepted or refused
}

// waitForRoom is called, and returns, with the lock held.
func (q *queue) waitForRoom(raw rawEvent) error {
	w := &writer{raw: raw, result: make(chan error, 1)}
	q.writers = append(q.writers, w)
	for end := time.Now().Add(q.settings.maxWait); time.Now().Before(end) && !q.hopeless(); {
		pause := min(time.Until(end), stallTimeout) // a request that begins meanwhile may stall
		if stall := q.since.Add(stallTimeout); !q.since.IsZero() && !q.stalled() {
			pause = min(pause, time.Until(stall))
		}
		q.mu.Unlock()
		select {
		case err := <-w.result:
			q.mu.Lock()
			return err
		case <-time.After(pause):
		}
		q.mu.Lock()
		select {
		case err := <-w.result:
			return err
		default:
		}
	}
	at := slices.Index(q.writers, w) // among the first: all wait for as long
	q.writers = slices.Delete(q.writers, at, at+1)
	return q.acceptLast(raw)
}

// stalled reports whether the request under way takes too long to be called progress.
func (q *queue) stalled() bool { return !q.since.IsZero() && time.Since(q.since) >= stallTimeout }

// admit accepts the events of blocked puts, as far as there is room.
func (q *queue) admit() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.admitLocked()
}

func (q *queue) admitLocked() {
	admitted := 0
	for _, w := range q.writers {
		if !q.accept(w.raw, false) {
			break
		}
		w.result <- nil
		admitted++
	}
	q.writers = slices.Delete(q.writers, 0, admitted)
}

// attempt notes that a request begins.
func (q *queue) attempt() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.since = time.Now()
}

// attempted notes how a request went. Once one fails, nobody waits for room.
func (q *queue) attempted(ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.since, q.failing = time.Time{}, !ok
	if ok {
		q.admitLocked()
		return
	}
	if q.hopeless() {
		for _, w := range q.writers {
			w.result <- q.acceptLast(w.raw)
		}
		q.writers = nil
	}
}

// take moves the next events into batch, which it returns: of one epoch, tracked events first, no
// more than are formatted together, and only of the lanes for which there is room. A quarter is
// left to evaluations that wait.
func (q *queue) take(batch []rawEvent, room [lanes]bool) []rawEvent {
	q.mu.Lock()
	defer q.mu.Unlock()
	for l := range lanes {
		q.blocked[l] = !room[l] && q.lanes[l].length > 0
	}
	epoch, found := uint32(0), false
	for l := range lanes {
		if room[l] && q.lanes[l].length > 0 {
			if e := q.lanes[l].front().epoch; !found || e < epoch {
				epoch, found = e, true
			}
		}
	}
	if !found {
		return batch
	}
	share := q.batch
	if room[laneEvaluations] {
		share -= min(q.lanes[laneEvaluations].length, q.batch/4)
	}
	for l, n := range [lanes]int{max(share, 1), q.batch} {
		if !room[l] {
			continue
		}
		for q.lanes[l].length > 0 && len(batch) < n && q.lanes[l].front().epoch == epoch {
			if _, raw := q.lanes[l].front().event.(json.RawMessage); raw && len(batch) > 0 {
				break // it is a batch of its own
			}
			batch = append(batch, q.lanes[l].pop())
			if _, raw := batch[0].event.(json.RawMessage); raw {
				return batch
			}
		}
	}
	q.admitLocked()
	return batch
}

// due reports whether something waits and whether it is to be formatted at once: for a flush, or
// because there is enough of it.
func (q *queue) due() (waiting int, now bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for l := range lanes {
		n := q.lanes[l].length
		waiting += n
		if n > 0 && (n >= q.batch || q.flush && q.lanes[l].front().epoch <= q.flushed) {
			now = true
		}
	}
	return waiting, now || len(q.writers) > 0 && waiting > 0
}

// watch begins a flush of all that was recorded before.
func (q *queue) watch() *watch {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.ledger.watch()
	q.flushed, q.flush = w.epoch, true
	signal(q.wake)
	return w
}

// measure takes in the memory that the last events of each lane took that were formatted, on
// average, and adapts the bounds to it. It is 0 where nothing is known yet.
func (q *queue) measure(average [lanes]int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	fits := func(average int) int { return max(q.settings.rawBytes/max(average, 1), 4) }
	if a := average[laneTracked]; a > 0 {
		q.average[laneTracked] = a
		q.limit = min(fits(a), maxRawEvents)
	}
	if a := average[laneEvaluations]; a > 0 {
		q.average[laneEvaluations] = a
		q.exposures = min(2*fits(a), maxRawEvaluations)
	}
	batch := 4 * q.batch
	if q.lanes[laneTracked].length+q.lanes[laneEvaluations].length == 0 {
		batch = firstBatch
	}
	q.batch = min(max(fits(max(average[laneTracked], average[laneEvaluations]))/4, 1), batch, maxBatch)
}

// close refuses further events, also those of blocked puts.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, w := range q.writers {
		w.result <- q.refuse(w.raw, ErrClosed)
	}
	q.writers = nil
}

// drain removes everything that waits.
func (q *queue) drain() []rawEvent {
	q.mu.Lock()
	defer q.mu.Unlock()
	var all []rawEvent
	for l := range lanes {
		for q.lanes[l].length > 0 {
			all = append(all, q.lanes[l].pop())
		}
	}
	return all
}

// waitingBytes estimates the memory that the events of a lane take.
func (q *queue) waitingBytes() (bytes [lanes]int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for l := range lanes {
		bytes[l] = q.lanes[l].length * q.average[l]
	}
	return bytes
}

// signal leaves a message for a goroutine that looks for one when it has time.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
