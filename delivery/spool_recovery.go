package delivery

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
)

var (
	errSpoolVersion = errors.New("a later version of the provider wrote the spool")
	errSpoolStopped = errors.New("the spool is being closed")
)

// recovery reads a set that an earlier process wrote. It goes over the segments twice: first for
// what is known about requests, and then for the events, of which it keeps in memory only those of
// requests that are not settled.
type recovery struct {
	set     *set
	stopped func() bool

	live    map[string]boundaries // the requests that are not settled, by payload ID
	covered spans                 // the events of all requests
	parts   []*recoveredPart      // in order of their events

	read     spans  // the events that were read
	first    uint64 // the first number that an event should have
	next     uint64 // the number after that of the last event
	adjacent bool   // whether the event before was a fresh one
	lost     uint64 // events that should be there, and cannot be read
	waiting  tally  // what was recovered
}

// recoveredPart is a request that is not settled.
type recoveredPart struct {
	boundaries
	events  []event
	segment uint32
}

// recover reads the set's segments. The parts of requests that are not settled are among the set's
// then, and its other events are fresh.
func (w *set) recover(stopped func() bool) (r *recovery, err error) {
	w.io.Lock()
	defer w.io.Unlock()
	r = &recovery{set: w, stopped: stopped, live: make(map[string]boundaries)}
	// What the process wrote last may not be durable yet. What is decided by it has to be as
	// durable.
	for _, s := range w.segments {
		if w.openSegment(s) == nil {
			_ = s.file.Sync()
		}
		w.release(s)
	}
	_ = w.directory.disk.sync(w.directory.path)
	if err := r.scan(r.readRequest); err != nil {
		return r, err
	}
	for _, b := range r.live {
		r.parts = append(r.parts, &recoveredPart{boundaries: b})
	}
	slices.SortFunc(r.parts, func(a, b *recoveredPart) int { return cmp.Compare(a.From, b.From) })
	if err := r.scan(r.readEvent); err != nil {
		return r, err
	}
	if r.first > 0 {
		present := slices.Clone(r.covered)
		for _, events := range r.read {
			present.add(events.from, events.to)
		}
		r.lost = present.missing(r.first, r.next)
	}
	for _, found := range r.parts {
		r.lost += found.To - found.From + 1 - uint64(len(found.events))
		if len(found.events) == 0 {
			continue
		}
		slices.SortFunc(found.events, func(a, b event) int { return cmp.Compare(a.seq, b.seq) })
		p := newPart(found.events)
		p.id, p.ambiguous = found.ID, true // it may have been sent
		w.add(p, found.segment)
	}
	w.next = max(r.next, 1)
	return r, nil
}

// scan reads all records. A segment that cannot be read counts as empty, and is set aside.
func (r *recovery) scan(visit func(s *segment, at int64, record spoolRecord)) error {
	for _, s := range r.set.segments {
		version := 0
		x := extent{segment: s, to: s.size}
		_, err := r.set.scan(&x, func(at int64, record spoolRecord) bool {
			if record.kind == "" {
				s.damaged = true
			}
			if record.kind == recordSpool {
				version = r.header(record)
			}
			visit(s, at, record)
			return version <= spoolVersion && !r.stopped()
		})
		r.set.release(s)
		switch {
		case version > spoolVersion:
			return errSpoolVersion
		case r.stopped():
			return errSpoolStopped
		case passing(err):
			return err
		case err != nil:
			s.damaged = true
		}
	}
	return nil
}

func (r *recovery) header(record spoolRecord) (version int) {
	var h spoolHeader
	if json.Unmarshal(record.json, &h) != nil {
		return 0
	}
	if h.Schema != "" {
		r.set.schema = h.Schema
	}
	return h.Version
}

// readRequest takes in what a record says about requests.
func (r *recovery) readRequest(_ *segment, _ int64, record spoolRecord) {
	var b boundaries
	switch record.kind {
	case recordRequest, recordDivide, recordSettle:
		if json.Unmarshal(record.json, &b) != nil || b.From > b.To || b.To > maxNumber {
			return
		}
	default:
		return
	}
	r.covered.add(b.From, b.To)
	r.next = max(r.next, b.To+1)
	delete(r.live, b.ID)
	switch {
	case record.kind == recordRequest:
		r.live[b.ID] = b
	case record.kind == recordDivide && len(b.Into) == 2 && b.From < b.At && b.At <= b.To:
		r.live[b.Into[0]] = boundaries{ID: b.Into[0], From: b.From, To: b.At - 1}
		r.live[b.Into[1]] = boundaries{ID: b.Into[1], From: b.At, To: b.To}
	}
}

// readEvent takes in an event: for the request that it is part of, as a fresh one, or not at all,
// where it is settled or was read before.
func (r *recovery) readEvent(s *segment, at int64, record spoolRecord) {
	switch record.kind {
	case recordSpool:
		var h spoolHeader
		if json.Unmarshal(record.json, &h) != nil || h.First > maxNumber {
			return
		}
		if r.first == 0 {
			r.first = h.First
		}
		r.next = max(r.next, h.First)
	case recordCopy:
		e := record.toEvent(0)
		p := r.part(e.seq)
		if p != nil && !slices.ContainsFunc(p.events, func(other event) bool { return other.seq == e.seq }) {
			p.add(s, e)
			r.waiting.add(&e, 1)
		}
	case recordEvent:
		r.next = max(r.next, record.number+1)
		p := r.part(record.number)
		if r.read.has(record.number) || p == nil && r.covered.has(record.number) {
			r.adjacent = false
			return
		}
		r.read.add(record.number, record.number)
		if p != nil {
			e := record.toEvent(0)
			r.waiting.add(&e, 1)
			p.add(s, e)
			r.adjacent = false
			return
		}
		e := event{json: record.json, kind: record.event, weight: record.weight}
		r.waiting.add(&e, 1)
		r.fresh(s, at, record.length, &e)
	}
}

// part returns the request that is not settled and has the event, nil for none.
func (r *recovery) part(number uint64) *recoveredPart {
	i, found := slices.BinarySearchFunc(r.parts, number, func(p *recoveredPart, n uint64) int { return span{p.From, p.To}.compare(n) })
	if !found {
		return nil
	}
	return r.parts[i]
}

func (p *recoveredPart) add(s *segment, e event) {
	if len(p.events) == 0 {
		p.segment = s.number
	}
	p.events = append(p.events, e)
}

// fresh adds an event to those that are in no request.
func (r *recovery) fresh(s *segment, at, length int64, e *event) {
	if last := len(r.set.fresh) - 1; last < 0 || !r.adjacent || r.set.fresh[last].segment != s {
		r.set.fresh = append(r.set.fresh, extent{segment: s, from: at, since: e.recordedAt()})
	}
	x := &r.set.fresh[len(r.set.fresh)-1]
	x.to = at + length
	x.add(e, 1)
	r.adjacent = true
}

// adopted makes all that was recovered part of an epoch, and returns it.
func (w *set) adopted(epoch uint32) (fresh tally, parts []*part) {
	extents, parts := w.rest()
	for i := range extents {
		extents[i].epoch = epoch
		fresh.plus(extents[i].tally, 1)
	}
	for _, p := range parts {
		for i := range p.events {
			p.events[i].epoch = epoch
		}
	}
	return fresh, parts
}
