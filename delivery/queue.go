package delivery

import (
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// maxRawEvents bounds the events in the tracked lane, except for final puts.
	maxRawEvents = 4_000
	// maxRawEvaluations bounds the evaluations in their lane. It is greater, because recording an
	// evaluation never blocks: it is the default capacity of LaunchDarkly's processor.
	maxRawEvaluations = 10_000
	// maxRawBytes bounds the memory of the tracked lane, except for final puts, and four times as
	// much that of the evaluations. It is estimated from the events that were formatted last.
	maxRawBytes = 8 << 20
	// maxBlocked bounds the events in a lane while the store has no room for it.
	maxBlocked = 32
	// unknownSize is the memory that a raw event is expected to take before any was formatted.
	unknownSize = 64 << 10
	// firstBatch is the size of the first batch after the queue was empty, from which the size of
	// events is measured. Each batch may be four times as large as the one before.
	firstBatch = 16
)

// rawEvent is a recorded event: a value of one of LaunchDarkly's event types, or a json.RawMessage.
type rawEvent struct {
	event  any
	kind   kind
	epoch  uint32
	seq    uint64        // the order of recording, across lanes
	synced chan struct{} // closed once the event is on disk; may be nil
}

// queue holds recorded events until they are formatted, in one lane for tracked events and one for
// evaluations. It is safe for concurrent use. Only the formatter removes events.
type queue struct {
	settings    settings
	ledger      *ledger
	evaluations func() int    // returns the number of events of the evaluations lane in the store
	wake        chan struct{} // wakes the formatter

	mu      sync.Mutex
	seq     uint64
	lanes   [lanes]fifo[rawEvent]
	puts    []*blockedPut // first come, first served; all for the tracked lane
	limit   [lanes]int    // maximum number of events, except for final puts
	blocked [lanes]bool   // whether the lane has events, and the store no room for them
	batch   int           // number of events that are formatted together
	average [lanes]int    // memory of an event in bytes, measured from the last events
	flushed uint32        // the epoch of the last flush, whose events are due for formatting
	failing bool          // whether the last request failed, or the current one has stalled
	closed  bool
}

func newQueue(s settings, l *ledger, evaluations func() int) *queue {
	return &queue{
		settings: s, ledger: l, evaluations: evaluations,
		wake: make(chan struct{}, 1),
		// Until the first event is formatted, their size is not known. Evaluations can't wait.
		limit: [lanes]int{firstBatch, maxRawEvents}, batch: 1,
	}
}

// put adds an event to its lane, or returns why it drops the event. For the tracked lane, it blocks
// for at most the maximum wait if there is no room. Blocked puts are served in order, before
// others.
func (q *queue) put(e any, k kind, synced chan struct{}) error {
	raw := rawEvent{event: e, kind: k, synced: synced}
	final := k.lane() == laneEvaluations || q.settings.maxWait == 0
	q.mu.Lock()
	if final || len(q.puts) == 0 {
		if done, err := q.tryPut(raw, final); done {
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
		_, err := q.tryPut(raw, true)
		return err
	}
	return <-blocked.result
}

// blockedPut is a put that waits for room.
type blockedPut struct {
	raw    rawEvent
	result chan error // receives the result of put
}

// retryBlocked completes the blocked puts for which there is room now, or will be none soon. The
// caller must hold the lock.
func (q *queue) retryBlocked() {
	for len(q.puts) > 0 {
		done, err := q.tryPut(q.puts[0].raw, false)
		if !done {
			return
		}
		q.puts[0].result <- err
		q.puts = slices.Delete(q.puts, 0, 1)
	}
}

// tryPut accepts the event or drops it. It returns false if there is no room, unless the put is
// final: it must not block, or has blocked for the maximum wait. The caller must hold the lock.
func (q *queue) tryPut(raw rawEvent, final bool) (done bool, err error) {
	cause := ErrQueueFull
	switch {
	case q.closed:
		cause = ErrClosed
	case q.accept(raw, final || q.roomUnlikely()):
		return true, nil
	case !final && !q.roomUnlikely():
		return false, nil
	}
	q.ledger.refuse(raw.kind.group(), cause)
	return true, cause
}

// roomUnlikely reports whether blocking is pointless: tracked events are at their limit, and
// requests fail.
func (q *queue) roomUnlikely() bool {
	return q.failing && (q.blocked[laneTracked] || q.ledger.waiting()[groupTracked] >= uint64(q.maxEvents(false)))
}

// maxEvents returns the maximum number of tracked events that wait for delivery. Only final puts
// may use the reserve: as long as it lasts, a request that takes longer than the maximum wait costs
// no event.
func (q *queue) maxEvents(final bool) int {
	if final {
		return q.settings.maxEvents
	}
	return q.settings.maxEvents - q.settings.reserveEvents
}

// accept adds the event if there is room. If the put is final, it may exceed the limit of the lane.
func (q *queue) accept(raw rawEvent, final bool) bool {
	l := raw.kind.lane()
	limit := q.limit[l]
	switch {
	case q.blocked[l]: // the size of events is not known before they are formatted
		limit = min(limit, maxBlocked)
	case l == laneEvaluations:
		limit = min(limit, max(q.settings.maxEvents/evaluationShare, 1)-q.evaluations())
	case final: // the store has room, so that the formatter only has to catch up
		average := q.average[l]
		if average == 0 {
			average = unknownSize
		}
		limit = max(limit, q.settings.maxBytes/2/average)
	}
	if q.lanes[l].length >= limit {
		return false
	}
	most := uint64(math.MaxUint64) // no limit: the ledger also counts summarized evaluations, which take no room
	if raw.kind.group() == groupTracked {
		most = uint64(q.maxEvents(final))
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

// attempted records whether requests pass. It is called with false if a request fails or stalls.
func (q *queue) attempted(ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.failing = !ok
	q.retryBlocked()
}

// take appends the next events to batch and returns it: events of one epoch, at most a batch, and
// only from lanes for which the store has room. Tracked events come first; a quarter of the batch
// is reserved for evaluations. Evaluations do not overtake tracked events, such as the identify
// event of their context.
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
	q.retryBlocked()
	return batch
}

// due returns the number of events in the queue, and whether to format some at once: because they
// fill a batch, or because of a flush or a blocked put.
func (q *queue) due() (waiting int, now bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for l := range lanes {
		n := q.lanes[l].length
		waiting += n
		now = now || n > 0 && (n >= q.batch || q.blocked[l] || q.lanes[l].front().epoch <= q.flushed)
	}
	return waiting, now || len(q.puts) > 0 && waiting > 0
}

// flush begins a flush of all events recorded before the call.
func (q *queue) flush() *flush {
	q.mu.Lock()
	defer q.mu.Unlock()
	f := q.ledger.begin()
	q.flushed = f.epoch
	signal(q.wake)
	return f
}

// measure adapts the limits to the memory that the events of a batch took, by lane. The average
// grows at once and shrinks slowly.
func (q *queue) measure(events, bytes [lanes]int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch := 4 * q.batch
	if q.lanes[laneTracked].length+q.lanes[laneEvaluations].length == 0 {
		batch = firstBatch
	}
	for l, bound := range [lanes]struct{ events, bytes int }{
		laneTracked:     {maxRawEvents, q.settings.rawBytes},
		laneEvaluations: {maxRawEvaluations, 4 * q.settings.rawBytes}, // recording them never blocks
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
		batch = min(batch, max(q.settings.rawBytes/q.average[l]/2, 1))
	}
	q.batch = min(batch, maxBatch)
	q.retryBlocked()
}

// close makes blocked and further puts fail with [ErrClosed].
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.retryBlocked()
}

// drain removes and returns all events.
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

// waitingBytes estimates the memory of the events by lane.
func (q *queue) waitingBytes() (bytes [lanes]int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for l := range lanes {
		bytes[l] = q.lanes[l].length * q.average[l]
	}
	return bytes
}

// signal sends to a channel with a buffer of one, unless a signal is pending.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
