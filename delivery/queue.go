package delivery

import (
	"math"
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
	turn        chan struct{} // holds the first of the blocked puts; the others wait for it in their order
	changed     chan struct{} // to that one: there may be room, or no hope for it

	mu      sync.Mutex
	seq     uint64
	lanes   [lanes]fifo[rawEvent]
	puts    int         // blocked
	limit   [lanes]int  // raw events, other than for the last resort
	blocked [lanes]bool // whether events wait for room in the store
	batch   int         // raw events that are formatted together
	average [lanes]int  // bytes of memory, of the last events
	flushed uint32      // events of this epoch and earlier ones are to be formatted at once
	failing bool        // whether the last attempt at a request failed, or has had no answer for long
	closed  bool
}

func newQueue(s settings, l *ledger, evaluations func() int) *queue {
	return &queue{
		settings: s, ledger: l, evaluations: evaluations,
		wake: make(chan struct{}, 1), turn: make(chan struct{}, 1), changed: make(chan struct{}, 1),
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
	evaluation := k.lane() == laneEvaluations
	q.mu.Lock()
	if evaluation || q.puts == 0 || q.settings.maxWait == 0 {
		if done, err := q.try(raw, evaluation || q.settings.maxWait == 0); done {
			q.mu.Unlock()
			return err
		}
	}
	q.puts++
	q.mu.Unlock()
	return q.wait(raw)
}

// wait puts an event once there is room.
func (q *queue) wait(raw rawEvent) error {
	timeout := time.NewTimer(q.settings.maxWait)
	defer timeout.Stop()
	last := false
	select {
	case q.turn <- struct{}{}:
		defer func() { <-q.turn }()
	case <-timeout.C:
		last = true
	}
	for {
		q.mu.Lock()
		if done, err := q.try(raw, last); done {
			q.puts--
			q.mu.Unlock()
			return err
		}
		q.mu.Unlock()
		signal(q.wake)
		select {
		case <-q.changed:
		case <-timeout.C:
			last = true
		}
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
	signal(q.changed)
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
	if len(batch) > 0 {
		signal(q.changed)
	}
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
	return waiting, now || q.puts > 0 && waiting > 0
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
		batch = min(batch, max(q.limit[l]/4, 1))
	}
	q.batch = min(batch, maxBatch)
	signal(q.changed)
}

// close refuses further events, also those of blocked puts.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	signal(q.changed)
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
