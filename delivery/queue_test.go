package delivery

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"
)

func newTestQueue(opts ...Option) *queue { return newQueue(newSettings(opts, 0)) }

// sized is an event that takes so many bytes more than the smallest.
func sized(n int) ldevents.CustomEventData {
	return ldevents.CustomEventData{Key: "k", Data: ldvalue.String(strings.Repeat("x", n))}
}

func sizeOfEvent(e ldevents.CustomEventData) int {
	size, _ := newSizer().event(&e)
	return size
}

// check fails the test unless the accounts add up.
func check(t *testing.T, q *queue) Stats {
	t.Helper()
	s := q.snapshot()
	if s.Tracked != s.Delivered+s.Waiting+s.Dropped.Total() {
		t.Errorf("the accounts don't add up: %+v", s)
	}
	return s
}

func taken(t *testing.T, q *queue) bool {
	t.Helper()
	select {
	case <-q.wake:
		return true
	default:
		return false
	}
}

func TestQueueTake(t *testing.T) {
	q := newTestQueue(WithRequestEvents(3))
	for i := range 7 {
		if err := q.put(numbered(i)); err != nil {
			t.Fatal(err)
		}
	}
	if !taken(t, q) {
		t.Error("nobody was told that a request's worth waits")
	}
	var order []string
	for _, want := range []struct {
		whole bool
		n     int
	}{{true, 3}, {true, 3}, {true, 0}, {false, 1}, {false, 0}} {
		batch := q.take(nil, 3, want.whole)
		if len(batch) != want.n {
			t.Fatalf("took %d events, want %d", len(batch), want.n)
		}
		for _, e := range batch {
			order = append(order, e.event.Key)
		}
	}
	if got := strings.Join(order, ""); got != "0123456" {
		t.Errorf("order %s", got)
	}
	if s := check(t, q); s.Waiting != 7 || s.WaitingBytes == 0 {
		t.Errorf("what is in flight does not count as waiting: %+v", s)
	}
}

func TestQueueBytesOfARequest(t *testing.T) {
	one := sizeOfEvent(sized(1000))
	q := newTestQueue(WithMaxBytes(8 * one)) // so that a request has half of that
	for range 4 {
		if err := q.put(sized(1000)); err != nil {
			t.Fatal(err)
		}
	}
	if !taken(t, q) {
		t.Error("four large events fill a request, and nobody was told")
	}
	if err := q.put(sized(3*one + 10)); err != nil { // more than the rest of a request
		t.Fatal(err)
	}
	for _, want := range []int{4, 1} {
		if n := len(q.take(nil, 2000, false)); n != want {
			t.Errorf("took %d events, want %d", n, want)
		}
	}
}

func TestQueueDrops(t *testing.T) {
	one := sizeOfEvent(numbered(1))
	for _, c := range []struct {
		name  string
		opts  []Option
		event ldevents.CustomEventData
		set   func(*queue)
		want  error
	}{
		{name: "accepted", event: numbered(1)},
		{name: "events", opts: []Option{WithMaxEvents(2)}, event: numbered(1), want: ErrQueueFull},
		{name: "bytes", opts: []Option{WithMaxBytes(3*one - 1)}, event: numbered(1), want: ErrQueueFull},
		{name: "larger than the queue", opts: []Option{WithMaxBytes(2 * one)}, event: sized(2 * one), want: ErrTooLarge},
		{name: "no JSON", event: ldevents.CustomEventData{HasMetric: true, MetricValue: nan}, want: ErrRefused},
		{name: "unauthorized", event: numbered(1), set: func(q *queue) { q.stop(ErrUnauthorized) }, want: ErrUnauthorized},
		{name: "closed", event: numbered(1), set: func(q *queue) { q.stop(ErrClosed) }, want: ErrClosed},
		{
			name: "unauthorized, then closed", event: numbered(1),
			set: func(q *queue) { q.stop(ErrUnauthorized); q.stop(ErrClosed) }, want: ErrUnauthorized,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := newTestQueue(append(c.opts, WithMaxWait(0))...)
			_ = q.put(numbered(1))
			_ = q.put(numbered(1))
			q.take(nil, 1, false) // that one is in flight, and takes room still
			if c.set != nil {
				c.set(q)
			}
			before := check(t, q)
			if err := q.put(c.event); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			after := check(t, q)
			dropped := after.Dropped.Total() - before.Dropped.Total()
			if after.Tracked != before.Tracked+1 || (dropped == 1) != (c.want != nil) {
				t.Errorf("before %+v\nafter  %+v", before, after)
			}
		})
	}
}

// A sender that sleeps until there is a request's worth must hear of a queue that is full with less.
func TestQueueFullWakesTheSender(t *testing.T) {
	for _, wait := range []time.Duration{0, time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			q := newTestQueue(WithMaxBytes(sizeOfEvent(sized(2000))+1), WithMaxWait(wait))
			_ = q.put(sized(2000))
			for taken(t, q) {
			}
			if err := q.put(numbered(1)); !errors.Is(err, ErrQueueFull) {
				t.Fatal(err)
			}
			select {
			case <-q.flushes:
			default:
				t.Error("nobody was told that the queue is full")
			}
		})
	}
}

func TestQueueWaitsForRoom(t *testing.T) {
	const wait = 50 * time.Millisecond
	for _, c := range []struct {
		name   string
		act    func(*queue, []waitingEvent) // after a while
		want   error
		waited time.Duration
	}{
		{"delivered", func(q *queue, b []waitingEvent) { q.settle(b, nil) }, nil, wait / 2},
		{"dropped", func(q *queue, b []waitingEvent) { q.settle(b, ErrRefused) }, nil, wait / 2},
		{"nothing", func(*queue, []waitingEvent) {}, ErrQueueFull, wait},
		{"a failure", func(q *queue, _ []waitingEvent) { q.attempted(false) }, ErrQueueFull, wait / 2},
		{"shutdown", func(q *queue, _ []waitingEvent) { q.stop(ErrClosed) }, ErrClosed, wait / 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := newTestQueue(WithMaxEvents(2), WithMaxWait(wait))
				_, _ = q.put(numbered(0)), q.put(numbered(1))
				batch := q.take(nil, 2, false)
				result := make(chan error, 1)
				began := time.Now()
				var waited time.Duration
				go func() {
					err := q.put(numbered(2))
					waited = time.Since(began)
					result <- err
				}()
				time.Sleep(wait / 2) // the bubble's time
				if s := check(t, q); s.Tracked != 2 {
					t.Errorf("an event that waits for room is tracked already: %+v", s)
				}
				c.act(q, batch)
				if err := <-result; !errors.Is(err, c.want) || waited != c.waited {
					t.Errorf("got %v after %s, want %v after %s", err, waited, c.want, c.waited)
				}
				check(t, q)
			})
		})
	}
}

// Who may wait for long does so while requests succeed, and no longer than until one stalls.
func TestQueueWaitsUntilARequestStalls(t *testing.T) {
	for _, c := range []struct {
		name   string
		taken  int
		act    func(*queue, []waitingEvent) // after half a second
		want   error
		waited time.Duration
	}{
		{"no answer", 2, func(*queue, []waitingEvent) {}, ErrQueueFull, stallTimeout + 1},
		{"an answer", 2, func(q *queue, b []waitingEvent) { q.settle(b[:1], nil) }, nil, stallTimeout / 2},
		{"a request that begins", 0, func(q *queue, _ []waitingEvent) { q.take(nil, 1, false) }, ErrQueueFull, 3*stallTimeout/2 + 1},
		{"no request", 0, func(*queue, []waitingEvent) {}, ErrQueueFull, 10 * stallTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := newTestQueue(WithMaxEvents(2), WithMaxWait(10*stallTimeout))
				_, _ = q.put(numbered(0)), q.put(numbered(1))
				batch := q.take(nil, c.taken, false)
				began := time.Now()
				go func() {
					time.Sleep(stallTimeout / 2)
					c.act(q, batch)
				}()
				err := q.put(numbered(2))
				if waited := time.Since(began); !errors.Is(err, c.want) || waited != c.waited {
					t.Errorf("got %v after %s, want %v after %s", err, waited, c.want, c.waited)
				}
				check(t, q)
			})
		})
	}
}

// Those who wait get room in their order, and newcomers don't get it before them.
func TestQueueIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const writers = 20
		q := newTestQueue(WithMaxEvents(1), WithMaxWait(time.Hour))
		_ = q.put(numbered(0))
		for i := range writers {
			go func() {
				if err := q.put(numbered(i + 1)); err != nil {
					t.Error(err)
				}
			}()
			synctest.Wait()
		}
		for i := range writers + 1 {
			batch := q.take(nil, 1, false)
			if len(batch) != 1 || batch[0].event.Key != strconv.Itoa(i) {
				t.Fatalf("in place of event %d came %v", i, batch)
			}
			q.settle(batch, nil)
			check(t, q)
		}
	})
}

// One large event for which there is no room does not keep out the smaller ones behind it for longer than it may wait.
func TestQueueLetsOthersPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTestQueue(WithMaxBytes(3*sizeOfEvent(sized(1000))), WithMaxWait(time.Minute))
		_, _ = q.put(sized(1000)), q.put(sized(1000))
		large, small := make(chan error, 1), make(chan error, 1)
		go func() { large <- q.put(sized(2000)) }()
		time.Sleep(time.Second) // the bubble's: the small event may wait for longer
		go func() { small <- q.put(sized(10)) }()
		if err := <-large; !errors.Is(err, ErrQueueFull) {
			t.Error(err)
		}
		if err := <-small; err != nil {
			t.Error(err)
		}
		if s := check(t, q); s.Waiting != 3 {
			t.Errorf("%+v", s)
		}
	})
}

// While requests fail, or hang, the application is not made to wait.
func TestQueueDoesNotWaitInVain(t *testing.T) {
	for _, c := range []struct {
		name  string
		begin func(*queue)
		end   func(*queue)
	}{
		{"failing", func(q *queue) { q.attempted(false) }, func(q *queue) { q.attempted(true) }},
		{
			"hanging", func(*queue) { time.Sleep(stallTimeout + 1) },
			func(q *queue) { q.settle(q.take(nil, 0, false), nil) },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := newTestQueue(WithMaxEvents(2))
				_, _ = q.put(numbered(0)), q.put(numbered(1))
				q.take(nil, 1, false)
				put := func() time.Duration {
					began := time.Now()
					if err := q.put(numbered(2)); !errors.Is(err, ErrQueueFull) {
						t.Error(err)
					}
					return time.Since(began)
				}
				c.begin(q)
				if waited := put(); waited != 0 {
					t.Errorf("waited for %s", waited)
				}
				c.end(q)
				if waited := put(); waited != DefaultMaxWait {
					t.Errorf("with progress, waited for %s", waited)
				}
			})
		})
	}
}

// The accounts add up at any time, and the bounds hold, whatever goes on.
func TestQueueConcurrently(t *testing.T) {
	const writers, each, maxEvents = 8, 3000, 100
	q := newTestQueue(WithMaxEvents(maxEvents), WithRequestEvents(30))
	var writing, reading sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				_ = q.put(ldevents.CustomEventData{Key: fmt.Sprintf("%d %d", w, i)})
			}
		})
	}
	done := make(chan struct{})
	reading.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				if s := check(t, q); s.Waiting > maxEvents {
					t.Errorf("%d events wait", s.Waiting)
				}
			}
		}
	})
	last := make([]int, writers)
	settle := func(batch []waitingEvent, turn int) {
		for _, e := range batch {
			var w, i int
			if _, err := fmt.Sscan(e.event.Key, &w, &i); err != nil || i+1 <= last[w] {
				t.Errorf("event %q after %d", e.event.Key, last[w])
			}
			last[w] = i + 1
		}
		q.settle(batch, []error{nil, ErrRefused, ErrTooLarge}[turn%3])
	}
	reading.Go(func() {
		for turn := 0; ; turn++ {
			select {
			case <-q.wake:
			case <-q.flushes:
			case <-done:
				return
			}
			for batch := q.take(nil, 30, false); len(batch) > 0; batch = q.take(nil, 30, false) {
				settle(batch, turn)
			}
		}
	})
	writing.Wait()
	close(done)
	reading.Wait()
	q.drop(ErrClosed, nil, func(d DropError) {
		if s := check(t, q); s.Waiting != uint64(d.Events) {
			t.Errorf("%d events are reported, %d wait", d.Events, s.Waiting)
		}
	})
	s := check(t, q)
	if s.Tracked != writers*each || s.Waiting != 0 || s.WaitingBytes != 0 {
		t.Errorf("in the end %+v", s)
	}
	if undelivered, cause := q.flush().wait(t.Context()); undelivered != 0 || cause != nil {
		t.Errorf("a flush of nothing: %d, %v", undelivered, cause)
	}
}

func TestQueueFlush(t *testing.T) {
	q := newTestQueue()
	if w := q.flush(); !w.over() {
		t.Error("there is nothing to wait for")
	}
	select {
	case <-q.flushes:
		t.Error("nothing to flush, and the sender was woken")
	default:
	}
	for i := range 4 {
		_ = q.put(numbered(i))
	}
	w := q.flush()
	select {
	case <-q.flushes:
	default:
		t.Error("the sender was not woken")
	}
	_ = q.put(numbered(4)) // not part of it
	q.settle(q.take(nil, 2, false), nil)
	q.settle(q.take(nil, 3, false), ErrRefused) // with one that is not
	if undelivered, cause := w.wait(t.Context()); undelivered != 2 || !errors.Is(cause, ErrRefused) {
		t.Errorf("%d undelivered, %v", undelivered, cause)
	}
}

func TestDropped(t *testing.T) {
	for i, cause := range []error{ErrQueueFull, ErrTooLarge, ErrRefused, ErrUnauthorized, ErrClosed} {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			var d Dropped
			d.add(fmt.Errorf("%w: more", cause), 3)
			got := []uint64{d.QueueFull, d.TooLarge, d.Refused, d.Unauthorized, d.Closed}
			for j, n := range got {
				if (n == 3) != (i == j) || n%3 != 0 {
					t.Errorf("%v is counted as %v", cause, got)
				}
			}
			if d.Total() != 3 {
				t.Errorf("total %d", d.Total())
			}
		})
	}
}

// TestQueueReserve has the last eighth of the room for those who have waited in vain.
func TestQueueReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTestQueue(WithMaxEvents(80), WithRequestEvents(10), WithMaxWait(time.Second))
		put := func(wantWait time.Duration, want error) {
			t.Helper()
			start := time.Now()
			if err := q.put(numbered(1)); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
			if waited := time.Since(start); waited != wantWait {
				t.Errorf("waited for %s, want %s", waited, wantWait)
			}
		}
		for range 70 {
			put(0, nil)
		}
		put(time.Second, nil)
		q.attempted(false) // while requests fail, nobody waits, and all of the room counts
		for range 9 {
			put(0, nil)
		}
		put(0, ErrQueueFull)
		check(t, q)
	})
}

// TestQueueKeepsDataSmall has events wait for long, as text.
func TestQueueKeepsDataSmall(t *testing.T) {
	q := newTestQueue()
	q.attempted(false)
	for _, data := range []string{`{"a":1,"b":["x",null]}`, `[1]`, `"text"`, `7`, `null`} {
		if err := q.put(ldevents.CustomEventData{Data: ldvalue.Parse([]byte(data))}); err != nil {
			t.Error(err)
		}
		kept := q.waiting.front().event.Data
		if !kept.Equal(ldvalue.Parse([]byte(data))) {
			t.Errorf("%s became %s", data, kept)
		}
		if strings.ContainsAny(data[:1], "{[") != (kept.Type() == ldvalue.RawType) {
			t.Errorf("%s is kept as %s", data, kept.Type())
		}
		q.waiting.pop()
	}
	if err := q.put(ldevents.CustomEventData{Data: ldvalue.ArrayOf(ldvalue.Float64(nan))}); !errors.Is(err, ErrRefused) {
		t.Errorf("got %v", err)
	}
}
