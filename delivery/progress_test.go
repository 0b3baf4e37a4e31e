package delivery

import (
	"context"
	"errors"
	"testing"
)

func TestProgress(t *testing.T) {
	lost := errors.New("lost")
	ended, cancel := context.WithCancel(t.Context())
	cancel()

	type step struct {
		n     uint64
		cause error
	}
	for _, c := range []struct {
		name        string
		before      []step // settled before the watch
		target      uint64
		after       []step // and after it began
		undelivered uint64
		cause       error
	}{
		{"nothing to wait for", nil, 0, nil, 0, nil},
		{"done before", []step{{5, nil}}, 5, nil, 0, nil},
		{"lost before", []step{{5, lost}}, 5, nil, 0, nil},
		{"delivered", nil, 5, []step{{2, nil}, {3, nil}}, 0, nil},
		{"delivered with later ones", nil, 5, []step{{20, nil}}, 0, nil},
		{"lost", nil, 5, []step{{5, lost}}, 5, lost},
		{"some lost", []step{{1, lost}}, 5, []step{{1, nil}, {2, lost}, {1, nil}}, 2, lost},
		{"later ones lost", nil, 5, []step{{5, nil}, {7, lost}}, 0, nil},
		{"lost together with later ones", nil, 5, []step{{4, nil}, {7, lost}}, 1, lost},
		{"not done", nil, 5, []step{{2, nil}}, 3, context.Canceled},
		{"not done, some lost", []step{{1, nil}}, 5, []step{{2, lost}}, 4, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p progress
			for _, s := range c.before {
				p.settle(s.n, s.cause)
			}
			w := p.watch(c.target)
			for _, s := range c.after {
				p.settle(s.n, s.cause)
			}
			// That ctx has ended must not matter where all is settled.
			undelivered, cause := w.wait(ended)
			if undelivered != c.undelivered || !errors.Is(cause, c.cause) || (cause == nil) != (c.cause == nil) {
				t.Errorf("%d undelivered, %v; want %d, %v", undelivered, cause, c.undelivered, c.cause)
			}
			if len(p.watches) != 0 {
				t.Error("the watch goes on")
			}
		})
	}
}

func TestProgressEnd(t *testing.T) {
	var p progress
	p.settle(3, nil)
	before := p.watch(5)
	p.end(ErrClosed)
	if undelivered, cause := before.wait(t.Context()); undelivered != 2 || !errors.Is(cause, ErrClosed) {
		t.Errorf("%d undelivered, %v", undelivered, cause)
	}
	if undelivered, cause := p.watch(9).wait(t.Context()); undelivered != 0 || cause != nil {
		t.Errorf("after the end, %d undelivered, %v", undelivered, cause)
	}
}
