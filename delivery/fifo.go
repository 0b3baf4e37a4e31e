package delivery

// chunkSize is the number of entries of a chunk.
const chunkSize = 128

// fifo is a double-ended queue in chunks, whose memory shrinks when entries are removed. The zero
// value is empty and ready to use.
type fifo[T any] struct {
	first, last *chunk[T]
	taken       int // entries removed from the first chunk
	length      int
}

type chunk[T any] struct {
	entries []T // at most chunkSize
	next    *chunk[T]
	before  *chunk[T]
}

func (f *fifo[T]) push(entry T) {
	if f.last == nil || len(f.last.entries) == chunkSize {
		c := &chunk[T]{entries: make([]T, 0, chunkSize), before: f.last}
		if f.last == nil {
			f.first = c
		} else {
			f.last.next = c
		}
		f.last = c
	}
	f.last.entries = append(f.last.entries, entry)
	f.length++
}

// pushFront inserts an entry before the first.
func (f *fifo[T]) pushFront(entry T) {
	if f.length == 0 {
		f.push(entry)
		return
	}
	if f.taken == 0 {
		c := &chunk[T]{entries: make([]T, chunkSize), next: f.first}
		f.first.before = c
		f.first, f.taken = c, chunkSize
	}
	f.taken--
	f.first.entries[f.taken] = entry
	f.length++
}

// front returns the first entry, which must exist.
func (f *fifo[T]) front() *T { return &f.first.entries[f.taken] }

// pop removes and returns the first entry, which must exist.
func (f *fifo[T]) pop() T {
	var none T
	entry := f.first.entries[f.taken]
	f.first.entries[f.taken] = none
	f.taken++
	f.length--
	switch {
	case f.taken < len(f.first.entries):
	case f.first == f.last:
		f.first.entries, f.taken = f.first.entries[:0], 0
	default:
		f.first, f.taken = f.first.next, 0
		f.first.before = nil
	}
	return entry
}

// popLast removes and returns the last entry, which must exist.
func (f *fifo[T]) popLast() T {
	var none T
	end := len(f.last.entries) - 1
	entry := f.last.entries[end]
	f.last.entries[end] = none
	f.last.entries = f.last.entries[:end]
	f.length--
	switch {
	case f.first == f.last && end == f.taken:
		f.first.entries, f.taken = f.first.entries[:0], 0
	case end == 0:
		f.last = f.last.before
		f.last.next = nil
	}
	return entry
}
