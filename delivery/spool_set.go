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

// set is the segments that one process began to write, under one lock: its events in order, and
// what became of them. Only the process that has the lock reads or writes them. Segments are only
// appended to, and removed oldest first, when none of their events waits any more.
type set struct {
	directory *directory
	name      string
	schema    string // of the events
	lock      file

	io       sync.Mutex // of everything below
	segments []*segment // ascending
	head     *segment   // the one that is written to, if any
	batches  []*batch   // what the head has beyond what is durable
	next     uint64     // the number of the next event
	fresh    []extent   // durable events that are in no part yet
	parts    map[*part]struct{}
	owed     []byte // records that could not be written yet
	gone     bool   // the files have lost their names: what is still open can be read, and nothing is written

	syncing sync.Mutex                  // held during an fsync, and taken before io
	synced  func(b []*batch, err error) // called after each fsync of an own set, nil for others

	since atomic.Int64 // when the oldest event that waits was recorded, in Unix milliseconds; 0 for none
}

type segment struct {
	number      uint32
	size        int64
	synced      int64 // of size, what is durable
	begun       int64 // of size, the first record
	evaluations int64 // of size, events of that lane
	spent       bool  // nothing more can be written
	listed      bool  // whether its name is durable
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

// take returns a part with the next events, nil where there are none, and what of them turned out
// to be lost. The record about it is durable before it returns; err is why it is not.
func (w *set) take(limit, bytes int) (p *part, taken tally, lost []extent, err error) {
	p, taken, lost = w.read(limit, bytes)
	if p != nil {
		err = w.note(appendRecord(nil, recordRequest, boundariesOf(p)), true)
	}
	return p, taken, lost, err
}

func (w *set) read(limit, bytes int) (p *part, taken tally, lost []extent) {
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
		return nil, taken, lost
	}
	return w.add(newPart(events), first), taken, lost
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
	from := w.next
	w.next += uint64(len(p.events))
	w.io.Unlock()
	for i := range p.events {
		p.events[i].seq = from + uint64(i)
	}
	err := w.copy(p)
	w.io.Lock()
	defer w.io.Unlock()
	if err != nil {
		w.void(from, from+uint64(len(p.events)))
		return err
	}
	w.add(p, p.segment)
	return nil
}

// divide replaces a part by two.
func (w *set) divide(p *part, n int) (first, rest *part, err error) {
	w.io.Lock()
	first = w.add(newPart(slices.Clone(p.events[:n])), p.segment) // so that neither keeps all in memory
	rest = w.add(newPart(slices.Clone(p.events[n:])), p.segment)
	delete(w.parts, p)
	w.io.Unlock()
	b := boundariesOf(p)
	b.At, b.Into = rest.events[0].seq, []string{first.id, rest.id}
	return first, rest, w.note(appendRecord(nil, recordDivide, b), true)
}

// settle ends a part, and removes the segments that nobody needs any more.
func (w *set) settle(p *part) error {
	w.io.Lock()
	delete(w.parts, p)
	w.io.Unlock()
	err := w.note(appendRecord(nil, recordSettle, boundariesOf(p)), false)
	return errors.Join(err, w.reclaim())
}

// reclaim removes segments, oldest first: a later one may have the record that an event of an
// earlier one is settled.
func (w *set) reclaim() error {
	w.io.Lock()
	if w.gone || len(w.segments) == 0 {
		w.io.Unlock()
		return nil
	}
	front := w.segments[len(w.segments)-1].number
	if len(w.fresh) > 0 {
		front = w.fresh[0].segment.number
	}
	needed := front
	var late []*part
	for p := range w.parts {
		if p.segment+2 <= front {
			late = append(late, p)
		} else {
			needed = min(needed, p.segment)
		}
	}
	removable := w.segments[0].number < needed && w.segments[0] != w.head
	w.io.Unlock()
	if !removable {
		return nil
	}
	for _, p := range late { // held for so long that it would keep all segments
		if err := w.copy(p); err != nil {
			return err
		}
	}
	if err := w.sync(); err != nil {
		return err
	}
	w.io.Lock()
	defer w.io.Unlock()
	for w.segments[0].number < needed && w.segments[0] != w.head {
		if err := w.remove(w.segments[0]); err != nil {
			return err
		}
		w.segments = w.segments[1:]
	}
	return nil
}

// copy writes the events of a part with its boundaries, so that it needs no older segment.
func (w *set) copy(p *part) error {
	records := appendRecord(nil, recordRequest, boundariesOf(p))
	for i := range p.events {
		records = appendEvent(records, recordCopy, p.events[i].seq, &p.events[i])
	}
	number, err := w.tryNote(records, true)
	if err == nil {
		p.segment = number
	}
	return err
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
	err := w.sync()
	w.io.Lock()
	defer w.io.Unlock()
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

// oldest returns when the first event that waits was recorded. It does not wait for the disk:
// meanwhile, it returns what it did before.
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
