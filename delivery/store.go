package delivery

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// part is the events of a request: they are sent together, under one payload ID, until they are
// settled or divided.
type part struct {
	id     string // the payload ID, by which LaunchDarkly drops what it has received before
	events []event
	bytes  int // of their JSON

	// What the schedule knows of it.
	failedAt  uint64    // the last attempt at it, or at what it was divided from, that failed; 0 for none
	failures  int       // failed attempts at this very part, other than early ones
	suspect   bool      // it failed although something else passed, or what it was divided from did
	flaky     bool      // something else that had failed passed unchanged while it was held
	strikes   int       // failures of a single event after something else had passed, times strike
	due       time.Time // a suspect is not tried before
	cause     error     // why it is dropped, if it is
	ambiguous bool      // an attempt failed in a way in which its events may have arrived
	flush     uint32    // the flush for which it was tried last

	// Where it is on disk; unused in a memory store.
	segment *segment // nil for a part that is in memory only
	schema  string   // of its events, where a process with another version of LaunchDarkly's SDK may have written them
}

func newPart(events []event) *part {
	p := &part{id: uuid.NewString(), events: events}
	for i := range events {
		p.bytes += len(events[i].json)
	}
	return p
}

// size is what the part's events take in the store.
func (p *part) size() int { return p.bytes + len(p.events)*eventOverhead }

// store keeps formatted events, in order, until they are settled. The formatter appends; everything
// else is the sender's. It is safe for concurrent use.
type store interface {
	// append adds events of one epoch. What there is no room for is dropped, counted and reported.
	append(events []event)
	// evaluations returns how many events of the evaluations' lane are not settled.
	evaluations() int
	// room reports for which lanes there is room for another batch.
	room() [lanes]bool
	// waiting returns how many events may be taken, and their bytes.
	waiting() (events, bytes int)
	// held returns the bytes of all events that are not settled, by group, and when the oldest of
	// them was recorded.
	held() (bytes [groups]int, oldest time.Time)
	// take returns the next events for a request, nil where there are none. The part exists for
	// good before it returns: after a crash, the same request is repeated.
	take(events, bytes int) *part
	// divide replaces a part by two of its own, of the first n events and of the rest.
	divide(p *part, n int) (*part, *part)
	// settle ends the part's events: they were delivered, or are dropped.
	settle(p *part)
	// recovered returns the parts that earlier processes left behind and that it has not returned
	// before.
	recovered() []*part
	// close ends the store. It returns the events that it cannot keep for a later process.
	close() []event
}

// evaluationShare is the part of the bounds that evaluation events may use: one half.
const evaluationShare = 2

// memory is a store that ends with the process, bounded by the bytes of the events; the queue
// bounds their number. Evaluation events take half of it at most, and make room for tracked events.
type memory struct {
	settings settings
	ledger   *ledger
	report   *reporter

	mu        sync.Mutex
	seq       uint64
	fresh     [lanes]fifo[event]
	open      *openSummary  // the one that later ones are merged into; nil for none
	delay     time.Duration // for which a summary stays open, unless a flush waits
	exposures atomic.Int64  // events of the evaluations' lane that are not settled
	count     int           // of everything that is not settled
	size      [lanes]int    // of the same
	bytes     [groups]int

	parts      map[*part]struct{} // taken and not settled
	taken      int                // their events
	takenBytes int
}

// openSummary is the last event of the evaluations' lane, not in the queue yet.
type openSummary struct {
	event
	content summary
	opened  time.Time
}

func newMemory(s settings, l *ledger, r *reporter) *memory {
	return &memory{settings: s, ledger: l, report: r, parts: make(map[*part]struct{})}
}

func (m *memory) append(events []event) {
	m.mu.Lock()
	var refused, tooLarge []event
	for i := range events {
		e := &events[i]
		m.seq++
		e.seq = m.seq
		switch {
		case e.size() > m.settings.maxBytes:
			tooLarge = append(tooLarge, *e)
			continue
		case e.kind == kindSummary && m.merge(*e):
			continue
		case e.kind.lane() == laneEvaluations && !m.fits(e):
			refused = append(refused, *e)
			continue
		case e.kind.lane() == laneTracked:
			refused = m.evict(e, refused)
		}
		m.push(*e)
	}
	m.mu.Unlock()
	drop(m.ledger, m.report, tooLarge, ErrTooLarge)
	drop(m.ledger, m.report, refused, ErrQueueFull)
}

// merge takes a summary into the open one, or opens it.
func (m *memory) merge(e event) bool {
	content, ok := parseSummary(e.json)
	if !ok {
		return false
	}
	if m.open == nil || m.open.epoch != e.epoch {
		m.closeSummary()
		m.open = &openSummary{event: e, content: content, opened: time.Now()}
		m.add(&m.open.event, 1)
		return true
	}
	o := m.open
	if grown := o.content.merge(content); grown {
		m.encode(o)
	}
	o.weight += e.weight - 1 // they become one event
	m.ledger.merge(e.epoch)
	return true
}

func (m *memory) encode(o *openSummary) {
	m.add(&o.event, -1)
	o.json = o.content.text()
	m.add(&o.event, 1)
}

// closeSummary puts the open summary into the queue.
func (m *memory) closeSummary() {
	if m.open == nil {
		return
	}
	m.encode(m.open) // with the last counts
	m.fresh[laneEvaluations].push(m.open.event)
	m.open = nil
}

func (m *memory) push(e event) {
	m.add(&e, 1)
	m.fresh[e.kind.lane()].push(e)
}

// add counts an event in, or out.
func (m *memory) add(e *event, n int) {
	l := e.kind.lane()
	m.count += n
	if l == laneEvaluations {
		m.exposures.Add(int64(n))
	}
	m.size[l] += n * e.size()
	m.bytes[e.kind.group()] += n * e.size()
}

// fits reports whether the evaluations' share has room for an event.
func (m *memory) fits(e *event) bool {
	return m.size[laneEvaluations]+e.size() <= m.settings.maxBytes/evaluationShare &&
		m.size[laneTracked]+m.size[laneEvaluations]+e.size() <= m.settings.maxBytes
}

// evict drops the newest evaluation events until a tracked one fits beside them.
func (m *memory) evict(e *event, refused []event) []event {
	for m.fresh[laneEvaluations].length > 0 &&
		m.size[laneTracked]+m.size[laneEvaluations]+e.size() > m.settings.maxBytes {
		last := m.fresh[laneEvaluations].popLast()
		m.add(&last, -1)
		refused = append(refused, last)
	}
	return refused
}

func (m *memory) evaluations() int { return int(m.exposures.Load()) }

func (m *memory) room() (room [lanes]bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	margin := m.settings.rawBytes
	all := m.size[laneTracked]+m.size[laneEvaluations]+margin <= m.settings.maxBytes
	room[laneTracked] = m.size[laneTracked]+margin <= m.settings.maxBytes
	room[laneEvaluations] = m.size[laneEvaluations]+margin <= m.settings.maxBytes/evaluationShare && all
	for l := range lanes { // what does not fit into an empty store is dropped there
		room[l] = room[l] || m.size[laneTracked]+m.size[laneEvaluations] == 0
	}
	return room
}

func (m *memory) waiting() (events, bytes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.count - m.taken, m.size[laneTracked] + m.size[laneEvaluations] - m.takenBytes
}

func (m *memory) held() (bytes [groups]int, recorded time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var oldest *event
	older := func(e *event) {
		if oldest == nil || e.seq < oldest.seq {
			oldest = e
		}
	}
	for p := range m.parts {
		older(&p.events[0])
	}
	for l := range lanes {
		if m.fresh[l].length > 0 {
			older(m.fresh[l].front())
		}
	}
	if m.open != nil {
		older(&m.open.event)
	}
	if oldest != nil {
		recorded = oldest.recordedAt()
	}
	return m.bytes, recorded
}

func (m *memory) take(events, bytes int) *part {
	return m.takeFrom([lanes]bool{true, true}, events, bytes)
}

// mayClose reports whether a request may end with the open summary: it has room for all that waits,
// and the summary has been merged for long enough; or a flush waits, or nothing that waits is
// older.
func (m *memory) mayClose(room bool) bool {
	if next := m.next([lanes]bool{true, true}); next != nil && next.front().seq > m.open.seq {
		return true
	}
	return room && (m.delay == 0 || time.Since(m.open.opened) >= m.delay || m.ledger.flushing())
}

// takeFrom takes the next events of some lanes.
func (m *memory) takeFrom(from [lanes]bool, events, bytes int) *part {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.fresh[laneTracked].length + m.fresh[laneEvaluations].length
	if m.open != nil && m.mayClose(all < events) {
		m.closeSummary()
		all++
	}
	taken := make([]event, 0, min(all, events))
	for size := 0; len(taken) < events; {
		next := m.next(from)
		if next == nil {
			break
		}
		if size += len(next.front().json); size > bytes && len(taken) > 0 {
			break
		}
		taken = append(taken, next.pop())
	}
	if len(taken) == 0 {
		return nil
	}
	p := newPart(taken)
	m.parts[p] = struct{}{}
	m.taken += len(taken)
	m.takenBytes += p.size()
	return p
}

// next returns the lane of the next event of some lanes, nil where none waits.
func (m *memory) next(from [lanes]bool) (next *fifo[event]) {
	for l := range lanes {
		lane := &m.fresh[l]
		if from[l] && lane.length > 0 && (next == nil || lane.front().seq < next.front().seq) {
			next = lane
		}
	}
	return next
}

// restore puts the events of a part back to where they were taken from.
func (m *memory) restore(p *part) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.release(p)
	for _, e := range slices.Backward(p.events) {
		m.fresh[e.kind.lane()].pushFront(e)
	}
}

// setDelay sets for how long a summary stays open.
func (m *memory) setDelay(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.delay = d
}

// release forgets a part.
func (m *memory) release(p *part) {
	delete(m.parts, p)
	m.taken -= len(p.events)
	m.takenBytes -= p.size()
}

func (m *memory) divide(p *part, n int) (*part, *part) {
	first, rest := newPart(p.events[:n:n]), newPart(p.events[n:])
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.parts, p)
	m.parts[first], m.parts[rest] = struct{}{}, struct{}{}
	return first, rest
}

func (m *memory) settle(p *part) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.release(p)
	for i := range p.events {
		m.add(&p.events[i], -1)
	}
}

func (m *memory) recovered() []*part { return nil }

func (m *memory) close() []event {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closeSummary()
	var left []event
	for p := range m.parts {
		left = append(left, p.events...)
	}
	all := [lanes]bool{true, true}
	for next := m.next(all); next != nil; next = m.next(all) {
		left = append(left, next.pop())
	}
	for i := range left {
		m.add(&left[i], -1)
	}
	clear(m.parts)
	m.taken, m.takenBytes = 0, 0
	return left
}

// drop reports that events are lost, and then settles them, so that a flush that waits for them
// does not return before.
func drop(l *ledger, r *reporter, events []event, cause error) {
	if len(events) == 0 {
		return
	}
	report := DropError{Cause: cause}
	for i := range events {
		if events[i].kind.group() == groupTracked {
			report.Events += int(events[i].weight)
		} else {
			report.Evaluations += int(events[i].weight)
		}
	}
	if report.Events == 1 && len(events) == 1 {
		report.EventName = events[0].keyOf()
	}
	r.dropped(report)
	l.settle(events, cause)
}
