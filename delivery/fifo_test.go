package delivery

import (
	"strconv"
	"testing"

	ldevents "github.com/launchdarkly/go-sdk-events/v3"
)

// numbered is an event that knows its place.
func numbered(n int) ldevents.CustomEventData { return ldevents.CustomEventData{Key: strconv.Itoa(n)} }

func (f *fifo) chunks() int {
	n := 0
	for c := f.first; c != nil; c = c.next {
		n++
	}
	return n
}

func TestFIFO(t *testing.T) {
	for _, c := range []struct {
		name      string
		push, pop int // in turns
	}{
		{"one by one", 1, 1},
		{"a chunk", chunkSize, chunkSize},
		{"less than a chunk", chunkSize - 1, chunkSize - 1},
		{"more than a chunk", chunkSize + 1, chunkSize + 1},
		{"growing", 3, 2},
		{"growing by chunks", 3 * chunkSize, chunkSize},
	} {
		t.Run(c.name, func(t *testing.T) {
			var f fifo
			pushed, popped := 0, 0
			pop := func() {
				t.Helper()
				if got := f.front().event.Key; got != strconv.Itoa(popped) {
					t.Fatalf("event %s came in place of %d", got, popped)
				}
				f.pop()
				popped++
			}
			for range 300 {
				for range c.push {
					f.push(waitingEvent{event: numbered(pushed)})
					pushed++
				}
				for range c.pop {
					pop()
				}
				if f.length != pushed-popped {
					t.Fatalf("length %d, with %d pushed and %d popped", f.length, pushed, popped)
				}
				if most := f.length/chunkSize + 2; f.chunks() > most {
					t.Fatalf("%d chunks hold %d events", f.chunks(), f.length)
				}
			}
			for f.length > 0 {
				pop()
			}
			if popped != pushed || f.chunks() > 1 {
				t.Errorf("%d of %d events, %d chunks left", popped, pushed, f.chunks())
			}
		})
	}
}

// What was taken must not stay in memory for as long as its chunk.
func TestFIFOLetsGo(t *testing.T) {
	var f fifo
	f.push(waitingEvent{event: numbered(1)})
	f.push(waitingEvent{event: numbered(2)})
	f.pop()
	if f.first.events[0].event.Key != "" {
		t.Error("a popped event is still held")
	}
}
