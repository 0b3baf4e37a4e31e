package delivery

import ldevents "github.com/launchdarkly/go-sdk-events/v3"

// waitingEvent is a custom event that waits for delivery.
type waitingEvent struct {
	event ldevents.CustomEventData
	size  int // in memory, about
}

// chunkSize is how many events are allocated together.
const chunkSize = 128

// fifo holds events in order. Its memory follows the number of events, also after there were many.
type fifo struct {
	first, last *chunk
	taken       int // of the first chunk
	length      int
}

type chunk struct {
	events []waitingEvent // up to chunkSize
	next   *chunk
}

func (f *fifo) push(e waitingEvent) {
	if f.last == nil || len(f.last.events) == chunkSize {
		c := &chunk{events: make([]waitingEvent, 0, chunkSize)}
		if f.last == nil {
			f.first = c
		} else {
			f.last.next = c
		}
		f.last = c
	}
	f.last.events = append(f.last.events, e)
	f.length++
}

// front gives the next event, which must exist.
func (f *fifo) front() *waitingEvent { return &f.first.events[f.taken] }

// pop drops the next event, which must exist.
func (f *fifo) pop() {
	f.first.events[f.taken] = waitingEvent{} // whoever took it decides how long it lives
	f.taken++
	f.length--
	if f.taken < len(f.first.events) {
		return
	}
	f.taken = 0
	if f.first == f.last {
		f.first.events = f.first.events[:0]
		return
	}
	f.first = f.first.next
}
