package delivery

import (
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
)

// opened counts n events of a group as recorded, and returns them as the store would have them.
func (l *ledger) opened(t testing.TB, k kind, n int) (events []event) {
	t.Helper()
	for range n {
		epoch, ok := l.open(k.group(), math.MaxUint64)
		if !ok {
			t.Fatal("no room")
		}
		events = append(events, event{epoch: epoch, weight: 1, kind: k})
	}
	return events
}

// verify checks that the counters of both groups balance, and returns them.
func (l *ledger) verify(t testing.TB) Stats {
	t.Helper()
	s := l.stats()
	if s.Tracked+s.Adopted != s.Delivered+s.Waiting+s.SampledOut+s.OnDisk+s.Dropped.Total() {
		t.Fatalf("tracked events don't balance: %+v", s)
	}
	e := s.EvaluationEvents
	if e.Recorded+e.Adopted != e.Delivered+e.Waiting+e.SampledOut+e.OnDisk+e.Dropped.Total() {
		t.Fatalf("other events don't balance: %+v", s)
	}
	if s.Waiting > math.MaxInt64 || e.Waiting > math.MaxInt64 {
		t.Fatalf("fewer than none wait: %+v", s)
	}
	for i := range l.accounts {
		if a := l.accounts[i].pending; a[groupTracked] > math.MaxInt64 || a[groupOthers] > math.MaxInt64 {
			t.Fatalf("fewer than none wait of epoch %d: %+v", l.accounts[i].epoch, l.accounts)
		}
	}
	return s
}

func (w *watch) ended() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

func TestLedgerCounts(t *testing.T) {
	l := newLedger()
	custom, exposures := l.opened(t, kindCustom, 6), l.opened(t, kindEvaluation, 4)
	identify := l.opened(t, kindControl, 1)
	l.refuse(groupTracked, ErrQueueFull)
	l.refuse(groupOthers, ErrClosed)
	l.format(0, [groups]uint64{1, 2}, 3)
	l.settle(custom[:2], nil)
	l.settle(custom[2:3], ErrTooLarge)
	l.lose(0, groupTracked, 1, errNotJSON)
	l.settle(append(exposures[:2:2], identify...), nil)
	l.settle([]event{{kind: kindSummary, weight: 3}}, nil)
	l.attempted(true)
	l.attempted(false)
	l.attempted(false)
	l.repeat(5)
	want := Stats{
		Tracked: 7, Delivered: 2, Waiting: 1, SampledOut: 1, Dropped: Dropped{QueueFull: 1, TooLarge: 1, Refused: 1},
		Requests: 1, Retries: 2, Repeated: 5,
		Evaluations: 6, // without those that are derived
		EvaluationEvents: EventCounts{
			Recorded: 9, Delivered: 6, Waiting: 0, SampledOut: 2, Dropped: Dropped{Closed: 1},
		},
	}
	if got := l.verify(t); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := l.pending(); got != [groups]uint64{1, 0} {
		t.Errorf("%d pending", got)
	}
}

func TestLedgerLimitsWhatWaits(t *testing.T) {
	l := newLedger()
	for i := range 3 {
		if _, ok := l.open(groupTracked, 2); ok != (i < 2) {
			t.Errorf("event %d: %v", i, ok)
		}
	}
	if _, ok := l.open(groupOthers, 1); !ok {
		t.Error("the groups share a limit")
	}
	l.watch() // those of earlier epochs count
	if _, ok := l.open(groupTracked, 2); ok {
		t.Error("there is room for more than the limit")
	}
	l.settle([]event{{weight: 1, kind: kindCustom}}, nil)
	if epoch, ok := l.open(groupTracked, 2); !ok || epoch != 1 {
		t.Errorf("epoch %d, %v", epoch, ok)
	}
	if s := l.verify(t); s.Tracked != 3 {
		t.Errorf("events without room are counted: %+v", s)
	}
}

func TestWatchOfNothing(t *testing.T) {
	l := newLedger()
	w := l.watch()
	if !w.ended() || l.lastWatch() != 0 {
		t.Error("it waits for nothing")
	}
	if pending, lost, cause := l.unwatch(w); pending != [groups]uint64{} || lost != [groups]uint64{} || cause != nil {
		t.Errorf("%d pending, %d lost, %v", pending, lost, cause)
	}
}

// A flush waits for the events of both groups that were recorded before it, in whatever order they
// end, and for no others.
func TestWatchCoversWhatWasRecordedBefore(t *testing.T) {
	l := newLedger()
	first := append(l.opened(t, kindCustom, 2), l.opened(t, kindEvaluation, 1)...)
	a := l.watch()
	second := l.opened(t, kindCustom, 1)
	b := l.watch()
	third := l.opened(t, kindCustom, 1)
	c := l.watch()
	if a.ended() || b.ended() || c.ended() || l.lastWatch() != uint64(c.epoch)+1 {
		t.Fatal("a flush ended too early")
	}
	l.settle(third, nil)
	l.settle(second, nil)
	if a.ended() || b.ended() || c.ended() {
		t.Fatal("a flush ended before what is older than it")
	}
	l.settle(first[1:], nil)
	if a.ended() || b.ended() || c.ended() {
		t.Fatal("a flush ended before all events did")
	}
	l.settle(first[:1], nil)
	if !a.ended() || !b.ended() || !c.ended() || l.lastWatch() != 0 {
		t.Fatal("a flush goes on")
	}
	late := l.opened(t, kindCustom, 1)
	for _, w := range []*watch{a, b, c} {
		if pending, lost, cause := l.unwatch(w); pending != [groups]uint64{} || lost != [groups]uint64{} || cause != nil || w.cause != nil {
			t.Errorf("%d pending, %d lost, %v", pending, lost, cause)
		}
	}
	l.settle(late, nil)
	l.unwatch(l.watch())
	if len(l.accounts) != 1 {
		t.Errorf("%d accounts are kept", len(l.accounts))
	}
}

// What a flush has reported as pending is still covered by the next one.
func TestWatchThatEndsEarly(t *testing.T) {
	l := newLedger()
	events := l.opened(t, kindCustom, 3)
	w := l.watch()
	l.settle(events[:1], nil)
	if pending, lost, _ := l.unwatch(w); pending != [groups]uint64{2, 0} || lost != [groups]uint64{} || w.ended() {
		t.Errorf("%d pending, %d lost", pending, lost)
	}
	if l.lastWatch() != 0 {
		t.Error("it is waited for")
	}
	next := l.watch()
	l.settle(events[1:], nil)
	if !next.ended() {
		t.Error("the next flush goes on")
	}
}

func TestLossIsReportedOnce(t *testing.T) {
	l := newLedger()
	none := [groups]uint64{}
	l.refuse(groupTracked, ErrQueueFull)
	l.settle(l.opened(t, kindEvaluation, 2), ErrTooLarge)
	for range 2 { // what is asked for without a flush is left to be reported
		if n := l.unfinished(); n != [groups]uint64{1, 2} {
			t.Errorf("%d are unfinished", n)
		}
	}
	w := l.watch()
	if !w.ended() {
		t.Error("it waits for what is lost")
	}
	if pending, lost, cause := l.unwatch(w); pending != none || lost != [groups]uint64{1, 2} || !errors.Is(cause, ErrTooLarge) {
		t.Errorf("%d pending, %d lost, %v", pending, lost, cause)
	}
	if _, lost, cause := l.unwatch(l.watch()); lost != none || cause != nil {
		t.Errorf("%d are lost again, %v", lost, cause)
	}

	// Of two flushes at once, both report it.
	l.opened(t, kindCustom, 1)
	a, b := l.watch(), l.watch()
	l.lose(a.epoch, groupTracked, 1, errNotJSON)
	_, first, cause := l.unwatch(b)
	_, second, _ := l.unwatch(a)
	if first != [groups]uint64{1, 0} || second != first || !errors.Is(cause, ErrRefused) {
		t.Errorf("%d and %d are lost, %v", first, second, cause)
	}

	// A loss after a flush is the next one's.
	l.opened(t, kindCustom, 1)
	a = l.watch()
	l.refuse(groupTracked, ErrClosed)
	if pending, lost, _ := l.unwatch(a); pending != [groups]uint64{1, 0} || lost != none {
		t.Errorf("%d pending, %d lost", pending, lost)
	}
	l.settle([]event{{epoch: a.epoch, weight: 1}}, ErrUnauthorized)
	if _, lost, cause := l.unwatch(l.watch()); lost != [groups]uint64{2, 0} || cause == nil {
		t.Errorf("%d lost, %v", lost, cause)
	}

	l.refuse(groupTracked, ErrQueueFull)
	l.forget()
	if _, lost, cause := l.unwatch(l.watch()); lost != none || cause != nil || l.unfinished() != none {
		t.Errorf("%d are remembered, %v", lost, cause)
	}
	l.verify(t)
	if len(l.accounts) != 1 {
		t.Errorf("%d accounts are kept", len(l.accounts))
	}
}

func TestLedgerGivesUp(t *testing.T) {
	l := newLedger()
	l.opened(t, kindCustom, 1)
	a, b := l.watch(), l.watch()
	l.giveUp(l.lastWatch(), ErrUnauthorized)
	for _, w := range []*watch{a, b} {
		if !w.ended() || !errors.Is(w.cause, ErrUnauthorized) {
			t.Errorf("ended %v, %v", w.ended(), w.cause)
		}
		if pending, _, _ := l.unwatch(w); pending != [groups]uint64{1, 0} {
			t.Errorf("%d pending", pending)
		}
	}
	if l.lastWatch() != 0 {
		t.Error("there is a flush left")
	}
	l.giveUp(1, ErrUnauthorized)
	if c := l.watch(); c.ended() {
		t.Error("a later flush ends at once")
	}
}

// TestLedgerAtRandom compares the ledger with a plain list of events through random operations.
func TestLedgerAtRandom(t *testing.T) {
	type flushing struct {
		w      *watch
		covers int // of all events
	}
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 0))
		l := newLedger()
		var all []event // every one that was recorded
		var waiting []int
		var flushes []flushing
		var lost, reported uint64
		end := func(n int) (events []event) { // n that wait, in any order
			for range min(n, len(waiting)) {
				i := random.IntN(len(waiting))
				events = append(events, all[waiting[i]])
				all[waiting[i]].weight = 0
				waiting = append(waiting[:i], waiting[i+1:]...)
			}
			return events
		}
		unwatch := func(i int) {
			pending, dropped, _ := l.unwatch(flushes[i].w)
			var want [groups]uint64
			for _, e := range all[:flushes[i].covers] {
				want[e.kind.group()] += uint64(e.weight)
			}
			if pending != want || flushes[i].w.ended() != (want == [groups]uint64{}) {
				t.Fatalf("seed %d: a flush ended %v with %d pending, want %d", seed, flushes[i].w.ended(), pending, want)
			}
			reported += dropped[groupTracked] + dropped[groupOthers] // by each flush that was open
			flushes = append(flushes[:i], flushes[i+1:]...)
		}
		for range 200 {
			switch random.IntN(7) {
			case 0, 1:
				for _, e := range l.opened(t, []kind{kindCustom, kindControl, kindEvaluation}[random.IntN(3)], random.IntN(4)) {
					waiting = append(waiting, len(all))
					all = append(all, e)
				}
			case 2:
				l.settle(end(random.IntN(5)), nil)
			case 3:
				events := end(random.IntN(3))
				lost += uint64(len(events))
				l.settle(events, ErrTooLarge)
			case 4:
				for _, e := range end(1) {
					var sampledOut [groups]uint64
					sampledOut[e.kind.group()] = 1
					l.format(e.epoch, sampledOut, 0)
				}
			case 5:
				flushes = append(flushes, flushing{l.watch(), len(all)})
			case 6:
				if len(flushes) > 0 {
					unwatch(random.IntN(len(flushes)))
				}
			}
			l.verify(t)
			if s := l.stats(); s.Waiting+s.EvaluationEvents.Waiting != uint64(len(waiting)) {
				t.Fatalf("seed %d: %d wait, want %d", seed, s.Waiting+s.EvaluationEvents.Waiting, len(waiting))
			}
		}
		l.settle(end(len(waiting)), nil)
		flushes = append(flushes, flushing{l.watch(), len(all)})
		for len(flushes) > 0 {
			unwatch(random.IntN(len(flushes)))
		}
		if reported < lost || len(l.accounts) != 1 || len(l.watches) != 0 {
			t.Fatalf("seed %d: %d of %d losses were reported, %d accounts and %d flushes are kept",
				seed, reported, lost, len(l.accounts), len(l.watches))
		}
	}
}

// Several goroutines record, deliver, lose and flush at once: each loss is reported, by one flush
// or by several that are open.
func TestLedgerConcurrently(t *testing.T) {
	const each, flushers = 2_000, 4
	l := newLedger()
	opened := make(chan event, 100)
	var recording, settling, flushing sync.WaitGroup
	for range 4 {
		recording.Go(func() {
			for i := range each {
				if i%10 == 0 {
					l.refuse(groupTracked, ErrQueueFull)
					continue
				}
				epoch, _ := l.open(groupTracked, math.MaxUint64)
				opened <- event{epoch: epoch, weight: 1}
			}
		})
	}
	for i := range 3 {
		settling.Go(func() {
			for e := range opened {
				var cause error
				if i == 0 {
					cause = ErrTooLarge
				}
				l.settle([]event{e}, cause)
			}
		})
	}
	var reported [flushers]uint64
	stop := make(chan struct{})
	for i := range flushers {
		flushing.Go(func() {
			for {
				w := l.watch()
				if i%2 == 0 {
					<-w.done
				}
				_, lost, _ := l.unwatch(w)
				reported[i] += lost[groupTracked]
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	recording.Wait()
	close(opened)
	settling.Wait()
	close(stop)
	flushing.Wait()
	_, rest, _ := l.unwatch(l.watch())
	total := rest[groupTracked]
	for _, n := range reported {
		total += n
	}
	s := l.verify(t)
	if total < s.Dropped.Total() || s.Tracked != 4*each || s.Waiting != 0 || len(l.accounts) != 1 {
		t.Errorf("%d losses were reported, %+v, %d accounts", total, s, len(l.accounts))
	}
}
