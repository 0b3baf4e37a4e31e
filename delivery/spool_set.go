package delivery

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// errSpoolGone means that a file of the spool was removed or replaced by somebody else.
var errSpoolGone = errors.New("the spool's files were removed")

// set is the segments that one process began to write, under one lock: its events in order, and what became of them. Only
// the process that has the lock reads or writes them. Segments are only appended to, and removed oldest first, when none
// of their events waits any more.
type set struct {
	directory *directory
	name      string
	schema    string // of the events
	lock      file

	io       sync.Mutex // of everything below
	segments []*segment // ascending
	head     *segment   // the one that is written to, if any
	next     uint64     // the number of the next event
	written  uint64     // the number after that of the last event on disk: less than next after a failure
	fresh    []extent   // events that are in no part yet
	parts    map[*part]struct{}
	owed     []byte // records that could not be written yet
	unsynced bool   // the head has records that a crash of the machine may lose
	gone     bool   // the files have lost their names: what is still open can be read, and nothing is written

	since atomic.Int64 // when the oldest event that waits was recorded, in Unix milliseconds; 0 for none
}

type segment struct {
	number      uint32
	size        int64
	begun       int64 // the size of its first record, once that is written
	evaluations int64 // of size, for events of that lane
	damaged     bool
	file        file // nil while it is not open
}

// extent is a run of records of a segment with events of one epoch that are in no part yet.
type extent struct {
	segment  *segment
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
	t.weight[g] += uint64(sign) * uint64(e.weight)
	t.bytes[g] += sign * len(e.json)
}

func (t *tally) plus(u tally, sign int) {
	t.events += sign * u.events
	for g := range groups {
		t.weight[g] += uint64(sign) * u.weight[g]
		t.bytes[g] += sign * u.bytes[g]
	}
}

func (t *tally) size() int { return t.bytes[groupTracked] + t.bytes[groupOthers] }

// append writes events to disk and returns once they are durable. It returns what was added.
func (w *set) append(parts []*part) (added tally, err error) {
	w.io.Lock()
	defer w.io.Unlock()
	if err := w.rotate(); err != nil {
		return added, err
	}
	var extents []extent
	records := make([]byte, 0, recordBytes(parts))
	evaluations, next := int64(0), w.next
	base := w.head.size + int64(len(w.owed))
	for _, p := range parts {
		for i := range p.events {
			e := &p.events[i]
			begin := len(records)
			records = appendEvent(records, recordEvent, next, e)
			next++
			if e.kind.lane() == laneEvaluations {
				evaluations += int64(len(records) - begin)
			}
			if last := len(extents) - 1; last < 0 || extents[last].epoch != e.epoch {
				from := base + int64(begin)
				extents = append(extents, extent{segment: w.head, from: from, epoch: e.epoch, since: e.recordedAt()})
			}
			x := &extents[len(extents)-1]
			x.to = base + int64(len(records))
			x.add(e, 1)
			added.add(e, 1)
		}
	}
	w.next = next // also after a failure: no number is that of two events
	if err := w.write(records, true); err != nil {
		return tally{}, err
	}
	w.written = next
	w.head.evaluations += evaluations
	for _, x := range extents {
		if last := len(w.fresh) - 1; last >= 0 && w.fresh[last].segment == x.segment && w.fresh[last].epoch == x.epoch {
			w.fresh[last].to = x.to
			w.fresh[last].plus(x.tally, 1)
			continue
		}
		w.fresh = append(w.fresh, x)
	}
	return added, nil
}

// recordBytes returns about how long the records of events are.
func recordBytes(parts []*part) (n int) {
	const columns = 64
	for _, p := range parts {
		n += p.bytes + columns*len(p.events)
	}
	return n
}

// rotate makes a new head where there is none, or where it is full.
func (w *set) rotate() error {
	if w.gone {
		return errSpoolGone
	}
	if w.head != nil && w.head.size < w.directory.segmentBytes {
		return nil
	}
	if err := w.synchronize(); err != nil {
		return err
	}
	number := uint32(1)
	if last := len(w.segments) - 1; last >= 0 {
		number = w.segments[last].number + 1
	}
	path := w.path(number)
	f, err := w.directory.disk.create(path)
	if err != nil {
		return err
	}
	before, owed := w.head, w.owed
	w.head, w.owed = &segment{number: number, file: f}, nil // what is owed comes after the header
	w.segments = append(w.segments, w.head)
	if before != nil {
		w.release(before)
	}
	err = w.write(appendRecord(nil, recordSpool, spoolHeader{
		Version: spoolVersion, Schema: w.schema, First: w.next, After: w.written,
	}), false)
	w.owed = owed
	if err == nil {
		err = w.directory.disk.sync(w.directory.path)
	}
	if err != nil {
		w.abandon()
		return err
	}
	w.head.begun = w.head.size
	return nil
}

// write appends records to the head: all of them, or none.
func (w *set) write(records []byte, durable bool) error {
	if len(w.owed) > 0 {
		records = slices.Concat(w.owed, records)
	}
	_, err := w.head.file.WriteAt(records, w.head.size)
	if err == nil && durable {
		err = w.head.file.Sync()
	}
	if err == nil && durable && !w.named() {
		w.gone = true
		err = errSpoolGone
	}
	if err != nil {
		w.abandon()
		return err
	}
	w.head.size += int64(len(records))
	w.owed = nil
	w.unsynced = !durable
	return nil
}

// abandon ends writing to the head after a failure. What was written in vain is cut off, so that it is not taken for events
// later. What a failed fsync leaves behind is unknown, so that nothing more is written to the file; it is removed where
// nothing of it is needed.
func (w *set) abandon() {
	head := w.head
	if head == nil {
		return
	}
	w.head, w.unsynced = nil, false
	if !w.gone {
		_ = head.file.Truncate(head.size)
		if head.begun == 0 || head.size == head.begun {
			w.segments = w.segments[:len(w.segments)-1]
			_ = w.remove(head)
			return
		}
	}
	w.release(head)
}

// named reports whether the head and the lock still have their names, so that a later process finds them.
func (w *set) named() bool {
	return w.directory.disk.same(w.path(w.head.number), w.head.file) &&
		w.directory.disk.same(w.directory.lockPath(w.name), w.lock)
}

// synchronize makes durable what was written.
func (w *set) synchronize() error {
	if !w.unsynced || w.head == nil {
		return nil
	}
	if err := w.head.file.Sync(); err != nil {
		w.abandon()
		return err
	}
	w.unsynced = false
	return nil
}

// note appends records about requests. Where that fails, they are written later: events must be sent even while the disk
// is full, which is how it gets room.
func (w *set) note(records []byte, durable bool) error {
	if w.gone {
		return nil
	}
	err := w.rotate()
	if err == nil {
		err = w.write(records, durable)
	}
	if err != nil && !w.gone {
		w.owed = append(w.owed, records...)
	}
	return err
}

// take returns a part with the next events, nil where there are none, and what of them turned out to be lost. The record
// about it is durable before it returns; err is why it is not.
func (w *set) take(limit, bytes int) (p *part, taken tally, lost []extent, err error) {
	w.io.Lock()
	defer w.io.Unlock()
	var events []event
	first := uint32(0)
	size := 0
	for len(w.fresh) > 0 && len(events) < limit {
		x := &w.fresh[0]
		read, full := tally{}, false
		end, err := w.scan(x, func(_ int64, r spoolRecord) bool {
			switch r.kind {
			case "":
				x.segment.damaged = true
			case recordEvent:
				if size += len(r.json); len(events) == limit || size > bytes && len(events) > 0 {
					full = true
					return false
				}
				events = append(events, r.toEvent(x.epoch))
				read.add(&events[len(events)-1], 1)
			}
			return true
		})
		if passing(err) {
			break
		}
		if read.events > 0 && first == 0 {
			first = x.segment.number
		}
		x.from = end
		x.plus(read, -1)
		taken.plus(read, 1)
		if full {
			x.since = events[len(events)-1].recordedAt()
			break
		}
		if x.events != 0 { // its records were written, and are not there
			x.segment.damaged = true
			lost = append(lost, *x)
		}
		done := x.segment
		w.fresh = w.fresh[1:]
		w.release(done)
	}
	if len(events) == 0 {
		return nil, taken, lost, nil
	}
	p = w.add(newPart(events), first)
	return p, taken, lost, w.note(appendRecord(nil, recordRequest, boundariesOf(p)), true)
}

// add makes a part one of the set's.
func (w *set) add(p *part, first uint32) *part {
	p.set, p.segment, p.schema = w, first, w.schema
	w.parts[p] = struct{}{}
	return p
}

// keep writes a part that was in memory only.
func (w *set) keep(p *part) error {
	w.io.Lock()
	defer w.io.Unlock()
	if err := w.rotate(); err != nil {
		return err
	}
	from := w.next
	w.next += uint64(len(p.events))
	records := appendRecord(nil, recordRequest, boundaries{ID: p.id, From: from, To: w.next - 1})
	for i := range p.events {
		records = appendEvent(records, recordEvent, from+uint64(i), &p.events[i])
	}
	if err := w.write(records, true); err != nil {
		return err
	}
	w.written = w.next
	for i := range p.events {
		p.events[i].seq = from + uint64(i)
	}
	w.add(p, w.head.number)
	return nil
}

// divide replaces a part by two.
func (w *set) divide(p *part, n int) (first, rest *part, err error) {
	w.io.Lock()
	defer w.io.Unlock()
	first = w.add(newPart(slices.Clone(p.events[:n])), p.segment) // so that neither keeps all in memory
	rest = w.add(newPart(slices.Clone(p.events[n:])), p.segment)
	delete(w.parts, p)
	b := boundariesOf(p)
	b.At, b.Into = rest.events[0].seq, []string{first.id, rest.id}
	return first, rest, w.note(appendRecord(nil, recordDivide, b), true)
}

// settle ends a part.
func (w *set) settle(p *part) error {
	w.io.Lock()
	defer w.io.Unlock()
	delete(w.parts, p)
	err := w.note(appendRecord(nil, recordSettle, boundariesOf(p)), false)
	return errors.Join(err, w.reclaim())
}

// reclaim removes the segments that nobody needs any more, oldest first: a later one may have the record that an event of an
// earlier one is settled.
func (w *set) reclaim() error {
	if w.gone || len(w.segments) == 0 {
		return nil
	}
	front := w.segments[len(w.segments)-1].number
	if len(w.fresh) > 0 {
		front = w.fresh[0].segment.number
	}
	needed := front
	for p := range w.parts {
		if p.segment+2 <= front {
			_ = w.relocate(p) // or keep its segments
		}
		needed = min(needed, p.segment)
	}
	for w.segments[0].number < needed && w.segments[0] != w.head {
		if err := w.synchronize(); err != nil {
			return err
		}
		if err := w.remove(w.segments[0]); err != nil {
			return err
		}
		w.segments = w.segments[1:]
	}
	return nil
}

// relocate copies the events of a part that is held for long, so that it does not keep old segments.
func (w *set) relocate(p *part) error {
	if err := w.rotate(); err != nil {
		return err
	}
	records := appendRecord(nil, recordRequest, boundariesOf(p))
	for i := range p.events {
		records = appendEvent(records, recordCopy, p.events[i].seq, &p.events[i])
	}
	if err := w.write(records, true); err != nil {
		return err
	}
	p.segment = w.head.number
	return nil
}

// remove removes a segment, or sets it aside if it has records that cannot be read.
func (w *set) remove(s *segment) error {
	if s.file != nil {
		_ = s.file.Close()
		s.file = nil
	}
	path := w.path(s.number)
	var err error
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

// end releases the set: its files are removed if nothing of it waits, or left for another process.
func (w *set) end() error {
	w.io.Lock()
	defer w.io.Unlock()
	err := w.synchronize()
	if len(w.fresh) == 0 && len(w.parts) == 0 && !w.gone {
		for len(w.segments) > 0 && err == nil {
			if err = w.remove(w.segments[0]); err == nil {
				w.segments = w.segments[1:]
			}
		}
		if err == nil {
			err = w.directory.disk.remove(w.directory.lockPath(w.name))
		}
	}
	for _, s := range w.segments {
		if s.file != nil {
			_ = s.file.Close()
		}
	}
	return errors.Join(err, w.lock.Close())
}

// scan reads the records of an extent.
func (w *set) scan(x *extent, visit func(at int64, r spoolRecord) bool) (end int64, err error) {
	if err := w.openSegment(x.segment); err != nil {
		return x.from, err
	}
	return scan(x.segment.file, x.from, x.to, visit)
}

func (w *set) openSegment(s *segment) (err error) {
	if s.file == nil {
		s.file, err = w.directory.disk.open(w.path(s.number))
	}
	return err
}

// release closes a segment that is neither read nor written now.
func (w *set) release(s *segment) {
	if s == w.head || s.file == nil || w.gone && len(w.fresh) > 0 || len(w.fresh) > 0 && w.fresh[0].segment == s {
		return
	}
	_ = s.file.Close()
	s.file = nil
}

func (w *set) path(number uint32) string { return w.directory.segmentPath(w.name, number) }

// idle reports whether nothing of the set waits.
func (w *set) idle() bool {
	w.io.Lock()
	defer w.io.Unlock()
	return len(w.fresh) == 0 && len(w.parts) == 0
}

// rest returns what waits.
func (w *set) rest() (fresh []extent, parts []*part) {
	w.io.Lock()
	defer w.io.Unlock()
	parts = slices.SortedFunc(maps.Keys(w.parts), func(a, b *part) int { return cmp.Compare(a.events[0].seq, b.events[0].seq) })
	return w.fresh, parts
}

func (w *set) isGone() bool {
	w.io.Lock()
	defer w.io.Unlock()
	return w.gone
}

// size returns the bytes of the segments, and those of evaluation events.
func (w *set) size() (all, evaluations int64) {
	w.io.Lock()
	defer w.io.Unlock()
	for _, s := range w.segments {
		all += s.size
		evaluations += s.evaluations
	}
	return all, evaluations
}

// oldest returns when the first event that waits was recorded. It does not wait for the disk: meanwhile, it returns what it
// did before.
func (w *set) oldest() time.Time {
	if w.io.TryLock() {
		w.since.Store(w.firstRecorded())
		w.io.Unlock()
	}
	if since := w.since.Load(); since > 0 {
		return time.UnixMilli(since)
	}
	return time.Time{}
}

func (w *set) firstRecorded() int64 {
	var first *part
	for p := range w.parts {
		if first == nil || p.events[0].seq < first.events[0].seq {
			first = p
		}
	}
	switch {
	case first != nil: // parts are older
		return first.events[0].recordedAt().UnixMilli()
	case len(w.fresh) > 0:
		return w.fresh[0].since.UnixMilli()
	default:
		return 0
	}
}
