package delivery

import (
	"errors"
	"io/fs"
	"slices"
	"time"
)

// segment is a file of events, and of what became of them: it needs no other segment. It is
// removed once none of its events waits. Its size is what of it is durable.
type segment struct {
	directory   *directory
	path        string
	file        file // nil while it is not open
	size        int64
	evaluations int64 // of size, about how much is events of that lane
	damaged     bool
	schema      string   // of the events
	next        uint64   // the number of the next event
	notes       []byte   // records that are not durable yet
	fresh       []extent // events that are in no part yet
	parts       map[*part]struct{}
}

func (t *tally) size() int { return t.bytes[groupTracked] + t.bytes[groupOthers] }

func newSegment(d *directory, path string, size int64) *segment {
	return &segment{directory: d, path: path, size: size, schema: d.schema, next: 1, parts: make(map[*part]struct{})}
}

// extent is a run of the records of fresh events, of one epoch.
type extent struct {
	from, to int64
	epoch    uint32
	since    time.Time // when the first event was recorded, at the latest
	tally
}

// tally counts events.
type tally struct {
	events int
	weight [groups]uint64
	bytes  [groups]int
}

func (t *tally) add(e *event, sign int) {
	g := e.kind.group()
	t.events += sign
	t.weight[g] += uint64(sign) * e.weight
	t.bytes[g] += sign * len(e.json)
}

func (t *tally) plus(u tally) {
	t.events += u.events
	for g := range groups {
		t.weight[g] += u.weight[g]
		t.bytes[g] += u.bytes[g]
	}
}

// named reports whether another process would find the file, which is open or never was.
func (g *segment) named() bool { return g.file == nil || g.directory.disk.same(g.path, g.file) }

func (g *segment) idle() bool { return len(g.fresh) == 0 && len(g.parts) == 0 }

// write appends the notes and after them further records, with one fsync: all of them, or none.
// next is the number after the last one in the records.
func (g *segment) write(records []byte, next uint64) error {
	if err := g.open(); err != nil {
		return err
	}
	var header []byte
	if g.size == 0 {
		header = appendRecord(nil, recordSpool, spoolHeader{Version: spoolVersion, Schema: g.schema})
	}
	records = slices.Concat(header, g.notes, records)
	_, err := g.file.WriteAt(records, g.size)
	if err == nil {
		err = g.file.Sync()
	}
	if err == nil && g.size == 0 { // its name has to be durable, too
		err = g.directory.disk.sync(g.directory.path)
	}
	if err != nil {
		if g.file.Truncate(g.size) != nil && next > g.next { // events that are there are not to be delivered from there
			g.note(recordSettle, boundaries{From: g.next, To: next - 1})
			g.next = next
		}
		return err
	}
	g.size += int64(len(records))
	g.notes, g.next = nil, next
	return nil
}

// append writes the events of parts that are to be kept, and fresh events: all of them, or none. It
// calls moved for each of the former, before the part is one of the segment's.
func (g *segment) append(kept, fresh []*part, moved func(*part)) error {
	next, size := g.next, 0
	for _, p := range slices.Concat(kept, fresh) {
		size += p.size()
	}
	records := make([]byte, 0, size)
	for _, p := range kept {
		from := next
		for i := range p.events {
			records = appendEvent(records, recordCopy, next, &p.events[i])
			next++
		}
		records = appendRecord(records, recordRequest, boundaries{ID: p.id, From: from, To: next - 1})
	}
	var extents []extent
	evaluations := 0
	for _, p := range fresh {
		for i := range p.events {
			e := &p.events[i]
			if last := len(extents) - 1; last < 0 || extents[last].epoch != e.epoch {
				extents = append(extents, extent{from: int64(len(records)), epoch: e.epoch, since: e.recordedAt()})
			}
			records = appendEvent(records, recordEvent, next, e)
			next++
			x := &extents[len(extents)-1]
			x.to = int64(len(records))
			x.add(e, 1)
			if e.kind.lane() == laneEvaluations {
				evaluations += e.size()
			}
		}
	}
	number := g.next
	if err := g.write(records, next); err != nil {
		return err
	}
	for _, p := range kept {
		moved(p)
		p.first = number // the sender may read its events meanwhile
		number += uint64(len(p.events))
		g.hold(p)
	}
	g.evaluations += int64(evaluations)
	for _, x := range extents {
		x.from += g.size - int64(len(records))
		x.to += g.size - int64(len(records))
		if last := len(g.fresh) - 1; last >= 0 && g.fresh[last].to == x.from && g.fresh[last].epoch == x.epoch {
			g.fresh[last].to = x.to
			g.fresh[last].plus(x.tally)
		} else {
			g.fresh = append(g.fresh, x)
		}
	}
	return nil
}

// take returns a part with the next events, nil where there are none, and what of them turned out
// to be lost.
func (g *segment) take(limit, bytes int) (p *part, lost []extent) {
	if err := g.open(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil // another attempt may succeed
	}
	var events []event
	for size := 0; len(g.fresh) > 0 && len(events) < limit; {
		x, full := &g.fresh[0], false
		end, err := g.scan(x.from, x.to, func(_, _ int64, r spoolRecord) bool {
			g.damaged = g.damaged || r.kind == ""
			if r.kind != recordEvent || x.events == 0 {
				return true
			}
			size += len(r.json)
			if full = len(events) == limit || size > bytes && len(events) > 0; full {
				return false
			}
			e := r.toEvent(x.epoch)
			events = append(events, e)
			x.add(&e, -1)
			return true
		})
		if passing(err) {
			break
		}
		x.from = end
		if full {
			x.since = events[len(events)-1].recordedAt()
			break
		}
		if x.events > 0 { // their records were there
			g.damaged = true
			lost = append(lost, *x)
		}
		g.fresh = g.fresh[1:]
	}
	if len(events) == 0 {
		return nil, lost
	}
	p = g.newPart(events)
	g.note(recordRequest, boundariesOf(p))
	return p, lost
}

// newPart makes a part of events of the segment.
func (g *segment) newPart(events []event) *part {
	p := newPart(events)
	p.schema = g.schema
	g.hold(p)
	return p
}

func (g *segment) hold(p *part) {
	p.segment = g
	g.parts[p] = struct{}{}
}

// divide replaces a part by two, neither of which keeps the events of the other in memory.
func (g *segment) divide(p *part, n int) (first, rest *part) {
	first, rest = g.newPart(slices.Clone(p.events[:n])), g.newPart(slices.Clone(p.events[n:]))
	delete(g.parts, p)
	b := boundariesOf(p)
	b.At, b.Into = p.number(n), []string{first.id, rest.id}
	if p.first > 0 {
		first.first, rest.first = p.first, b.At
	}
	g.note(recordDivide, b)
	return first, rest
}

// settle ends a part.
func (g *segment) settle(p *part) {
	delete(g.parts, p)
	g.note(recordSettle, boundariesOf(p))
}

// note adds a record for the next write.
func (g *segment) note(kind string, b boundaries) { g.notes = appendRecord(g.notes, kind, b) }

// scan reads the records between two offsets, see [scan].
func (g *segment) scan(from, to int64, visit func(from, to int64, r spoolRecord) bool) (end int64, err error) {
	if err := g.open(); err != nil {
		return from, err
	}
	return scan(g.file, from, to, visit)
}

func (g *segment) open() (err error) {
	if g.file == nil {
		g.file, err = g.directory.disk.open(g.path)
	}
	return err
}

func (g *segment) close() {
	if g.file != nil {
		_ = g.file.Close()
		g.file = nil
	}
}

// remove removes the file, or sets it aside if it has records that cannot be read.
func (g *segment) remove() (err error) {
	g.close()
	disk := g.directory.disk
	if g.damaged {
		err = disk.rename(g.path, g.path+damagedSuffix)
	} else {
		err = disk.remove(g.path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return disk.sync(g.directory.path)
}
