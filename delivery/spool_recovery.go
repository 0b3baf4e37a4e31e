package delivery

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"slices"
)

var (
	errSpoolVersion = errors.New("a later version of the provider wrote the spool")
	errSpoolStopped = errors.New("the spool is being closed")
)

// recovery reads a segment that an earlier process wrote. It goes over it twice: first for what is
// known about requests, and then for the events, of which it keeps in memory only those of requests
// that are not settled.
type recovery struct {
	*segment
	version int
	live    []*liveRequest
	owner   []*liveRequest // by the number of the event; nil for none
	settled *liveRequest   // owns the events that are settled, or void, or have been read
	waiting tally          // what was recovered
	lost    uint64         // events that should be there, and cannot be read
}

// liveRequest is a request that is not settled, as long as it owns events.
type liveRequest struct {
	id     string
	events []event
}

// recover reads the segment. Requests that are not settled become parts, other events are fresh.
// A segment that cannot be read at all counts as empty, and is set aside. later has the requests of
// later segments, to which they were moved.
func (g *segment) recover(later map[string]bool, stopped func() bool) (r *recovery, err error) {
	r = &recovery{segment: g, settled: &liveRequest{id: "settled"}}
	// What the process wrote last may not be durable yet. What is decided by it has to be as
	// durable.
	switch err := g.open(); {
	case err == nil:
		_ = g.file.Sync()
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err // another attempt may succeed
	}
	size := g.size
	for _, visit := range []func(from, to int64, record spoolRecord){r.readRequest, r.readEvent} {
		g.size, err = g.scan(0, size, func(from, to int64, record spoolRecord) bool {
			g.damaged = g.damaged || record.kind == ""
			visit(from, to, record)
			return r.version <= spoolVersion && !stopped()
		})
		switch {
		case r.version > spoolVersion:
			return nil, errSpoolVersion
		case stopped():
			return nil, errSpoolStopped
		case passing(err):
			return nil, err
		}
		g.damaged = g.damaged || err != nil
	}
	found := make(map[string]bool)
	for _, q := range r.live {
		if len(q.events) == 0 {
			continue
		}
		slices.SortFunc(q.events, func(a, b event) int { return cmp.Compare(a.seq, b.seq) })
		p := g.newPart(q.events)
		p.id, p.ambiguous = q.id, true // it may have been sent
		if later[p.id] || found[p.id] {
			g.settle(p)
			continue
		}
		found[p.id] = true
		for i := range p.events {
			r.waiting.add(&p.events[i], 1)
		}
	}
	for _, q := range r.live { // also those that were settled or divided here
		later[q.id] = true
	}
	g.evaluations = g.size // it may be nothing else
	g.next = max(uint64(len(r.owner)), 1)
	for n := uint64(1); n < g.next; n++ {
		if r.owner[n] != r.settled {
			r.lost++
		}
	}
	return r, nil
}

// readRequest takes in what a record says about requests, and about the segment.
func (r *recovery) readRequest(_, _ int64, record spoolRecord) {
	var b boundaries
	switch record.kind {
	case recordSpool:
		var h spoolHeader
		if json.Unmarshal(record.json, &h) == nil {
			r.version, r.schema = h.Version, h.Schema
		}
		return
	case recordEvent, recordCopy, "":
		return
	}
	if json.Unmarshal(record.json, &b) != nil || b.From > b.To || !r.plausible(b.From) || !r.plausible(b.To) {
		return
	}
	switch {
	case record.kind == recordRequest:
		r.assign(r.request(b.ID), b.ID, b.From, b.To)
	case record.kind == recordDivide && len(b.Into) == 2 && b.From < b.At && b.At <= b.To:
		r.assign(r.request(b.Into[0]), b.ID, b.From, b.At-1)
		r.assign(r.request(b.Into[1]), b.ID, b.At, b.To)
	case record.kind == recordSettle:
		r.assign(r.settled, b.ID, b.From, b.To)
	}
}

// plausible reports whether an event may have the number: each takes more than a byte.
func (r *recovery) plausible(number uint64) bool { return 1 <= number && number <= uint64(r.size) }

// request makes a request that owns nothing yet.
func (r *recovery) request(id string) *liveRequest {
	q := &liveRequest{id: id}
	r.live = append(r.live, q)
	return q
}

func (r *recovery) grow(number uint64) {
	if n := int(number) + 1 - len(r.owner); n > 0 {
		r.owner = append(r.owner, make([]*liveRequest, n)...)
	}
}

// assign gives to a request the events that are in none, or in that with the ID; without one, all.
func (r *recovery) assign(q *liveRequest, id string, from, to uint64) {
	r.grow(to)
	for n := from; n <= to; n++ { // events between them may be in another request
		if o := r.owner[n]; o == nil || id == "" || o.id == id {
			r.owner[n] = q
		}
	}
}

// readEvent takes in an event: for the request that it is part of, as a fresh one, or not at all,
// where it is settled or was read before.
func (r *recovery) readEvent(from, to int64, record spoolRecord) {
	n := record.number
	if record.kind != recordEvent && record.kind != recordCopy || !r.plausible(n) {
		return
	}
	r.grow(n)
	q := r.owner[n]
	if q == r.settled {
		return
	}
	r.owner[n] = r.settled
	if q != nil {
		q.events = append(q.events, record.toEvent(0))
		return
	}
	if record.kind == recordCopy { // it was to be moved
		return
	}
	e := event{json: record.json, kind: record.event, weight: record.weight}
	r.waiting.add(&e, 1)
	if last := len(r.fresh) - 1; last < 0 || r.fresh[last].to != from {
		r.fresh = append(r.fresh, extent{from: from, since: e.recordedAt()})
	}
	x := &r.fresh[len(r.fresh)-1]
	x.to = to
	x.add(&e, 1)
}

// adopt makes all that was recovered part of an epoch, and returns the parts in order.
func (g *segment) adopt(epoch uint32) []*part {
	for i := range g.fresh {
		g.fresh[i].epoch = epoch
	}
	for p := range g.parts {
		for i := range p.events {
			p.events[i].epoch = epoch
		}
	}
	return slices.SortedFunc(maps.Keys(g.parts), func(a, b *part) int { return cmp.Compare(a.number(0), b.number(0)) })
}
