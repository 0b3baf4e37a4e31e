package delivery

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// part is the events of a request: they are sent together, under one payload ID, until they are settled or divided.
type part struct {
	id     string // the payload ID, by which LaunchDarkly drops what it has received before
	events []event
	bytes  int // of their JSON

	// What the schedule knows of it.
	failedAt    uint64    // the attempt that failed last; 0 for none
	failures    int       // failed attempts
	tries       int       // failed attempts in a row, with nothing else tried between them
	failedFirst uint64    // the first attempt at this very part that failed, not at one that it was divided from
	strikes     int       // failures of a single event after something else had passed, times strike
	probe       bool      // it was sent alone to find out whether anything passes
	cause       error     // why it is dropped, if it is
	ambiguous   bool      // an attempt failed in a way in which its events may have arrived
	due         time.Time // it is not tried before
	flush       uint64    // the flush for which it was tried last
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

// store keeps formatted events, in order, until they are settled. The formatter appends; everything else is the sender's.
// It is safe for concurrent use.
type store interface {
	// append adds events of one epoch. What there is no room for is dropped, counted and reported.
	append(events []event)
	// evaluations returns how many events of the evaluations' lane are not settled.
	evaluations() int
	// room reports for which lanes there is room for another batch.
	room() [lanes]bool
	// waiting returns how many events were appended and not taken yet, and their bytes.
	waiting() (events, bytes int)
	// held returns the bytes of all events that are not settled, by group, and the oldest of them.
	held() (bytes [groups]int, oldest *event)
	// take returns the next events for a request, nil where there are none. The part exists for good before it returns:
	// after a crash, the same request is repeated.
	take(events, bytes int) *part
	// divide replaces a part by two of its own, of the first n events and of the rest.
	divide(p *part, n int) (*part, *part)
	// settle ends the part's events: they were delivered, or are dropped.
	settle(p *part)
	// recovered returns the parts that an earlier process left behind.
	recovered() []*part
	// close ends the store. It returns the events that it cannot keep for a later process.
	close() []event
}

// evaluationShare is the part of the bounds that evaluation events may use: one half.
const evaluationShare = 2

// memory is a store that ends with the process, bounded by the bytes of the events; the queue bounds their number.
// Evaluation events take half of it at most, and make room for tracked events.
type memory struct {
	settings settings
	ledger   *ledger
	report   *reporter

	mu        sync.Mutex
	seq       uint64
	fresh     [lanes]fifo[event]
	open      *openSummary // the one that later ones are merged into; nil for none
	exposures atomic.Int64 // events of the evaluations' lane that are not settled
	count     int          // of everything that is not settled
	size      [lanes]int   // of the same
	bytes     [groups]int

	parts      map[*part]struct{} // taken and not settled
	taken      int                // their events
	takenBytes int
}

// openSummary is the last event of the evaluations' lane, not in the queue yet.
type openSummary struct {
	event
	content summary
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
		m.open = &openSummary{event: e, content: content}
		m.add(&m.open.event, 1)
		return true
	}
	o := m.open
	if grown := o.content.merge(content); grown {
		m.encode(o)
	}
	o.weight += e.weight - 1 // they become one event
	m.ledger.derive(e.epoch, -1)
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
	room[laneTracked] = m.size[laneTracked]+margin <= m.settings.maxBytes
	room[laneEvaluations] = m.size[laneEvaluations]+margin <= m.settings.maxBytes/evaluationShare &&
		m.size[laneTracked]+m.size[laneEvaluations]+margin <= m.settings.maxBytes
	return room
}

func (m *memory) waiting() (events, bytes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.count - m.taken, m.size[laneTracked] + m.size[laneEvaluations] - m.takenBytes
}

func (m *memory) held() (bytes [groups]int, oldest *event) {
	m.mu.Lock()
	defer m.mu.Unlock()
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
		first := *oldest
		oldest = &first
	}
	return m.bytes, oldest
}

func (m *memory) take(events, bytes int) *part {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.fresh[laneTracked].length + m.fresh[laneEvaluations].length
	if m.open != nil && (all < events || m.next().front().seq > m.open.seq) {
		m.closeSummary() // the request has room for all that waits, or nothing that waits is older
		all++
	}
	taken := make([]event, 0, min(all, events))
	for size := 0; len(taken) < events; {
		next := m.next()
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

// next returns the lane of the next event, nil where none waits.
func (m *memory) next() *fifo[event] {
	tracked, evaluations := &m.fresh[laneTracked], &m.fresh[laneEvaluations]
	switch {
	case tracked.length == 0 && evaluations.length == 0:
		return nil
	case tracked.length == 0, evaluations.length > 0 && evaluations.front().seq < tracked.front().seq:
		return evaluations
	default:
		return tracked
	}
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
	delete(m.parts, p)
	m.taken -= len(p.events)
	m.takenBytes -= p.size()
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
	for next := m.next(); next != nil; next = m.next() {
		left = append(left, next.pop())
	}
	for i := range left {
		m.add(&left[i], -1)
	}
	clear(m.parts)
	m.taken, m.takenBytes = 0, 0
	return left
}

// drop reports that events are lost, and then settles them, so that a flush that waits for them does not return before.
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
