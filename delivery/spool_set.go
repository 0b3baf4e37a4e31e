package delivery

import (
	"errors"
	"io/fs"
	"slices"
	"time"
)

// errSpoolGone means that a file of the spool was removed or replaced by somebody else.
var errSpoolGone = errors.New("the spool's files were removed")

// set is the segments that one process began to write, under one lock: its events in order, and
// what became of them. Only the process that has the lock reads or writes them. Segments are only
// appended to, and removed oldest first, when none of their events waits any more.
type set struct {
	directory *directory
	name      string
	schema    string // of the events
	lock      file

	segments []*segment // ascending
	head     *segment   // the last one, while it is written to
	next     uint64     // the number of the next event
	notes    []byte     // records that are not durable yet
	fresh    []extent   // events that are in no part yet
	done     spans      // the numbers of events that are not fresh any more
	parts    map[*part]struct{}
	gone     bool // the files have lost their names: what is open can be read, and nothing is written
}

// segment is a file. Its size is what of it is durable.
type segment struct {
	number      uint32
	size        int64
	evaluations int64 // of size, about how much is events of that lane
	read        int64 // of size, what has no fresh events any more
	damaged     bool
	file        file // nil while it is not open
}

// extent is the fresh events of one epoch in a segment.
type extent struct {
	segment  *segment
	from, to uint64 // their numbers, and maybe those of others
	epoch    uint32
	since    time.Time // when the first of them was recorded, at the latest
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
	t.weight[g] += uint64(sign) * uint64(e.weight)
	t.bytes[g] += sign * len(e.json)
}

func (t *tally) plus(u tally) {
	t.events += u.events
	for g := range groups {
		t.weight[g] += u.weight[g]
		t.bytes[g] += u.bytes[g]
	}
}

// publish adds an event of the head to the fresh ones.
func (w *set) publish(e event) {
	if last := len(w.fresh) - 1; last < 0 || w.fresh[last].segment != w.head || w.fresh[last].epoch != e.epoch {
		w.fresh = append(w.fresh, extent{segment: w.head, from: e.seq, epoch: e.epoch, since: e.recordedAt()})
	}
	x := &w.fresh[len(w.fresh)-1]
	x.to = e.seq
	x.add(&e, 1)
	if e.kind.lane() == laneEvaluations {
		w.head.evaluations += int64(e.size())
	}
}

// take returns a part with the next events, nil where there are none, and what of them turned out
// to be lost.
func (w *set) take(limit, bytes int) (p *part, lost []extent) {
	var events []event
	first := uint32(0)
	for size := 0; len(w.fresh) > 0 && len(events) < limit; {
		x := &w.fresh[0]
		full := false
		end, err := w.scan(x.segment, x.segment.read, func(r spoolRecord) bool {
			switch {
			case r.kind == "":
				x.segment.damaged = true
			case r.kind != recordEvent || w.done.has(r.number):
			case r.number > x.to:
				return false
			default:
				size += len(r.json)
				if full = len(events) == limit || size > bytes && len(events) > 0; full {
					return false
				}
				if len(events) == 0 {
					first = x.segment.number
				}
				e := r.toEvent(x.epoch)
				events = append(events, e)
				x.add(&e, -1)
				w.done.add(e.seq, e.seq)
			}
			return true
		})
		if passing(err) {
			break
		}
		x.segment.read = end
		if full {
			x.since = events[len(events)-1].recordedAt()
			break
		}
		if x.events != 0 { // their records were there
			x.segment.damaged = true
			w.done.add(x.from, x.to)
			lost = append(lost, *x)
		}
		w.fresh = w.fresh[1:]
		w.release(x.segment)
	}
	if len(events) == 0 {
		return nil, lost
	}
	p = w.newPart(events, first)
	w.note(recordRequest, boundariesOf(p))
	return p, lost
}

// newPart makes a part of events of which the first is in a segment with that number.
func (w *set) newPart(events []event, segment uint32) *part {
	p := newPart(events)
	p.schema = w.schema
	w.add(p, segment)
	return p
}

func (w *set) add(p *part, segment uint32) {
	p.set, p.segment = w, segment
	w.parts[p] = struct{}{}
}

// keep makes a part one of the set's, of which write has just written the events, numbered from
// from. It returns the number of the next one.
func (w *set) keep(p *part, from uint64) (next uint64) {
	next = from
	for i := range p.events {
		p.events[i].seq = next
		next++
	}
	w.done.add(from, next-1)
	w.add(p, w.head.number)
	return next
}

// divide replaces a part by two, neither of which keeps the events of the other in memory.
func (w *set) divide(p *part, n int) (first, rest *part) {
	first = w.newPart(slices.Clone(p.events[:n]), p.segment)
	rest = w.newPart(slices.Clone(p.events[n:]), p.segment)
	delete(w.parts, p)
	b := boundariesOf(p)
	b.At, b.Into = rest.events[0].seq, []string{first.id, rest.id}
	w.note(recordDivide, b)
	return first, rest
}

// settle ends a part.
func (w *set) settle(p *part) {
	delete(w.parts, p)
	w.note(recordSettle, boundariesOf(p))
}

// note adds a record that the next commit writes.
func (w *set) note(kind string, b boundaries) {
	if !w.gone {
		w.notes = appendRecord(w.notes, kind, b)
	}
}

// write makes durable the notes, the events of parts that are to be kept, and fresh events: all of
// it, or none.
func (w *set) write(kept, fresh []*part) error {
	if len(w.notes)+len(kept)+len(fresh) == 0 {
		return nil
	}
	if w.check() {
		return errSpoolGone
	}
	size := 0
	for _, p := range fresh {
		size += p.size()
	}
	records, next := make([]byte, 0, size), w.next
	for _, p := range kept {
		records = appendRecord(records, recordRequest, boundaries{ID: p.id, From: next, To: next + uint64(len(p.events)) - 1})
		records, next = appendEvents(records, p.events, next)
	}
	number := next
	for _, p := range fresh {
		records, next = appendEvents(records, p.events, next)
	}
	if err := w.commit(records, next); err != nil {
		return err
	}
	for _, p := range fresh {
		for _, e := range p.events {
			e.seq = number
			w.publish(e)
			number++
		}
	}
	return nil
}

// commit writes the notes and after them further records to the head, with one fsync. next is the
// number after the last one in the records. No number is ever that of two events.
func (w *set) commit(records []byte, next uint64) error {
	if err := w.begin(); err != nil {
		return err
	}
	s := w.head
	var header []byte
	if s.size == 0 {
		header = appendRecord(nil, recordSpool, spoolHeader{Version: spoolVersion, Schema: w.schema, First: w.next})
	}
	records = slices.Concat(header, w.notes, records)
	_, err := s.file.WriteAt(records, s.size)
	if err == nil {
		err = s.file.Sync()
	}
	if err == nil && s.size == 0 { // its name has to be durable, too
		err = w.directory.disk.sync(w.directory.path)
	}
	if err != nil {
		w.abandon(next)
		return err
	}
	s.size += int64(len(records))
	w.notes, w.next = nil, next
	return nil
}

// begin makes a new head where there is none, or where it is full.
func (w *set) begin() error {
	full := w.head
	if full != nil && full.size < w.directory.segmentBytes {
		return nil
	}
	number := uint32(1)
	if last := len(w.segments) - 1; last >= 0 {
		number = w.segments[last].number + 1
	}
	f, err := w.directory.disk.create(w.path(number))
	if err != nil {
		return err
	}
	w.head = &segment{number: number, file: f}
	w.segments = append(w.segments, w.head)
	if full != nil {
		w.release(full)
	}
	return nil
}

// abandon ends the head after a failure, which leaves behind what nobody knows. The events up to
// next are not delivered from there.
func (w *set) abandon(next uint64) {
	s := w.head
	w.head = nil
	_ = s.file.Truncate(s.size) // it may fail, too, or not last
	if s.size == 0 && w.removeSegment(s) == nil {
		w.segments = w.segments[:len(w.segments)-1]
		return
	}
	if next > w.next {
		w.note(recordSettle, boundaries{From: w.next, To: next - 1})
		w.next = next
	}
	w.release(s)
}

// reclaim removes the segments that nobody needs, oldest first: a later one may have the record
// that an event of an earlier one is settled. A part that was held for so long that it would keep
// all segments is written once more.
func (w *set) reclaim() error {
	if w.gone || len(w.notes) > 0 || len(w.segments) == 0 {
		return nil
	}
	front := w.segments[len(w.segments)-1].number
	if len(w.fresh) > 0 {
		front = w.fresh[0].segment.number
	}
	needed, late := front, []*part(nil)
	for p := range w.parts {
		if p.segment+2 <= front {
			late = append(late, p)
		} else {
			needed = min(needed, p.segment)
		}
	}
	if w.segments[0].number >= needed {
		return nil
	}
	if len(late) > 0 {
		var records []byte
		for _, p := range late {
			records = appendRecord(records, recordRequest, boundariesOf(p))
			for i := range p.events {
				records = appendEvent(records, p.events[i].seq, &p.events[i])
			}
		}
		if err := w.commit(records, w.next); err != nil {
			return err
		}
		for _, p := range late {
			p.segment = w.head.number
		}
	}
	for w.segments[0].number < needed {
		if err := w.removeSegment(w.segments[0]); err != nil {
			return err
		}
		w.segments = w.segments[1:]
	}
	return nil
}

// removeSegment removes a segment, or sets it aside if it has records that cannot be read.
func (w *set) removeSegment(s *segment) (err error) {
	if s.file != nil {
		_ = s.file.Close()
		s.file = nil
	}
	path := w.path(s.number)
	if s.damaged {
		err = w.directory.disk.rename(path, path+damagedSuffix)
	} else {
		err = w.directory.disk.remove(path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return w.directory.disk.sync(w.directory.path)
}

// remove removes all files of a set of which nothing waits.
func (w *set) remove() error {
	if w.gone {
		return nil
	}
	for len(w.segments) > 0 {
		if err := w.removeSegment(w.segments[0]); err != nil {
			return err
		}
		w.segments = w.segments[1:]
	}
	return w.directory.disk.remove(w.directory.lockPath(w.name))
}

// close leaves the set to another process.
func (w *set) close() {
	for _, s := range w.segments {
		if s.file != nil {
			_ = s.file.Close()
		}
	}
	_ = w.lock.Close()
}

// scan reads the records of a segment from an offset on, see [scan].
func (w *set) scan(s *segment, from int64, visit func(spoolRecord) bool) (end int64, err error) {
	if err := w.open(s); err != nil {
		return from, err
	}
	return scan(s.file, from, s.size, visit)
}

func (w *set) open(s *segment) (err error) {
	if s.file == nil {
		s.file, err = w.directory.disk.open(w.path(s.number))
	}
	return err
}

// release closes a segment that is neither read nor written now.
func (w *set) release(s *segment) {
	if s != w.head && s.file != nil && (len(w.fresh) == 0 || w.fresh[0].segment != s) {
		_ = s.file.Close()
		s.file = nil
	}
}

func (w *set) path(number uint32) string { return w.directory.segmentPath(w.name, number) }

// idle reports whether nothing of the set waits.
func (w *set) idle() bool { return len(w.fresh) == 0 && len(w.parts) == 0 }

// check reports whether the files have lost their names: a later process would not find them.
func (w *set) check() (gone bool) {
	disk := w.directory.disk
	w.gone = w.gone || !disk.same(w.directory.lockPath(w.name), w.lock) ||
		w.head != nil && !disk.same(w.path(w.head.number), w.head.file)
	if w.gone {
		w.notes = nil
	}
	return w.gone
}

// size returns the bytes of the segments, and about those of evaluation events.
func (w *set) size() (all, evaluations int64) {
	for _, s := range w.segments {
		all += s.size
		evaluations += s.evaluations
	}
	return all, evaluations
}
