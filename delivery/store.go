package delivery

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// part holds the events of one request. They are sent together, with the same payload ID in each
// attempt, until they are settled or divided.
type part struct {
	id     string // the payload ID, by which LaunchDarkly recognizes a repeated request
	events []event
	bytes  int // size of the events' JSON

	// Owned by the schedule; see there for the terms.
	failedAt  uint64    // number of the last failed attempt, including those before it was divided; 0 for none
	failures  int       // failed attempts since it was divided, except early ones
	suspect   bool      // it was at fault, or the part from which it was divided
	flakes    int       // flakes while it was held, at most one for each of its failures
	flakedAt  uint64    // the number of the attempt that was the last flake
	strikes   int       // strikes of a single event, times strike
	due       time.Time // a suspect is not sent before, except for a flush
	cause     error     // the last failure
	overload  bool      // the last failure was a 429 or 503, which is about the service
	ambiguous bool      // its events may have arrived in a failed attempt
	flush     uint32    // the epoch of the last flush for which it was sent
	sent      time.Time // when it was sent last

	// Its place on disk; unused in a memory store.
	segment *segment // nil for a part that is in memory only
	first   uint64   // the number of its first event there, if it was moved; otherwise the events have theirs
	schema  string   // the schema version if it may differ from the SDK's; empty otherwise
}

func newPart(events []event) *part {
	p := &part{id: uuid.NewString(), events: events}
	for i := range events {
		p.bytes += len(events[i].json)
	}
	return p
}

// size returns the bytes that the part's events take in the store.
func (p *part) size() int { return p.bytes + len(p.events)*eventOverhead }

// store keeps formatted events, in order, until they are settled: delivered or dropped. The
// formatter calls append; the sender calls take, divide, settle and recovered. It is safe for
// concurrent use.
type store interface {
	// append adds events of one epoch. It drops, counts and reports those for which there is no
	// room.
	append(events []event)
	// evaluations returns the number of events of the evaluations lane that are not settled.
	evaluations() int
	// room reports for which lanes there is room for another batch.
	room() [lanes]bool
	// waiting returns the number of events that can be taken, and their bytes.
	waiting() (events, bytes int)
	// held returns the bytes of the events that are not settled, by group, and the time at which
	// the oldest one was recorded.
	held() (bytes [groups]int, oldest time.Time)
	// take returns the next events for a request, or nil if there are none. A store on disk records
	// the part before take returns, so that the same request is repeated after a crash.
	take(events, bytes int) *part
	// divide replaces p with two parts, of its first n events and of the rest.
	divide(p *part, n int) (*part, *part)
	// settle removes the part and its events.
	settle(p *part)
	// recovered returns the parts that earlier processes left behind, each once.
	recovered() []*part
	// close closes the store, and returns the events that it cannot keep for a later process.
	close() []event
}

// evaluationShare is the divisor of the bounds for evaluation events: they may use half of them.
const evaluationShare = 2

// memory is a store in memory. It bounds the bytes of events; the queue bounds their number.
// Evaluation events use at most half of the bytes, and are dropped if tracked events need the room.
type memory struct {
	settings settings
	ledger   *ledger
	report   *reporter

	mu        sync.Mutex
	seq       uint64
	fresh     [lanes]fifo[event]
	open      *openSummary  // the summary into which later ones are merged; nil for none
	delay     time.Duration // how long a summary stays open, unless a flush waits
	exposures atomic.Int64  // events of the evaluations lane that are not settled
	count     int           // events that are not settled
	size      [lanes]int    // their bytes by lane
	bytes     [groups]int   // their bytes by group

	parts      map[*part]struct{} // taken and not settled
	taken      int                // their events
	takenBytes int                // the bytes of these
}

// openSummary is the summary into which later ones are merged. It is not in a lane yet.
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

// merge merges a summary into the open one, or makes it the open one. It returns false if the
// content is unknown.
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

// encode updates the event's JSON from the summary's content.
func (m *memory) encode(o *openSummary) {
	m.add(&o.event, -1)
	o.json = o.content.text()
	m.add(&o.event, 1)
}

// closeSummary moves the open summary into its lane.
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

// add counts an event if n is 1, or removes it from the counts if n is -1.
func (m *memory) add(e *event, n int) {
	l := e.kind.lane()
	m.count += n
	if l == laneEvaluations {
		m.exposures.Add(int64(n))
	}
	m.size[l] += n * e.size()
	m.bytes[e.kind.group()] += n * e.size()
}

// fits reports whether there is room for an event of the evaluations lane.
func (m *memory) fits(e *event) bool {
	return m.size[laneEvaluations]+e.size() <= m.settings.maxBytes/evaluationShare &&
		m.size[laneTracked]+m.size[laneEvaluations]+e.size() <= m.settings.maxBytes
}

// evict removes the newest evaluation events until a tracked event fits, and appends them to
// refused.
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
	for l := range lanes { // append drops what does not fit into an empty store
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

// mayClose reports whether the next request may include the open summary: if no older event waits,
// or if the request has room for all events, and the summary was open for long enough or a flush
// waits.
func (m *memory) mayClose(room bool) bool {
	if next := m.next([lanes]bool{true, true}); next != nil && next.front().seq > m.open.seq {
		return true
	}
	return room && (m.delay == 0 || time.Since(m.open.opened) >= m.delay || m.ledger.flushing())
}

// takeFrom is take from some lanes only.
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

// next returns the lane with the oldest event, of the given ones, or nil if they are empty.
func (m *memory) next(from [lanes]bool) (next *fifo[event]) {
	for l := range lanes {
		lane := &m.fresh[l]
		if from[l] && lane.length > 0 && (next == nil || lane.front().seq < next.front().seq) {
			next = lane
		}
	}
	return next
}

// restore moves the events of a part back to their lanes.
func (m *memory) restore(p *part) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.release(p)
	for _, e := range slices.Backward(p.events) {
		m.fresh[e.kind.lane()].pushFront(e)
	}
}

// setDelay sets how long a summary stays open.
func (m *memory) setDelay(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.delay = d
}

// release removes a part. The caller must hold the lock.
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

// drop reports events as dropped, and then settles them, so that a flush that covers them does not
// return before the report.
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
