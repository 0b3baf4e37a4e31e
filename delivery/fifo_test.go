package delivery

import (
	"math/rand/v2"
	"testing"
)

// TestFifoAtRandom compares a queue with a slice, in random operations whose lengths empty the
// queue, stay within a chunk, or cross several chunks.
func TestFifoAtRandom(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		var f fifo[*int]
		var want []*int
		for range 60 {
			n := random.IntN([]int{3, chunkSize, 3 * chunkSize}[random.IntN(3)])
			switch random.IntN(5) {
			case 0, 1:
				for range n {
					entry := new(int)
					f.push(entry)
					want = append(want, entry)
				}
			case 2, 3:
				for range min(n, len(want)) {
					if f.front() == nil || *f.front() != want[0] {
						t.Fatalf("seed %d: another entry is in front", seed)
					}
					if f.pop() != want[0] {
						t.Fatalf("seed %d: popped another entry", seed)
					}
					want = want[1:]
				}
			case 4:
				for range min(n, len(want)) {
					if f.popLast() != want[len(want)-1] {
						t.Fatalf("seed %d: popped another last entry", seed)
					}
					want = want[:len(want)-1]
				}
			}
			f.verify(t, len(want))
		}
		for _, entry := range want {
			if f.pop() != entry {
				t.Fatalf("seed %d: popped another entry at the end", seed)
			}
		}
		f.verify(t, 0)
	}
}

// verify checks the length of the queue, and that it keeps neither chunks nor pointers of entries
// that were removed.
func (f *fifo[T]) verify(t *testing.T, length int) {
	t.Helper()
	if f.length != length {
		t.Fatalf("length %d, want %d", f.length, length)
	}
	chunks, entries := 0, 0
	for c := f.first; c != nil; c = c.next {
		chunks++
		entries += len(c.entries)
		if cap(c.entries) > chunkSize {
			t.Fatalf("a chunk of %d entries", cap(c.entries))
		}
		if c.next != nil && c.next.before != c || c.next == nil && c != f.last {
			t.Fatal("the chunks are not linked both ways")
		}
		left := c.entries
		if c == f.first {
			if c.before != nil {
				t.Fatal("a chunk before the first one is kept")
			}
			left = left[f.taken:]
		}
		for i, entry := range c.entries[:cap(c.entries)] {
			removed := c == f.first && i < f.taken || i >= len(c.entries)
			if entry, ok := any(entry).(*int); removed && ok && entry != nil {
				t.Fatal("an entry that was removed is kept")
			}
		}
		entries -= len(c.entries) - len(left)
	}
	if entries != length || chunks > length/chunkSize+2 {
		t.Fatalf("%d chunks of %d entries for %d", chunks, entries, length)
	}
}
