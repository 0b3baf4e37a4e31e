package delivery

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
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
	version int
	first   uint64 // the first number that an event should have; 0 where it is unknown
	next    uint64 // the number after the last one that is mentioned
	live    []*liveRequest
	read    spans // the events that are settled, or void, or were read
	waiting tally // what was recovered
}

// liveRequest is a request that is not settled.
type liveRequest struct {
	boundaries
	events  []event
	segment uint32 // of the first
}

// recover reads the set's segments. Requests that are not settled become parts of the set, other
// events fresh ones. lost is how many events should be there, and cannot be read.
func (w *set) recover(stopped func() bool) (waiting tally, lost uint64, err error) {
	// What the process wrote last may not be durable yet. What is decided by it has to be as
	// durable.
	for _, s := range w.segments {
		if w.open(s) == nil {
			_ = s.file.Sync()
		}
		w.release(s)
	}
	_ = w.directory.disk.sync(w.directory.path)
	r := &recovery{set: w}
	live := make(map[string]*liveRequest)
	err = r.scan(stopped, func(_ *segment, record spoolRecord) { r.readRequest(record, live) })
	if err != nil {
		return waiting, 0, err
	}
	for _, q := range live {
		r.live = append(r.live, q)
	}
	slices.SortFunc(r.live, func(a, b *liveRequest) int { return cmp.Compare(a.From, b.From) })
	if err = r.scan(stopped, r.readEvent); err != nil {
		return waiting, 0, err
	}
	for _, q := range r.live {
		lost += r.read.missing(q.From, q.To+1)
		r.read.add(q.From, q.To)
		if len(q.events) > 0 {
			slices.SortFunc(q.events, func(a, b event) int { return cmp.Compare(a.seq, b.seq) })
			p := w.newPart(q.events, q.segment)
			p.id, p.ambiguous = q.ID, true // it may have been sent
		}
	}
	if r.first > 0 {
		lost += r.read.missing(r.first, r.next)
	}
	w.next = max(r.next, 1)
	return r.waiting, lost, nil
}

// scan reads all records. A segment that cannot be read counts as empty, and is set aside.
func (r *recovery) scan(stopped func() bool, visit func(s *segment, record spoolRecord)) error {
	for _, s := range r.set.segments {
		_, err := r.set.scan(s, 0, func(record spoolRecord) bool {
			s.damaged = s.damaged || record.kind == ""
			visit(s, record)
			return r.version <= spoolVersion && !stopped()
		})
		r.set.release(s)
		switch {
		case r.version > spoolVersion:
			return errSpoolVersion
		case stopped():
			return errSpoolStopped
		case passing(err):
			return err
		case err != nil:
			s.damaged = true
		}
	}
	return nil
}

// readRequest takes in what a record says about requests, and about the set.
func (r *recovery) readRequest(record spoolRecord, live map[string]*liveRequest) {
	var b boundaries
	switch record.kind {
	case recordSpool:
		var h spoolHeader
		if json.Unmarshal(record.json, &h) != nil {
			return
		}
		r.version, r.set.schema = h.Version, cmp.Or(h.Schema, r.set.schema)
		if h.First <= maxNumber {
			r.first, r.next = cmp.Or(r.first, h.First), max(r.next, h.First)
		}
		return
	case recordEvent:
		r.next = max(r.next, record.number+1)
		return
	case recordRequest, recordDivide, recordSettle:
		if json.Unmarshal(record.json, &b) != nil || b.From > b.To || b.To > maxNumber {
			return
		}
	default:
		return
	}
	r.next = max(r.next, b.To+1)
	r.set.done.add(b.From, b.To)
	delete(live, b.ID)
	switch {
	case record.kind == recordRequest:
		live[b.ID] = &liveRequest{boundaries: b}
	case record.kind == recordSettle:
		r.read.add(b.From, b.To)
	case len(b.Into) == 2 && b.From < b.At && b.At <= b.To:
		live[b.Into[0]] = &liveRequest{boundaries: boundaries{ID: b.Into[0], From: b.From, To: b.At - 1}}
		live[b.Into[1]] = &liveRequest{boundaries: boundaries{ID: b.Into[1], From: b.At, To: b.To}}
	}
}

// readEvent takes in an event: for the request that it is part of, as a fresh one, or not at all,
// where it is settled or was read before.
func (r *recovery) readEvent(s *segment, record spoolRecord) {
	if record.kind != recordEvent || r.read.has(record.number) {
		return
	}
	r.read.add(record.number, record.number)
	i, sent := slices.BinarySearchFunc(r.live, record.number, func(q *liveRequest, n uint64) int { return span{q.From, q.To}.compare(n) })
	switch {
	case sent:
		q, e := r.live[i], record.toEvent(0)
		if len(q.events) == 0 {
			q.segment = s.number
		}
		q.events = append(q.events, e)
		r.waiting.add(&e, 1)
	case !r.set.done.has(record.number):
		r.fresh(s, record)
	}
}

// fresh adds an event to those that are in no request.
func (r *recovery) fresh(s *segment, record spoolRecord) {
	e := event{json: record.json, kind: record.event, weight: record.weight}
	fresh := &r.set.fresh
	if last := len(*fresh) - 1; last < 0 || (*fresh)[last].segment != s {
		*fresh = append(*fresh, extent{segment: s, from: record.number, since: e.recordedAt()})
	}
	x := &(*fresh)[len(*fresh)-1]
	x.from, x.to = min(x.from, record.number), max(x.to, record.number)
	x.add(&e, 1)
	r.waiting.add(&e, 1)
}

// adopted makes all that was recovered part of an epoch, and returns the parts in order.
func (w *set) adopted(epoch uint32) []*part {
	for i := range w.fresh {
		w.fresh[i].epoch = epoch
	}
	for p := range w.parts {
		for i := range p.events {
			p.events[i].epoch = epoch
		}
	}
	return slices.SortedFunc(maps.Keys(w.parts), func(a, b *part) int { return cmp.Compare(a.events[0].seq, b.events[0].seq) })
}
