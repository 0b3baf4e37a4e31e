package delivery

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// queued is a queue whose events are numbers.
type queued struct {
	*queue
	stored int // number of evaluation events in the store
}

// newQueued returns a queue for events so small that only their number is limited.
func newQueued(opts ...Option) *queued {
	q := &queued{}
	q.queue = newQueue(newSettings(opts, 0), newLedger(), func() int { return q.stored })
	q.measured(1)
	return q
}

// measured adapts the queue to events of an average size in bytes.
func (q *queue) measured(average int) {
	q.average = [lanes]int{}
	q.measure([lanes]int{1, 1}, [lanes]int{average, average})
}

// record puts a number as an event of kind k.
func (q *queued) record(k kind, n int) error { return q.put(n, k, nil) }

// retry retries blocked puts, as the queue does when events are removed or requests pass.
func (q *queued) retry() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.retryBlocked()
}

// numbers takes the next batch.
func (q *queued) numbers(room ...lane) (numbers []int, kinds []kind) {
	var r [lanes]bool
	for _, l := range room {
		r[l] = true
	}
	for _, raw := range q.take(nil, r) {
		n, _ := raw.event.(int)
		numbers, kinds = append(numbers, n), append(kinds, raw.kind)
	}
	return numbers, kinds
}

// rest takes all events.
func (q *queued) rest() (numbers []int) {
	for {
		batch, _ := q.numbers(laneTracked, laneEvaluations)
		if len(batch) == 0 {
			return numbers
		}
		numbers = append(numbers, batch...)
	}
}

// settled counts events of a kind as delivered.
func (q *queued) settled(k kind, n int) {
	q.ledger.settle([]event{{epoch: 1, kind: k, weight: uint64(n)}}, nil)
}

// upTo returns the numbers from 0 to n-1.
func upTo(n int) (numbers []int) {
	for i := range n {
		numbers = append(numbers, i)
	}
	return numbers
}

func TestRecordingAnEvaluationNeverBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueued(WithMaxEvents(100), WithMaxWait(time.Hour))
		q.stored = 20
		began := time.Now()
		for i := range 100 { // half of the maximum, minus those in the store
			if err := q.record(kindEvaluation, i); (err != nil) != (i >= 30) || err != nil && !errors.Is(err, ErrQueueFull) {
				t.Errorf("evaluation %d: %v", i, err)
			}
		}
		for i := range 80 {
			if err := q.record(kindCustom, i); err != nil {
				t.Errorf("tracked event %d beside evaluations: %v", i, err)
			}
		}
		q.attempted(false)
		if err := q.record(kindEvaluation, 0); !errors.Is(err, ErrQueueFull) {
			t.Error(err)
		}
		if time.Since(began) != 0 {
			t.Errorf("it took %v", time.Since(began))
		}
		s := q.ledger.verify(t)
		if s.EvaluationEvents.Dropped.QueueFull != 71 || s.EvaluationEvents.Waiting != 30 || s.Evaluations != 101 || s.Waiting != 80 {
			t.Errorf("%+v", s)
		}
	})
}

func TestQueueIsSmallUntilTheSizeOfEventsIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(newSettings(nil, 0), newLedger(), func() int { return 0 })
		began := time.Now()
		for i := range firstBatch {
			if err := q.put(i, kindCustom, nil); err != nil {
				t.Error(err)
			}
		}
		if time.Since(began) != 0 {
			t.Error("there was no room")
		}
		if err := q.put(firstBatch, kindCustom, nil); err != nil || time.Since(began) != DefaultMaxWait {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		for i := range maxRawEvents + 1 {
			if err := q.put(i, kindEvaluation, nil); (err != nil) != (i == maxRawEvents) {
				t.Errorf("evaluation %d: %v", i, err)
			}
		}
	})
}

func TestLimitsFollowTheSizeOfEvents(t *testing.T) {
	for _, c := range []struct{ average, events, evaluations, batch int }{
		{100, maxRawEvents, maxRawEvaluations, 64}, // a batch grows step by step
		{4 << 10, 2_048, 8_192, 64},
		{100_000, 83, 335, 41},
		{1 << 20, 8, 32, 4},
		{1 << 30, 4, 4, 1},
	} {
		q := newQueue(newSettings(nil, 0), newLedger(), func() int { return 0 })
		q.batch = firstBatch
		_ = q.put(0, kindCustom, nil)
		q.measured(c.average)
		if q.limit != [lanes]int{c.events, c.evaluations} || q.batch != c.batch {
			t.Errorf("of %d bytes: %d events, %d evaluations, %d in a batch", c.average, q.limit[laneTracked], q.limit[laneEvaluations], q.batch)
		}
		if raw := q.waitingBytes(); raw != [lanes]int{c.average, 0} {
			t.Errorf("of %d bytes: %d wait", c.average, raw)
		}
	}
	q := newQueued()
	for range 10 {
		_ = q.record(kindCustom, 0)
		q.measured(1)
	}
	if q.batch != maxBatch {
		t.Errorf("a batch is %d events", q.batch)
	}
	q.drain()
	if q.measured(1); q.batch != firstBatch {
		t.Errorf("after the queue was empty, a batch is %d events", q.batch)
	}
}

func TestBlockedPutsAreServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueued(WithMaxEvents(3), WithRequestEvents(3), WithMaxWait(time.Second))
		var puts sync.WaitGroup
		for i := range 5 { // the last two block
			puts.Go(func() {
				time.Sleep(time.Duration(i))
				if err := q.record(kindCustom, i); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(time.Millisecond)
		got := q.rest()
		q.settled(kindCustom, 3)
		for i, k := range []kind{kindCustom, kindControl} { // identify events are of another group, in the same lane
			puts.Go(func() {
				time.Sleep(time.Duration(i))
				if err := q.record(k, 5+i); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(time.Millisecond)
		q.retry()
		puts.Wait()
		if got = append(got, q.rest()...); !slices.Equal(got, upTo(7)) {
			t.Errorf("events %d", got)
		}
		q.ledger.verify(t)
	})
}

// As long as the reserve lasts, a request that takes longer than the maximum wait costs no event.
func TestReserveIsForPutsThatBlockedForTheMaximumWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const maxEvents, reserve, wait = 80, 10, 50 * time.Millisecond
		q := newQueued(WithMaxEvents(maxEvents), WithRequestEvents(10), WithMaxWait(wait))
		for i := range maxEvents + 3 {
			began := time.Now()
			err := q.record(kindCustom, i)
			switch took := time.Since(began); {
			case i < maxEvents-reserve && (err != nil || took != 0):
				t.Errorf("event %d: %v after %v", i, err, took)
			case i >= maxEvents-reserve && i < maxEvents && (err != nil || took != wait):
				t.Errorf("event %d of the reserve: %v after %v", i, err, took)
			case i >= maxEvents && (!errors.Is(err, ErrQueueFull) || took != wait):
				t.Errorf("event %d: %v after %v", i, err, took)
			}
		}
		if s := q.ledger.verify(t); s.Waiting != maxEvents || s.Dropped.QueueFull != 3 {
			t.Errorf("%+v", s)
		}
		// Delivered events make room in the reserve first.
		q.settled(kindCustom, reserve)
		began := time.Now()
		if err := q.record(kindCustom, 0); err != nil || time.Since(began) != wait {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestLimitOfTheLaneIfPutsBlockedForTheMaximumWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const average = maxRawBytes / 100 // so that 100 of them fit
		accepted := func(full bool) (n int) {
			q := newQueued(WithMaxWait(time.Millisecond))
			_ = q.record(kindCustom, 0)
			q.measured(average)
			if full {
				if batch, _ := q.numbers(); len(batch) > 0 {
					t.Error("events were taken although the store is full")
				}
			}
			n = 1
			for q.record(kindCustom, n) == nil {
				n++
			}
			return n
		}
		if n := accepted(true); n != maxBlocked {
			t.Errorf("%d events while the store is full", n)
		}
		if n := accepted(false); n != DefaultMaxBytes/2/average {
			t.Errorf("%d events while the store has room", n)
		}
	})
}

func TestPutBlocksOnlyWhileRequestsPass(t *testing.T) {
	full := func(opts ...Option) *queued {
		q := newQueued(append([]Option{WithMaxEvents(8), WithRequestEvents(1), WithMaxWait(time.Minute)}, opts...)...)
		for i := range 7 {
			_ = q.record(kindCustom, i)
		}
		return q
	}
	for _, c := range []struct {
		name  string
		opts  []Option
		after func(*queued) // called while two puts are blocked
		took  time.Duration
		lost  int
	}{
		{"without a maximum wait", []Option{WithMaxWait(0)}, func(*queued) {}, 0, 1},
		{"when requests begin to fail", nil, func(q *queued) { q.attempted(false) }, time.Second, 1},
		{"when requests pass without room", nil, func(q *queued) { q.attempted(true) }, time.Minute, 1},
		{"when requests make room", nil, func(q *queued) {
			q.settled(kindCustom, 2)
			q.attempted(true)
		}, time.Second, 0},
		{"when one is delivered", nil, func(q *queued) { q.settled(kindCustom, 1); q.retry() }, time.Minute, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := full(c.opts...)
				began := time.Now()
				var puts sync.WaitGroup
				var mu sync.Mutex
				lost, longest := 0, time.Duration(0)
				for i := range 2 {
					puts.Go(func() {
						time.Sleep(time.Duration(i))
						err := q.record(kindCustom, 10+i)
						mu.Lock()
						defer mu.Unlock()
						if err != nil {
							lost++
						}
						longest = max(longest, time.Since(began)-time.Duration(i))
					})
				}
				time.Sleep(time.Second)
				c.after(q)
				puts.Wait()
				if lost != c.lost || longest != c.took {
					t.Errorf("%d are lost, after %v; want %d after %v", lost, longest, c.lost, c.took)
				}
				q.ledger.verify(t)
			})
		})
	}
}

func TestPutDoesNotBlockWhileRequestsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueued(WithMaxEvents(8), WithRequestEvents(1), WithMaxWait(time.Minute))
		q.attempted(false)
		began := time.Now()
		for i := range 10 {
			if err := q.record(kindCustom, i); (err != nil) != (i >= 8) {
				t.Errorf("event %d: %v", i, err)
			}
		}
		if time.Since(began) != 0 {
			t.Errorf("it took %v", time.Since(began))
		}
	})
}

func TestPutFailsAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueued(WithMaxEvents(2), WithRequestEvents(2), WithMaxWait(time.Minute))
		_, _ = q.record(kindCustom, 0), q.record(kindCustom, 1)
		_ = q.record(kindEvaluation, 2)
		var puts sync.WaitGroup
		for range 3 {
			puts.Go(func() {
				if err := q.record(kindCustom, 9); !errors.Is(err, ErrClosed) {
					t.Errorf("a blocked put: %v", err)
				}
			})
		}
		synctest.Wait()
		began := time.Now()
		q.close()
		puts.Wait()
		if time.Since(began) != 0 {
			t.Errorf("they blocked for %v more", time.Since(began))
		}
		for _, k := range []kind{kindCustom, kindControl, kindEvaluation} {
			if err := q.record(k, 9); !errors.Is(err, ErrClosed) {
				t.Errorf("kind %d: %v", k, err)
			}
		}
		if s := q.ledger.verify(t); s.Dropped.Closed != 4 || s.EvaluationEvents.Dropped.Closed != 2 || s.Waiting != 2 {
			t.Errorf("%+v", s)
		}
		if n := len(q.drain()); n != 3 {
			t.Errorf("%d events remain", n)
		}
		if n, now := q.due(); n != 0 || now {
			t.Errorf("%d events are left, due %v", n, now)
		}
	})
}

func TestTakeSharesABatchBetweenLanes(t *testing.T) {
	// fill returns a queue with a batch of 8, with tracked events from 0 and evaluations from 100.
	fill := func(tracked, evaluations int) *queued {
		q := newQueued(WithMaxEvents(1_000))
		for i := range evaluations {
			_ = q.record(kindEvaluation, 100+i)
		}
		for i := range tracked {
			_ = q.record(kindCustom, i)
		}
		q.batch = 8
		return q
	}
	for _, c := range []struct {
		name                 string
		tracked, evaluations int
		room                 []lane
		want                 []int
	}{
		{"tracked events alone", 10, 0, []lane{laneTracked, laneEvaluations}, upTo(8)},
		{"evaluations alone", 0, 10, []lane{laneTracked, laneEvaluations}, []int{100, 101, 102, 103, 104, 105, 106, 107}},
		{"both: a quarter for evaluations", 10, 10, []lane{laneTracked, laneEvaluations}, []int{0, 1, 2, 3, 4, 5, 100, 101}},
		{"few evaluations", 10, 1, []lane{laneTracked, laneEvaluations}, []int{0, 1, 2, 3, 4, 5, 6, 100}},
		{"few tracked events", 2, 10, []lane{laneTracked, laneEvaluations}, []int{0, 1, 100, 101, 102, 103, 104, 105}},
		{"no room for evaluations", 10, 10, []lane{laneTracked}, upTo(8)},
		{"no room for tracked events", 10, 10, []lane{laneEvaluations}, []int{100, 101, 102, 103, 104, 105, 106, 107}},
		{"no room at all", 10, 10, nil, nil},
		{"nothing", 0, 0, []lane{laneTracked, laneEvaluations}, nil},
	} {
		q := fill(c.tracked, c.evaluations)
		got, kinds := q.numbers(c.room...)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
		for i, n := range got {
			if (kinds[i] == kindEvaluation) != (n >= 100) {
				t.Errorf("%s: event %d is of kind %d", c.name, n, kinds[i])
			}
		}
	}
}

// The evaluations after an identify event need no index event of its context.
func TestEvaluationsDoNotOvertakeIdentifyEvents(t *testing.T) {
	q := newQueued()
	for i := range 10 {
		_ = q.record(kindControl, i)
		_ = q.record(kindEvaluation, 100+i)
	}
	q.batch = 8
	identified := make(map[int]bool)
	for range 20 {
		numbers, _ := q.numbers(laneTracked, laneEvaluations)
		for _, n := range numbers {
			identified[n] = true
			if n >= 100 && !identified[n-100] {
				t.Errorf("evaluation %d came before its identify event", n)
			}
		}
	}
	if len(identified) != 20 {
		t.Errorf("%d events", len(identified))
	}
}

// A flush must not wait for events that were recorded after it began.
func TestBatchIsOfTheOldestEpoch(t *testing.T) {
	q := newQueued()
	for epoch := range 3 {
		_ = q.record(kindEvaluation, 10*epoch)
		_ = q.record(kindCustom, 10*epoch+1)
		if epoch < 2 {
			q.queue.flush()
		}
	}
	for epoch := range uint32(3) {
		batch := q.take(nil, [lanes]bool{true, true})
		if len(batch) != 2 {
			t.Fatalf("a batch of %d events", len(batch))
		}
		for i, want := range []int{int(10*epoch) + 1, int(10 * epoch)} {
			if batch[i].epoch != epoch+1 || batch[i].event != want {
				t.Errorf("epoch %d: %+v", epoch, batch[i])
			}
		}
	}
	// If there is no room for the lane of the oldest epoch, the others are taken.
	q = newQueued()
	_ = q.record(kindCustom, 0)
	q.queue.flush()
	_ = q.record(kindEvaluation, 1)
	if got, _ := q.numbers(laneEvaluations); !slices.Equal(got, []int{1}) {
		t.Errorf("got %d", got)
	}
	if got, _ := q.numbers(laneTracked, laneEvaluations); !slices.Equal(got, []int{0}) {
		t.Errorf("got %d", got)
	}
}

func TestBatchIsDueWhenItIsFullOrForAFlush(t *testing.T) {
	q := newQueued()
	q.batch = 4
	expect := func(what string, waiting int, now bool) {
		t.Helper()
		if n, due := q.due(); n != waiting || due != now {
			t.Errorf("%s: %d wait, due %v", what, n, due)
		}
	}
	expect("nothing", 0, false)
	for i := range 3 {
		_ = q.record(kindCustom, i)
	}
	_ = q.record(kindEvaluation, 100)
	expect("less than a batch of either lane", 4, false)
	_ = q.record(kindCustom, 3)
	expect("a batch", 5, true)
	if got, _ := q.numbers(laneTracked); !slices.Equal(got, upTo(4)) {
		t.Errorf("got %d", got)
	}
	expect("one evaluation for which the store had no room", 1, true)
	_ = q.rest()
	_ = q.record(kindEvaluation, 101)
	expect("one evaluation", 1, false)
	q.queue.flush()
	expect("for a flush", 1, true)
	_ = q.rest()
	_ = q.record(kindCustom, 5)
	expect("recorded after the flush", 1, false)
}

func TestQueueWakesTheFormatter(t *testing.T) {
	woken := func(q *queued) bool {
		select {
		case <-q.wake:
			return true
		default:
			return false
		}
	}
	q := newQueued()
	q.batch = 3
	for i := range 3 {
		_ = q.record(kindCustom, i)
		if want := i != 1; woken(q) != want { // for the first, and for a batch
			t.Errorf("after event %d: %v", i, !want)
		}
	}
	_ = q.record(kindEvaluation, 100)
	if !woken(q) {
		t.Error("not for the first evaluation")
	}
	q.queue.flush()
	if !woken(q) {
		t.Error("not for a flush")
	}
}

// TestQueueKeepsTheOrderOfEachGoroutine records in several goroutines while one takes and settles
// events at random times. No event is lost or repeated.
func TestQueueKeepsTheOrderOfEachGoroutine(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			const writers, each = 5, 200
			random := rand.New(rand.NewPCG(seed, 0))
			q := newQueued(WithMaxEvents(1+random.IntN(100)), WithRequestEvents(1+random.IntN(10)), WithMaxWait(time.Hour))
			var writing sync.WaitGroup
			for w := range writers {
				pauses := rand.New(rand.NewPCG(seed, uint64(w)))
				writing.Go(func() {
					for i := range each {
						if err := q.record(kindCustom, each*w+i); err != nil {
							t.Errorf("event %d: %v", i, err)
						}
						time.Sleep(time.Duration(pauses.IntN(3)) * time.Millisecond)
					}
				})
			}
			next := make([]int, writers)
			for taken := 0; taken < writers*each; {
				batch, _ := q.numbers(laneTracked, laneEvaluations)
				for _, n := range batch {
					if w := n / each; next[w] != n%each {
						t.Fatalf("seed %d: event %d of writer %d is next, want %d", seed, n%each, w, next[w])
					}
					next[n/each]++
				}
				taken += len(batch)
				time.Sleep(time.Duration(random.IntN(5)) * time.Millisecond)
				q.settled(kindCustom, len(batch))
				q.retry()
				q.attempted(true)
				if random.IntN(20) == 0 {
					q.queue.flush()
				}
			}
			writing.Wait()
			if s := q.ledger.stats(); s.Tracked != writers*each || s.Dropped.Total() != 0 {
				t.Errorf("seed %d: %+v", seed, s)
			}
		})
	}
}
