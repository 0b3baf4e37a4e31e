package delivery

import (
	"sync"
	"time"

	ldevents "github.com/launchdarkly/go-sdk-events/v3"
)

// queue holds the custom events that wait for delivery, in order, and keeps the accounts of all that ever came. It is
// safe for concurrent use; one goroutine takes events out and settles them.
type queue struct {
	settings settings
	sizer    sizer
	wake     chan struct{} // has something in it when a request's worth waits
	flushes  chan struct{} // has something in it when everything that waits has to go

	mu       sync.Mutex
	room     chan struct{} // closed, and replaced, when room or the state has changed
	settled  chan struct{} // closed, and replaced, when events were delivered or dropped
	waiting  fifo
	inFlight int   // events taken and not settled
	bytes    int   // of the waiting ones and those in flight
	failing  bool  // whether the last attempt at a request failed
	stopped  error // why no more events are accepted
	accepted uint64
	done     uint64 // accepted events that were delivered or dropped since; they go in order
	lost     uint64 // of those, the dropped
	stats    Stats
}

func newQueue(s settings) *queue {
	return &queue{
		settings: s,
		sizer:    newSizer(),
		wake:     make(chan struct{}, 1),
		flushes:  make(chan struct{}, 1),
		room:     make(chan struct{}),
		settled:  make(chan struct{}),
	}
}

// put accepts the event, or says why it is dropped. It may wait for room, as long as the settings allow and requests
// succeed.
func (q *queue) put(event ldevents.CustomEventData) error {
	size := q.sizer.event(&event)
	q.mu.Lock()
	q.stats.Tracked++
	err := q.makeRoom(size)
	if err != nil {
		q.stats.Dropped.add(err, 1)
		q.mu.Unlock()
		return err
	}
	q.waiting.push(waitingEvent{event: event, size: size})
	q.bytes += size
	q.accepted++
	enough := q.waiting.length >= q.settings.requestEvents
	q.mu.Unlock()
	if enough {
		signal(q.wake)
	}
	return nil
}

// makeRoom waits, with the lock held on entry and return, until an event of the size fits.
func (q *queue) makeRoom(size int) error {
	var deadline *time.Timer
	for {
		switch {
		case q.stopped != nil:
			return q.stopped
		case size > q.settings.maxBytes:
			return ErrTooLarge
		case q.fits(size):
			return nil
		case q.failing || q.settings.maxWait == 0:
			return ErrQueueFull
		}
		if deadline == nil {
			deadline = time.NewTimer(q.settings.maxWait)
			defer deadline.Stop()
		}
		room := q.room
		q.mu.Unlock()
		signal(q.flushes) // few large events may fill the queue before they are enough for a request
		select {
		case <-room:
			q.mu.Lock()
		case <-deadline.C:
			q.mu.Lock()
			if q.stopped == nil && !q.fits(size) {
				return ErrQueueFull
			}
		}
	}
}

func (q *queue) fits(size int) bool {
	return q.waiting.length+q.inFlight < q.settings.maxEvents && q.bytes+size <= q.settings.maxBytes
}

// take moves the next events into batch, which it returns: no more than events of them and, unless it is a single one,
// no more than about bytes. They count as waiting until they are settled.
func (q *queue) take(batch []waitingEvent, events, bytes int) []waitingEvent {
	q.mu.Lock()
	defer q.mu.Unlock()
	for taken := 0; taken < events && q.waiting.length > 0; taken++ {
		next := q.waiting.front()
		if bytes -= next.size; bytes < 0 && taken > 0 {
			break
		}
		batch = append(batch, *next)
		q.waiting.pop()
		q.inFlight++
	}
	return batch
}

// settle ends the delivery of events that were taken: cause is nil where they were delivered, or why they are dropped.
func (q *queue) settle(batch []waitingEvent, cause error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := uint64(len(batch))
	q.inFlight -= len(batch)
	for i := range batch {
		q.bytes -= batch[i].size
	}
	q.account(n, cause)
	q.changed()
}

func (q *queue) account(n uint64, cause error) {
	q.done += n
	if cause == nil {
		q.stats.Delivered += n
		q.stats.Requests++
		return
	}
	q.lost += n
	q.stats.Dropped.add(cause, n)
}

// changed wakes everybody who waits for a change.
func (q *queue) changed() {
	close(q.room)
	q.room = make(chan struct{})
	close(q.settled)
	q.settled = make(chan struct{})
}

// stop refuses further events for the given cause, unless an earlier one holds already.
func (q *queue) stop(cause error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stopped == nil {
		q.stopped = cause
	}
	q.changed()
}

// drop gives up on the events that wait, other than those in flight, and returns how many they were.
func (q *queue) drop(cause error) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.waiting.length
	for q.waiting.length > 0 {
		q.bytes -= q.waiting.front().size
		q.waiting.pop()
	}
	if n > 0 {
		q.account(uint64(n), cause)
	}
	q.changed()
	return n
}

// attempted notes how an attempt at a request went.
func (q *queue) attempted(ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !ok {
		q.stats.Retries++
	}
	if q.failing != !ok {
		q.failing = !ok
		q.changed()
	}
}

// progress tells how many events have been accepted so far, and how many of them are done and lost; the channel is
// closed when that changes.
func (q *queue) progress() (accepted, done, lost uint64, changed <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.accepted, q.done, q.lost, q.settled
}

// len is how many events are to be taken.
func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting.length
}

// refusal is why no more events are accepted, or nil.
func (q *queue) refusal() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.stopped
}

func (q *queue) snapshot() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.stats
	s.Waiting = uint64(q.waiting.length + q.inFlight)
	s.WaitingBytes = uint64(q.bytes)
	return s
}

// signal leaves a message for a goroutine that looks for one when it has the time.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
