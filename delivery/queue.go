package delivery

import (
	"slices"
	"sync"
	"time"

	ldevents "github.com/launchdarkly/go-sdk-events/v3"
)

// stallTimeout is how long a request may take until nobody waits for the room that it would make.
const stallTimeout = time.Second

// queue holds the custom events that wait for delivery, in order, and keeps the accounts of all that ever came. It is
// safe for concurrent use; one goroutine takes events out and settles them.
type queue struct {
	settings settings
	sizer    sizer
	wake     chan struct{} // has something in it when a request's worth waits
	flushes  chan struct{} // has something in it when everything that waits has to go
	progress progress

	mu            sync.Mutex
	writers       []*writer // who waits for room, in the order in which they came
	waiting       fifo
	waitingBytes  int
	inFlight      int // events taken and not settled
	inFlightBytes int
	failing       bool      // whether the last attempt at a request failed
	progressed    time.Time // when events were last taken or settled
	stopped       error     // why no more events are accepted
	accepted      uint64
	stats         Stats // without Waiting and WaitingBytes
}

func newQueue(s settings) *queue {
	return &queue{
		settings: s,
		sizer:    newSizer(),
		wake:     make(chan struct{}, 1),
		flushes:  make(chan struct{}, 1),
	}
}

// put accepts the event, or says why it is dropped. It may wait for room, as long as the settings allow and requests
// succeed. Those who wait get room in the order in which they came, and before others.
func (q *queue) put(event ldevents.CustomEventData) error {
	size, valid := q.sizer.event(&event)
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.stopped != nil:
		return q.refuse(q.stopped)
	case !valid:
		return q.refuse(errNotJSON)
	case q.failing && q.waiting.length+q.inFlight < q.settings.maxEvents: // it may wait for long
		event.Data = compacted(event.Data)
		size, _ = q.sizer.event(&event)
	}
	switch {
	case size > q.settings.maxBytes:
		return q.refuse(ErrTooLarge)
	case len(q.writers) == 0 && q.fits(size):
		q.accept(waitingEvent{event: event, size: size})
		return nil
	}
	signal(q.flushes) // what fills the queue may be less than a request's worth
	e := waitingEvent{event: event, size: size}
	if q.settings.maxWait == 0 || q.failing || q.stalls() {
		return q.acceptLast(e)
	}
	return q.waitForRoom(e)
}

// accept takes the event in.
func (q *queue) accept(e waitingEvent) {
	q.waiting.push(e)
	q.waitingBytes += e.size
	q.accepted++
	q.stats.Tracked++
	if q.hasRequest(q.settings.requestEvents) {
		signal(q.wake)
	}
}

// acceptLast takes the event in if there is any room at all, or refuses it.
func (q *queue) acceptLast(e waitingEvent) error {
	if !q.fitsReserve(e.size) {
		return q.refuse(ErrQueueFull)
	}
	q.accept(e)
	return nil
}

// refuse counts an event that is not taken in, and returns why.
func (q *queue) refuse(cause error) error {
	q.stats.Tracked++
	q.stats.Dropped.add(cause, 1)
	return cause
}

// writer is somebody who waits for room for an event.
type writer struct {
	event  waitingEvent
	result chan error // gets one, when the event has been accepted or refused
}

// waitForRoom is called, and returns, with the lock held.
func (q *queue) waitForRoom(e waitingEvent) error {
	w := &writer{event: e, result: make(chan error, 1)}
	q.writers = append(q.writers, w)
	end := time.Now().Add(q.settings.maxWait)
	for pause := q.pause(end); pause > 0; pause = q.pause(end) {
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
	at := slices.Index(q.writers, w) // it is among the first: all wait for as long
	q.writers = slices.Delete(q.writers, at, at+1)
	err := q.acceptLast(e)
	q.admit() // somebody behind it may have a smaller event
	return err
}

// pause is how long to wait before it is seen again whether waiting still makes sense. It is above 0 while it does: until
// the end, or until the request under way stalls.
func (q *queue) pause(end time.Time) time.Duration {
	untilStall := stallTimeout + 1
	if q.inFlight > 0 {
		untilStall -= time.Since(q.progressed)
	}
	return min(time.Until(end), untilStall)
}

// admit accepts the events of those who wait, as far as there is room.
func (q *queue) admit() {
	admitted := 0
	for _, w := range q.writers {
		if !q.fits(w.event.size) {
			signal(q.flushes)
			break
		}
		q.accept(w.event)
		w.result <- nil
		admitted++
	}
	q.writers = slices.Delete(q.writers, 0, admitted)
}

// endWaits decides for all who wait at once.
func (q *queue) endWaits(decide func(waitingEvent) error) {
	for _, w := range q.writers {
		w.result <- decide(w.event)
	}
	q.writers = nil
}

// fits tells whether there is room without the reserve. The reserve is for those who would otherwise lose their event:
// while it is not used up, a request that takes longer than they may wait costs time, and no event.
func (q *queue) fits(size int) bool {
	return q.waiting.length+q.inFlight < q.settings.maxEvents-q.settings.reserveEvents &&
		q.waitingBytes+q.inFlightBytes+size <= q.settings.maxBytes-q.settings.reserveBytes
}

// fitsReserve tells whether there is any room.
func (q *queue) fitsReserve(size int) bool {
	return q.waiting.length+q.inFlight < q.settings.maxEvents &&
		q.waitingBytes+q.inFlightBytes+size <= q.settings.maxBytes
}

// stalls tells whether the request under way takes too long to be called progress.
func (q *queue) stalls() bool {
	return q.inFlight > 0 && time.Since(q.progressed) > stallTimeout
}

// hasRequest tells whether enough waits to fill a request.
func (q *queue) hasRequest(events int) bool {
	return q.waiting.length >= events || q.waitingBytes >= q.settings.requestBytes
}

// take moves the next events into batch, which it returns: no more than so many and, unless it is a single one, no more
// than fit into a request. They count as waiting until they are settled. Where whole is set, it takes none unless they
// fill a request.
func (q *queue) take(batch []waitingEvent, events int, whole bool) []waitingEvent {
	q.mu.Lock()
	defer q.mu.Unlock()
	if whole && !q.hasRequest(events) {
		return batch
	}
	q.progressed = time.Now()
	for bytes := 0; q.waiting.length > 0 && len(batch) < events; {
		next := q.waiting.front()
		if bytes += next.size; bytes > q.settings.requestBytes && len(batch) > 0 {
			break
		}
		batch = append(batch, *next)
		q.waitingBytes -= next.size
		q.inFlightBytes += next.size
		q.inFlight++
		q.waiting.pop()
	}
	return batch
}

// settle ends the delivery of events that were taken, in the order in which they were: cause is nil where they were
// delivered, or why they are dropped.
func (q *queue) settle(batch []waitingEvent, cause error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.inFlight -= len(batch)
	for i := range batch {
		q.inFlightBytes -= batch[i].size
	}
	q.progressed = time.Now()
	q.account(uint64(len(batch)), cause)
}

// drop gives up on the events that wait, and on those in flight, which must be the ones that were cancelled. It reports
// that before they are settled, so that whoever flushes hears of it first.
func (q *queue) drop(cause error, cancelled []waitingEvent, report func(DropError)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	loss := DropError{Cause: cause, Events: q.waiting.length + len(cancelled)}
	switch {
	case loss.Events == 0:
		return
	case loss.Events > 1:
	case len(cancelled) == 1:
		loss.EventName = cancelled[0].event.Key
	default:
		loss.EventName = q.waiting.front().event.Key
	}
	q.inFlight, q.inFlightBytes = loss.Events, q.inFlightBytes+q.waitingBytes
	q.waiting, q.waitingBytes = fifo{}, 0
	q.mu.Unlock()
	report(loss)
	q.mu.Lock()
	q.inFlight, q.inFlightBytes = 0, 0
	q.account(uint64(loss.Events), cause)
}

func (q *queue) account(n uint64, cause error) {
	if cause == nil {
		q.stats.Delivered += n
		q.stats.Requests++
	} else {
		q.stats.Dropped.add(cause, n)
	}
	q.progress.settle(n, cause)
	q.admit()
}

// stop refuses further events for the given cause, unless an earlier one holds already.
func (q *queue) stop(cause error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stopped == nil {
		q.stopped = cause
	}
	q.endWaits(func(waitingEvent) error { return q.refuse(q.stopped) })
}

// attempted notes how an attempt at a request went.
func (q *queue) attempted(ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.failing = !ok
	if !ok {
		q.stats.Retries++
		q.endWaits(q.acceptLast)
	}
}

// flush asks for the delivery of everything that has been accepted, and follows it.
func (q *queue) flush() *watch {
	q.mu.Lock()
	w := q.progress.watch(q.accepted)
	q.mu.Unlock()
	if !w.over() {
		signal(q.flushes)
	}
	return w
}

// len is how many events are to be taken.
func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting.length
}

func (q *queue) snapshot() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.stats
	s.Waiting = uint64(q.waiting.length + q.inFlight)
	s.WaitingBytes = uint64(q.waitingBytes + q.inFlightBytes)
	return s
}

// signal leaves a message for a goroutine that looks for one when it has the time.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
