package delivery

import (
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
)

// rawEvent is a recorded event: a value of one of LaunchDarkly's event types, or a json.RawMessage.
type rawEvent struct {
	event  any
	kind   kind
	epoch  uint32
	seq    uint64        // its place in the order of all
	synced chan struct{} // closed once it is on disk; nil where nobody waits for that
}

// queue holds recorded events until they are formatted, a lane for tracked events and one for
// evaluations. It is safe for concurrent use; one goroutine, the formatter, takes events out.
type queue struct {
	settings    settings
	ledger      *ledger
	evaluations func() int    // in the store
	wake        chan struct{} // to the formatter: something waits, or is to be formatted at once

	mu      sync.Mutex
	seq     uint64
	lanes   [lanes]fifo[rawEvent]
	puts    []*blockedPut // in the order in which they came; all of the tracked lane
	limit   [lanes]int    // raw events, other than for the last resort
	blocked [lanes]bool   // whether events wait for room in the store
	batch   int           // raw events that are formatted together
	average [lanes]int    // bytes of memory, of the last events
	flushed uint32        // events of this epoch and earlier ones are to be formatted at once
	failing bool          // whether the last attempt at a request failed, or has had no answer for long
	closed  bool
}

func newQueue(s settings, l *ledger, evaluations func() int) *queue {
	return &queue{
		settings: s, ledger: l, evaluations: evaluations,
		wake: make(chan struct{}, 1),
		// Until the first event is formatted, nothing is known of their size. Evaluations can't
		// wait for that.
		limit: [lanes]int{firstBatch, maxRawEvents}, batch: 1, average: [lanes]int{4 << 10, 4 << 10},
	}
}

// put accepts an event, or returns why it is dropped. An event of the tracked lane may wait for
// room, for as long as the settings allow and requests succeed. Blocked puts get room in their
// order, and before others.
func (q *queue) put(e any, k kind, synced chan struct{}) error {
	raw := rawEvent{event: e, kind: k, synced: synced}
	last := k.lane() == laneEvaluations || q.settings.maxWait == 0
	q.mu.Lock()
	if last || len(q.puts) == 0 {
		if done, err := q.try(raw, last); done {
			q.mu.Unlock()
			return err
		}
	}
	blocked := &blockedPut{raw: raw, result: make(chan error, 1)}
	q.puts = append(q.puts, blocked)
	q.mu.Unlock()
	signal(q.wake)
	timeout := time.NewTimer(q.settings.maxWait)
	defer timeout.Stop()
	select {
	case err := <-blocked.result:
		return err
	case <-timeout.C:
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.puts, blocked); i >= 0 {
		q.puts = slices.Delete(q.puts, i, i+1)
		_, err := q.try(raw, true)
		return err
	}
	return <-blocked.result
}

// blockedPut is a put that waits for room.
type blockedPut struct {
	raw    rawEvent
	result chan error // gets what put returns
}

// admit ends the blocked puts for which there is room now, or no hope for it. The lock is held.
func (q *queue) admit() {
	for len(q.puts) > 0 {
		done, err := q.try(q.puts[0].raw, false)
		if !done {
			return
		}
		q.puts[0].result <- err
		q.puts = slices.Delete(q.puts, 0, 1)
	}
}

// try accepts an event, drops it, or leaves it to be tried again where it may wait. The lock is
// held.
func (q *queue) try(raw rawEvent, last bool) (done bool, err error) {
	cause := ErrQueueFull
	switch {
	case q.closed:
		cause = ErrClosed
	case q.accept(raw, last || q.hopeless()):
		return true, nil
	case !last && !q.hopeless():
		return false, nil
	}
	q.ledger.refuse(raw.kind.group(), cause)
	return true, cause
}

// hopeless reports whether there will be no room soon: everything that may wait does, and requests
// fail.
func (q *queue) hopeless() bool {
	return q.failing && (q.blocked[laneTracked] || q.ledger.waiting()[groupTracked] >= uint64(q.maxEvents(false)))
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
	limit := q.limit[l]
	switch {
	case q.blocked[l]: // nothing is known of the size of events that are not formatted
		limit = maxBlocked
	case l == laneEvaluations:
		limit = min(limit, max(q.settings.maxEvents/evaluationShare, 1)-q.evaluations())
	case last: // only the formatter is late
		limit = max(limit, maxRawEvents, q.settings.maxBytes/2/q.average[l])
	}
	if q.lanes[l].length >= limit {
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
	q.seq++
	raw.epoch, raw.seq = epoch, q.seq
	q.lanes[l].push(raw)
	if n := q.lanes[l].length; n == 1 || n == q.batch {
		signal(q.wake)
	}
	return true
}

// attempted records how a request went, or that it has had no answer for long. Once one fails, no
// put waits for room.
func (q *queue) attempted(ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.failing = !ok
	q.admit()
}

// take moves the next events into batch, which it returns: of one epoch, no more than are formatted
// together, and only of the lanes for which there is room. Tracked events are first, and a quarter
// is left to evaluations that are older than the next tracked event: they don't overtake the
// identify event of their context.
func (q *queue) take(batch []rawEvent, room [lanes]bool) []rawEvent {
	q.mu.Lock()
	defer q.mu.Unlock()
	epoch := uint32(math.MaxUint32)
	for l := range lanes {
		q.blocked[l] = !room[l] && q.lanes[l].length > 0
		if room[l] && q.lanes[l].length > 0 {
			epoch = min(epoch, q.lanes[l].front().epoch)
		}
	}
	share, next := q.batch, uint64(math.MaxUint64)
	if room[laneEvaluations] {
		share = max(share-min(q.lanes[laneEvaluations].length, q.batch/4), 1)
	}
	tracked, evaluations := &q.lanes[laneTracked], &q.lanes[laneEvaluations]
	if room[laneTracked] {
		for tracked.length > 0 && len(batch) < share && tracked.front().epoch == epoch {
			batch = append(batch, tracked.pop())
		}
		if tracked.length > 0 {
			next = tracked.front().seq
		}
	}
	if room[laneEvaluations] {
		for evaluations.length > 0 && len(batch) < q.batch && evaluations.front().epoch == epoch && evaluations.front().seq < next {
			batch = append(batch, evaluations.pop())
		}
	}
	q.admit()
	return batch
}

// due returns how many events wait, and whether some are to be formatted at once: for a flush,
// because there is enough of them, or to make room.
func (q *queue) due() (waiting int, now bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for l := range lanes {
		n := q.lanes[l].length
		waiting += n
		now = now || n > 0 && (n >= q.batch || q.lanes[l].front().epoch <= q.flushed)
	}
	return waiting, now || len(q.puts) > 0 && waiting > 0
}

// flush begins a flush of all that was recorded before.
func (q *queue) flush() *flush {
	q.mu.Lock()
	defer q.mu.Unlock()
	f := q.ledger.begin()
	q.flushed = f.epoch
	signal(q.wake)
	return f
}

// measure takes in the memory that events of each lane took that were formatted together, and adapts
// the bounds to it. The average grows at once and shrinks slowly.
func (q *queue) measure(events, bytes [lanes]int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch := 4 * q.batch
	if q.lanes[laneTracked].length+q.lanes[laneEvaluations].length == 0 {
		batch = firstBatch
	}
	for l, bound := range [lanes]struct{ events, bytes int }{
		laneTracked:     {maxRawEvents, q.settings.rawBytes},
		laneEvaluations: {maxRawEvaluations, 2 * q.settings.rawBytes}, // they can't wait
	} {
		if events[l] == 0 {
			continue
		}
		average := bytes[l] / events[l]
		if average < q.average[l] {
			average = (3*q.average[l] + average) / 4
		}
		q.average[l] = max(average, 1)
		q.limit[l] = min(max(bound.bytes/q.average[l], 4), bound.events)
		batch = min(batch, max(q.limit[l]/2, 1))
	}
	q.batch = min(batch, maxBatch)
	q.admit()
}

// close refuses further events, also those of blocked puts.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.admit()
}

// drain removes everything that waits.
func (q *queue) drain() (all []rawEvent) {
	q.mu.Lock()
	defer q.mu.Unlock()
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
