package delivery

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

// stored is a memory store with a ledger and the reports of dropped events.
type stored struct {
	*memory
	t       *testing.T
	dropped []DropError
}

func newStored(t *testing.T, maxBytes int) *stored {
	t.Helper()
	m := &stored{t: t}
	s := newSettings([]Option{
		WithMaxBytes(maxBytes), WithLogger(slog.New(slog.DiscardHandler)),
		WithErrorHandler(func(err error) {
			if drop, ok := errors.AsType[*DropError](err); ok {
				m.dropped = append(m.dropped, *drop)
			}
		}),
	}, 0)
	m.memory = newMemory(s, newLedger(), newReporter(s))
	return m
}

// add appends an event with a number in its JSON, which takes size bytes in the store.
func (m *stored) add(k kind, number, size int) {
	m.t.Helper()
	text := fmt.Sprintf(`{"key":"%d"}`, number)
	text += strings.Repeat(" ", size-eventOverhead-len(text))
	m.addText(k, text, 1)
}

func (m *stored) addText(k kind, text string, weight uint64) {
	m.t.Helper()
	e := m.ledger.opened(m.t, k, int(weight))[0]
	e.json, e.weight = []byte(text), weight
	m.append([]event{e})
}

// numbers returns the numbers of a part's events.
func (m *stored) numbers(p *part) (numbers []int) {
	if p == nil {
		return nil
	}
	for i := range p.events {
		n := -1
		_, _ = fmt.Sscan(p.events[i].keyOf(), &n)
		numbers = append(numbers, n)
	}
	return numbers
}

// deliver settles a part as delivered.
func (m *stored) deliver(p *part) {
	m.settle(p)
	m.ledger.settle(p.events, nil)
}

// left checks how many events and bytes wait, and that the counters balance.
func (m *stored) left(events, bytes int) {
	m.t.Helper()
	if n, size := m.waiting(); n != events || size != bytes {
		m.t.Errorf("%d events of %d bytes wait, want %d of %d", n, size, events, bytes)
	}
	m.ledger.verify(m.t)
}

func TestStoreKeepsTheOrder(t *testing.T) {
	m := newStored(t, 100_000)
	kinds := []kind{kindCustom, kindEvaluation, kindEvaluation, kindControl, kindDerived, kindCustom}
	for i := range 20 {
		m.add(kinds[i%len(kinds)], i, 100)
	}
	m.left(20, 2_000)
	first := m.take(7, 1<<20)
	if got := m.numbers(first); !slices.Equal(got, upTo(7)) {
		t.Errorf("first %d", got)
	}
	m.left(13, 1_300)
	a, b := m.divide(first, 3)
	if !slices.Equal(append(m.numbers(a), m.numbers(b)...), upTo(7)) || a.id == b.id || a.id == first.id {
		t.Errorf("divided into %d and %d", m.numbers(a), m.numbers(b))
	}
	m.deliver(b)
	second := m.take(20, 1<<20)
	if got := m.numbers(second); !slices.Equal(got, upTo(20)[7:]) {
		t.Errorf("second %d", got)
	}
	m.deliver(second)
	m.deliver(a)
	m.left(0, 0)
	if m.take(1, 1<<20) != nil {
		t.Error("there is more")
	}
	if s := m.ledger.stats(); s.Waiting+s.EvaluationEvents.Waiting != 0 || m.evaluations() != 0 {
		t.Errorf("%+v, %d evaluations", s, m.evaluations())
	}
}

func TestTakeLimitsTheBytes(t *testing.T) {
	m := newStored(t, 100_000)
	for i := range 6 {
		m.add(kindCustom, i, eventOverhead+100)
	}
	m.add(kindCustom, 6, eventOverhead+1_000)
	m.add(kindCustom, 7, eventOverhead+20)
	for _, want := range [][]int{{0, 1, 2}, {3, 4, 5}, {6}, {7}, nil} { // a larger event is alone
		p := m.take(100, 350)
		if got := m.numbers(p); !slices.Equal(got, want) {
			t.Errorf("got %d, want %d", got, want)
		}
	}
}

// The newest evaluation events make room for tracked events.
func TestEvaluationEventsUseHalfOfTheStoreAndMakeRoom(t *testing.T) {
	m := newStored(t, 1_000)
	for i := range 6 {
		m.add(kindEvaluation, i, 100)
	}
	if m.left(5, 500); len(m.dropped) != 1 || m.dropped[0].Evaluations != 1 || !errors.Is(m.dropped[0].Cause, ErrQueueFull) {
		t.Errorf("dropped %+v", m.dropped)
	}
	for i := range 5 {
		m.add(kindCustom, 10+i, 100)
	}
	if m.left(10, 1_000); len(m.dropped) != 1 {
		t.Errorf("dropped %+v", m.dropped)
	}
	m.add(kindDerived, 20, 90) // no room for it
	m.add(kindCustom, 15, 150) // takes the room of two
	m.add(kindControl, 16, 100)
	if m.left(9, 950); len(m.dropped) != 4 {
		t.Errorf("dropped %+v", m.dropped)
	}
	p := m.take(100, 1<<20)
	if got := m.numbers(p); !slices.Equal(got, []int{0, 1, 10, 11, 12, 13, 14, 15, 16}) {
		t.Errorf("left %d", got)
	}
	m.add(kindCustom, 17, 200) // taken events make no room
	m.left(1, 200)
	s := m.ledger.verify(t)
	if s.Dropped.Total() != 0 || s.EvaluationEvents.Dropped.QueueFull != 5 {
		t.Errorf("%+v", s)
	}
}

func TestStoreHasRoomForAnotherBatch(t *testing.T) {
	m := newStored(t, 8_000) // 1,000 of these for a batch
	for _, c := range []struct {
		k    kind
		size int
		want [lanes]bool
	}{
		{kindEvaluation, 3_000, [lanes]bool{true, true}},
		{kindEvaluation, 100, [lanes]bool{true, false}},
		{kindCustom, 3_000, [lanes]bool{true, false}},
		{kindCustom, 4_000, [lanes]bool{true, true}}, // evaluations make room
		{kindCustom, 100, [lanes]bool{false, false}},
	} {
		m.add(c.k, 0, c.size)
		if got := m.room(); got != c.want {
			t.Errorf("after %d bytes of kind %d: %v", c.size, c.k, got)
		}
	}
}

func TestEventLargerThanTheStoreIsDropped(t *testing.T) {
	m := newStored(t, 1_000)
	m.add(kindEvaluation, 0, 400)
	m.add(kindCustom, 1, 1_001)
	m.left(1, 400) // no event was evicted for it
	if len(m.dropped) != 1 || !errors.Is(m.dropped[0].Cause, ErrTooLarge) || m.dropped[0].EventName != "1" {
		t.Errorf("dropped %+v", m.dropped)
	}
}

// flagSummary1 is a summary of one evaluation of a flag.
func flagSummary1(flag string) string {
	return `{"kind":"summary","startDate":1,"endDate":2,"features":{"` + flag +
		`":{"default":null,"counters":[{"variation":0,"version":1,"value":true,"count":1}],"contextKinds":["user"]}}}`
}

func TestStoreMergesSummaries(t *testing.T) {
	m := newStored(t, 100_000)
	m.add(kindCustom, 0, 100)
	for range 3 {
		m.addText(kindSummary, flagSummary1("a"), 2) // itself and an evaluation
	}
	if n := m.evaluations(); n != 1 {
		t.Errorf("%d events of the evaluations' lane", n)
	}
	m.addText(kindSummary, flagSummary1("b"), 2)
	if s := m.ledger.verify(t); s.EvaluationEvents.Waiting != 5 { // one summary, four evaluations
		t.Errorf("%+v", s)
	}
	p := m.take(10, 1<<20)
	if len(p.events) != 2 || p.events[1].weight != 5 {
		t.Fatalf("%d events", len(p.events))
	}
	s := summaryOf(t, string(p.events[1].json))
	if s.Features["a"].Counters[0].Count != 3 || s.Features["b"].Counters[0].Count != 1 {
		t.Errorf("%s", p.events[1].json)
	}
	m.addText(kindSummary, flagSummary1("a"), 2) // after the events of the request were taken
	m.ledger.begin()
	m.addText(kindSummary, flagSummary1("a"), 2) // of a later epoch
	m.addText(kindSummary, `{"kind":"summary","of":"a later SDK"}`, 1)
	m.deliver(p)
	p = m.take(10, 1<<20)
	if len(p.events) != 3 {
		t.Errorf("%d summaries", len(p.events))
	}
	m.deliver(p)
	m.left(0, 0)
	if s := m.ledger.verify(t); s.EvaluationEvents.Waiting != 0 {
		t.Errorf("%+v", s)
	}
}

// A summary stays open until the last request, but is not sent after later events.
func TestSummaryIsSentBeforeLaterEvents(t *testing.T) {
	m := newStored(t, 100_000)
	for i := range 4 {
		m.add(kindCustom, i, 100)
	}
	m.addText(kindSummary, flagSummary1("a"), 2)
	for i := range 4 {
		m.add(kindCustom, 4+i, 100)
	}
	for i, want := range [][]int{{0, 1}, {2, 3}, {-1, 4}, {5, 6}, {7}} {
		p := m.take(2, 1<<20)
		if got := m.numbers(p); !slices.Equal(got, want) {
			t.Errorf("request %d: got %d, want %d", i, got, want)
		}
	}
}

func TestCloseReturnsTheRemainingEventsOnce(t *testing.T) {
	m := newStored(t, 100_000)
	m.add(kindCustom, 0, 100)
	m.add(kindEvaluation, 1, 100)
	m.add(kindCustom, 2, 100)
	m.take(2, 1<<20)
	m.addText(kindSummary, flagSummary1("a"), 2)
	left := m.close()
	drop(m.ledger, m.report, left, ErrClosed)
	if m.left(0, 0); len(left) != 4 || len(m.dropped) != 1 {
		t.Errorf("%d events are left, dropped %+v", len(left), m.dropped)
	}
	if s := m.ledger.verify(t); s.Dropped.Closed != 2 || s.EvaluationEvents.Dropped.Closed != 3 || m.dropped[0].Events != 2 {
		t.Errorf("%+v", s)
	}
	if m.take(1, 1<<20) != nil || len(m.close()) != 0 {
		t.Error("events remain after close")
	}
}
