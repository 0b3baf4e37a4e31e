package delivery

import (
	"context"
	"math"
	"sync"
)

// progress follows events, which are delivered or lost in the order in which they were accepted, for those who wait for
// that. It is safe for concurrent use; its zero value is ready.
type progress struct {
	mu      sync.Mutex
	done    uint64 // events that were delivered or lost so far
	watches map[*watch]struct{}
	begins  chan struct{} // closed, and forgotten, when somebody begins to watch; nil where nobody has asked
}

// watch is how it goes with the events that a flush is about.
type watch struct {
	progress *progress
	target   uint64        // done, once all of them are
	reached  chan struct{} // closed then
	lost     uint64        // events that were lost since the watch began
	cause    error         // why the last of them were
}

// settle notes the end of the next n events: cause is nil where they were delivered, or why they are lost.
func (p *progress) settle(n uint64, cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.done
	p.done += n
	for w := range p.watches {
		if share := min(w.target, p.done) - min(w.target, before); share > 0 && cause != nil {
			w.lost += share
			w.cause = cause
		}
		if p.done >= w.target {
			close(w.reached)
			delete(p.watches, w)
		}
	}
}

// end settles everything that has not been yet, and all that will come.
func (p *progress) end(cause error) {
	p.mu.Lock()
	left := math.MaxUint64 - p.done
	p.mu.Unlock()
	p.settle(left, cause)
}

// watch begins to follow the events up to the target, which counts all that were ever accepted.
func (p *progress) watch(target uint64) *watch {
	w := &watch{progress: p, target: target, reached: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done >= target {
		close(w.reached)
		return w
	}
	if p.watches == nil {
		p.watches = make(map[*watch]struct{})
	}
	p.watches[w] = struct{}{}
	if p.begins != nil {
		close(p.begins)
		p.begins = nil
	}
	return w
}

// watched returns a channel that is closed as soon as somebody watches, which may be now.
func (p *progress) watched() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.watches) > 0 {
		now := make(chan struct{})
		close(now)
		return now
	}
	if p.begins == nil {
		p.begins = make(chan struct{})
	}
	return p.begins
}

// over tells whether there is nothing left to wait for.
func (w *watch) over() bool {
	select {
	case <-w.reached:
		return true
	default:
		return false
	}
}

// wait returns when all the events are delivered or lost, or when ctx ends, with how many of them are not delivered.
// cause is why some are lost, or ctx's error; it is nil where all are delivered. It ends the watch.
func (w *watch) wait(ctx context.Context) (undelivered uint64, cause error) {
	select {
	case <-w.reached:
	case <-ctx.Done():
	}
	w.progress.mu.Lock()
	defer w.progress.mu.Unlock()
	delete(w.progress.watches, w)
	if w.over() {
		return w.lost, w.cause
	}
	return w.lost + w.target - w.progress.done, ctx.Err()
}
