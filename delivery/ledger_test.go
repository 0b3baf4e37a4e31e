package delivery

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// opened counts n events of a kind as recorded, and returns them as the formatter does.
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
		t.Fatalf("a negative number of events waits: %+v", s)
	}
	for _, f := range l.flushes {
		if f.waiting[groupTracked] > s.Waiting || f.waiting[groupOthers] > e.Waiting {
			t.Fatalf("%d events of a flush wait, of %+v", f.waiting, s)
		}
	}
	return s
}

func (f *flush) ended() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

func TestLedgerCountsEventsByGroupAndCause(t *testing.T) {
	l := newLedger()
	custom, exposures := l.opened(t, kindCustom, 6), l.opened(t, kindEvaluation, 4)
	identify := l.opened(t, kindControl, 1)
	l.refuse(groupTracked, ErrQueueFull)
	l.refuse(groupOthers, ErrClosed)
	l.format(1, [groups]uint64{1, 2}, 3)
	l.settle(custom[:2], nil)
	l.settle(custom[2:3], ErrTooLarge)
	l.lose(1, groupTracked, 1, errNotJSON)
	l.settle(append(exposures[:2:2], identify...), nil)
	l.settle([]event{{epoch: 1, kind: kindSummary, weight: 3}}, nil)
	l.attempted(true)
	l.attempted(false)
	l.attempted(false)
	l.repeat(5)
	want := Stats{
		Tracked: 7, Delivered: 2, Waiting: 1, SampledOut: 1, Dropped: Dropped{QueueFull: 1, TooLarge: 1, Refused: 1},
		Requests: 1, Retries: 2, Repeated: 5,
		Evaluations: 6, // without derived events
		EvaluationEvents: EventCounts{
			Recorded: 9, Delivered: 6, Waiting: 0, SampledOut: 2, Dropped: Dropped{Closed: 1},
		},
	}
	if got := l.verify(t); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := l.waiting(); got != [groups]uint64{1, 0} {
		t.Errorf("%d wait", got)
	}
}

func TestLedgerLimitsWaitingEvents(t *testing.T) {
	l := newLedger()
	for i := range 3 {
		if _, ok := l.open(groupTracked, 2); ok != (i < 2) {
			t.Errorf("event %d: %v", i, ok)
		}
	}
	if _, ok := l.open(groupOthers, 1); !ok {
		t.Error("the groups share a limit")
	}
	l.begin() // events of earlier epochs count, too
	if _, ok := l.open(groupTracked, 2); ok {
		t.Error("there is room for more than the limit")
	}
	l.settle([]event{{epoch: 1, weight: 1, kind: kindCustom}}, nil)
	if epoch, ok := l.open(groupTracked, 2); !ok || epoch != 2 {
		t.Errorf("epoch %d, %v", epoch, ok)
	}
	if s := l.verify(t); s.Tracked != 3 {
		t.Errorf("events without room are counted: %+v", s)
	}
}

// Events may be settled in any order.
func TestFlushCoversTheEventsRecordedBeforeIt(t *testing.T) {
	l := newLedger()
	first := append(l.opened(t, kindCustom, 2), l.opened(t, kindEvaluation, 1)...)
	a := l.begin()
	second := l.opened(t, kindCustom, 1)
	b := l.begin()
	third := l.opened(t, kindCustom, 1)
	c := l.begin()
	if epoch, covered := l.lastFlush(); a.ended() || b.ended() || c.ended() || epoch != c.epoch || covered != 5 {
		t.Fatalf("flush %d of %d events is the last", epoch, covered)
	}
	l.settle(third, nil)
	l.settle(second, nil)
	if a.ended() || b.ended() || c.ended() {
		t.Fatal("a flush ended before its oldest events")
	}
	l.settle(first[1:], nil)
	if a.ended() || b.ended() || c.ended() {
		t.Fatal("a flush ended before all events were settled")
	}
	l.settle(first[:1], nil)
	if !a.ended() || !b.ended() || !c.ended() || l.flushing() {
		t.Fatal("a flush has not ended")
	}
	l.opened(t, kindCustom, 1)
	for _, f := range []*flush{a, b, c} {
		if waiting, lost := l.end(f); waiting != [groups]uint64{} || lost != (losses{}) || f.cause != nil {
			t.Errorf("%d wait, %+v", waiting, lost)
		}
	}
	if len(l.flushes) != 0 {
		t.Errorf("%d flushes are kept", len(l.flushes))
	}
}

func TestLossIsReportedByTheFlushesThatCoverItOrByTheNext(t *testing.T) {
	l := newLedger()
	none := [groups]uint64{}
	l.refuse(groupTracked, ErrQueueFull)
	l.settle(l.opened(t, kindEvaluation, 2), ErrTooLarge)
	f := l.begin()
	if !f.ended() {
		t.Error("it waits for lost events")
	}
	if waiting, lost := l.end(f); waiting != none || lost.events != [groups]uint64{1, 2} || !errors.Is(lost.cause, ErrTooLarge) {
		t.Errorf("%d wait, %+v", waiting, lost)
	}
	if _, lost := l.end(l.begin()); lost != (losses{}) {
		t.Errorf("lost again: %+v", lost)
	}

	// Two flushes that cover the event both report it.
	l.opened(t, kindCustom, 1)
	a, b := l.begin(), l.begin()
	l.lose(a.epoch, groupTracked, 1, errNotJSON)
	_, first := l.end(b)
	_, second := l.end(a)
	if first.events != [groups]uint64{1, 0} || second != first || !errors.Is(first.cause, ErrRefused) {
		t.Errorf("%+v and %+v", first, second)
	}

	// The next flush reports a loss after a flush began.
	l.opened(t, kindCustom, 1)
	a = l.begin()
	l.refuse(groupTracked, ErrClosed)
	if waiting, lost := l.end(a); waiting != [groups]uint64{1, 0} || lost != (losses{}) {
		t.Errorf("%d wait, %+v", waiting, lost)
	}
	l.settle([]event{{epoch: a.epoch, weight: 1}}, ErrUnauthorized)
	if _, lost := l.end(l.begin()); lost.events != [groups]uint64{2, 0} || !errors.Is(lost.cause, ErrUnauthorized) {
		t.Errorf("%+v", lost)
	}

	l.refuse(groupTracked, ErrQueueFull)
	l.forget()
	if _, lost := l.end(l.begin()); lost != (losses{}) {
		t.Errorf("lost after forget: %+v", lost)
	}
	l.verify(t)
}

func TestGiveUpEndsFlushesUpToAnEpoch(t *testing.T) {
	l := newLedger()
	l.opened(t, kindCustom, 1)
	a, b := l.begin(), l.begin()
	l.giveUp(b.epoch, ErrUnauthorized)
	c := l.begin()
	for _, f := range []*flush{a, b} {
		if !f.ended() || !errors.Is(f.cause, ErrUnauthorized) {
			t.Errorf("ended %v, %v", f.ended(), f.cause)
		}
		if waiting, _ := l.end(f); waiting != [groups]uint64{1, 0} {
			t.Errorf("%d wait", waiting)
		}
	}
	if epoch, _ := l.lastFlush(); c.ended() || epoch != c.epoch {
		t.Error("a later flush ended")
	}
}

// TestLedgerAtRandom compares the ledger with a list of events, in random operations.
func TestLedgerAtRandom(t *testing.T) {
	type flushing struct {
		*flush
		covers int // number of the events in all
	}
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 0))
		l := newLedger()
		var all []event // every recorded event
		var waiting []int
		var flushes []flushing
		var lost, reported uint64
		end := func(n int) (events []event) { // n waiting events, in any order
			for range min(n, len(waiting)) {
				i := random.IntN(len(waiting))
				events = append(events, all[waiting[i]])
				all[waiting[i]].weight = 0
				waiting = append(waiting[:i], waiting[i+1:]...)
			}
			return events
		}
		endFlush := func(i int) {
			pending, dropped := l.end(flushes[i].flush)
			var want [groups]uint64
			for _, e := range all[:flushes[i].covers] {
				want[e.kind.group()] += e.weight
			}
			if pending != want || flushes[i].ended() != (want == [groups]uint64{}) {
				t.Fatalf("seed %d: a flush ended %v with %d pending, want %d", seed, flushes[i].ended(), pending, want)
			}
			reported += dropped.events[groupTracked] + dropped.events[groupOthers] // by each flush that covered them
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
				flushes = append(flushes, flushing{l.begin(), len(all)})
			case 6:
				if len(flushes) > 0 {
					endFlush(random.IntN(len(flushes)))
				}
			}
			l.verify(t)
			if s := l.stats(); s.Waiting+s.EvaluationEvents.Waiting != uint64(len(waiting)) {
				t.Fatalf("seed %d: %d wait, want %d", seed, s.Waiting+s.EvaluationEvents.Waiting, len(waiting))
			}
		}
		l.settle(end(len(waiting)), nil)
		flushes = append(flushes, flushing{l.begin(), len(all)})
		for len(flushes) > 0 {
			endFlush(random.IntN(len(flushes)))
		}
		if reported < lost || len(l.flushes) != 0 {
			t.Fatalf("seed %d: %d of %d losses were reported, %d flushes are kept", seed, reported, lost, len(l.flushes))
		}
	}
}
