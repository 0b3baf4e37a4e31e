package delivery

import (
	"errors"
	"slices"
)

// errSpoolSpent means that a write to a segment failed, and that the next one has to be begun.
var errSpoolSpent = errors.New("an earlier write to the spool failed")

// batch is events that are written, and not durable yet. A process that is killed leaves them to
// the next one; only the machine can lose them.
type batch struct {
	parts   []*part // of the memory store, which holds them until they are durable
	from    uint64  // the number of the first
	next    uint64  // the number after that of the last
	extents []extent
	added   tally
	waiters []func() // called once they are durable, or cannot be made so
}

// append writes events. They can be taken once a sync has made them durable. No number is ever that
// of two events, also after a failure.
func (w *set) append(b *batch) error {
	w.io.Lock()
	defer w.io.Unlock()
	if err := w.rotate(); err != nil {
		return err
	}
	records := make([]byte, 0, recordBytes(b.parts))
	evaluations := int64(0)
	base := w.head.size + int64(len(w.owed))
	b.from, b.next = w.next, w.next
	for _, p := range b.parts {
		for i := range p.events {
			e := &p.events[i]
			begin := len(records)
			records = appendEvent(records, recordEvent, b.next, e)
			b.next++
			if e.kind.lane() == laneEvaluations {
				evaluations += int64(len(records) - begin)
			}
			if last := len(b.extents) - 1; last < 0 || b.extents[last].epoch != e.epoch {
				from := base + int64(begin)
				b.extents = append(b.extents, extent{segment: w.head, from: from, epoch: e.epoch, since: e.recordedAt()})
			}
			x := &b.extents[len(b.extents)-1]
			x.to = base + int64(len(records))
			x.add(e, 1)
			b.added.add(e, 1)
		}
	}
	w.next = b.next
	if err := w.write(records); err != nil {
		w.void(b.from, b.next)
		return err
	}
	w.head.evaluations += evaluations
	w.batches = append(w.batches, b)
	return nil
}

// recordBytes returns about how long the records of events are.
func recordBytes(parts []*part) (n int) {
	const columns = 64
	for _, p := range parts {
		n += p.bytes + columns*len(p.events)
	}
	return n
}

// await calls the waiters once all that was written is durable, or cannot be made so.
func (w *set) await(waiters []func()) {
	w.io.Lock()
	last := len(w.batches) - 1
	if last >= 0 {
		w.batches[last].waiters = append(w.batches[last].waiters, waiters...)
	}
	w.io.Unlock()
	if last < 0 {
		call(waiters)
	}
}

func call(functions []func()) {
	for _, f := range functions {
		f()
	}
}

// full reports whether the head has to be synced, so that the next one can be begun.
func (w *set) full() bool {
	w.io.Lock()
	defer w.io.Unlock()
	return w.head != nil && (w.head.spent || w.head.size >= w.directory.segmentBytes)
}

// rotate makes a new head where there is none, or where it is full and durable.
func (w *set) rotate() error {
	head := w.head
	switch {
	case w.gone:
		return errSpoolGone
	case head != nil && head.spent && head.synced < head.size:
		return errSpoolSpent
	case head != nil && !head.spent && (head.size < w.directory.segmentBytes || head.synced < head.size):
		return nil
	}
	w.retire()
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
	owed := w.owed
	w.owed = nil // it comes after the header
	err = w.write(appendRecord(nil, recordSpool, spoolHeader{Version: spoolVersion, Schema: w.schema, First: w.next}))
	w.owed = owed
	if err != nil {
		w.retire()
		return err
	}
	w.head.begun = w.head.size
	return nil
}

// write appends records to the head: all of them, or none.
func (w *set) write(records []byte) error {
	if len(w.owed) > 0 {
		records = slices.Concat(w.owed, records)
	}
	if _, err := w.head.file.WriteAt(records, w.head.size); err != nil {
		_ = w.head.file.Truncate(w.head.size) // where that fails, what there is of the events is void
		w.head.spent = true
		return err
	}
	w.head.size += int64(len(records))
	w.owed = nil
	return nil
}

// void notes that events with these numbers are not here, or not to be delivered from here,
// whatever the disk has of them.
func (w *set) void(from, next uint64) {
	if next > from && !w.gone {
		w.owed = appendRecord(w.owed, recordSettle, boundaries{From: from, To: next - 1})
	}
}

// retire ends writing to the head. It removes the file if there is nothing in it.
func (w *set) retire() {
	head := w.head
	w.head = nil
	switch {
	case head == nil:
	case head.size == head.begun && !w.gone:
		if w.remove(head) == nil {
			w.segments = slices.DeleteFunc(w.segments, func(s *segment) bool { return s == head })
		}
	default:
		w.release(head)
	}
}

// sync makes durable what was written. The first failure ends the head: what a failed fsync leaves
// behind is unknown.
func (w *set) sync() error {
	w.syncing.Lock()
	defer w.syncing.Unlock()
	w.io.Lock()
	head, batches := w.head, len(w.batches)
	if head == nil || head.synced == head.size {
		w.io.Unlock()
		return nil
	}
	size := head.size
	w.io.Unlock()

	err := head.file.Sync()
	if err == nil && !head.listed {
		err = w.directory.disk.sync(w.directory.path)
	}
	w.io.Lock()
	if err == nil && !w.named() { // a later process would not find it
		w.gone = true
		err = errSpoolGone
	}
	if err != nil {
		batches = len(w.batches)
	}
	done := w.batches[:batches:batches]
	w.batches = w.batches[batches:]
	if err == nil {
		head.synced, head.listed = size, true
		for _, b := range done {
			w.publish(b.extents)
		}
	} else {
		for _, b := range done {
			w.void(b.from, b.next)
		}
		w.retire()
	}
	w.io.Unlock()
	if w.synced != nil {
		w.synced(done, err)
	}
	return err
}

// named reports whether a later process would find the lock and the head.
func (w *set) named() bool {
	disk := w.directory.disk
	return disk.same(w.directory.lockPath(w.name), w.lock) &&
		(w.head == nil || disk.same(w.path(w.head.number), w.head.file))
}

// check looks whether the files have lost their names.
func (w *set) check() {
	w.io.Lock()
	defer w.io.Unlock()
	w.gone = w.gone || !w.named()
}

// publish adds to the events that can be taken.
func (w *set) publish(extents []extent) {
	for _, x := range extents {
		last := len(w.fresh) - 1
		// Other records may be between two batches, also those of events that are in a part
		// already.
		if last >= 0 && w.fresh[last].segment == x.segment && w.fresh[last].epoch == x.epoch && w.fresh[last].to == x.from {
			w.fresh[last].to = x.to
			w.fresh[last].plus(x.tally, 1)
			continue
		}
		w.fresh = append(w.fresh, x)
	}
}

// note writes records about requests. Where that fails, they are written later: events must be sent
// even while the disk is full, which is how it gets room.
func (w *set) note(records []byte, durable bool) error {
	_, err := w.tryNote(records, durable)
	if err == nil {
		return nil
	}
	w.io.Lock()
	defer w.io.Unlock()
	if w.gone {
		return nil // the events are only in memory now
	}
	w.owed = append(w.owed, records...)
	return err
}

// tryNote writes records, and returns the number of the segment that they are in.
func (w *set) tryNote(records []byte, durable bool) (number uint32, err error) {
	w.io.Lock()
	if err = w.rotate(); err == nil {
		err = w.write(records)
	}
	if err != nil {
		w.io.Unlock()
		return 0, err
	}
	head := w.head
	end := head.size
	w.io.Unlock()
	if !durable {
		return head.number, nil
	}
	if err := w.sync(); err != nil {
		return 0, err
	}
	w.io.Lock()
	defer w.io.Unlock()
	if head.synced < end { // an fsync failed meanwhile
		return 0, errSpoolSpent
	}
	return head.number, nil
}
