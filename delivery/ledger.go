package delivery

import (
	"slices"
	"sync"
)

// ledger owns the counters of all events, and the current flushes. It is safe for concurrent use.
// It calls nothing while it holds its lock.
//
// Each event belongs to the epoch in which it was recorded. A flush ends the current epoch, and
// covers the events of that epoch and of all earlier ones.
type ledger struct {
	mu       sync.Mutex
	epoch    uint32 // the current one; the first is 1
	counts   [groups]EventCounts
	flushes  []*flush // not ended, oldest first
	lost     losses   // since the last flush began, of events that no current flush covers
	recorded uint64   // evaluation, identify and migration events
	requests uint64
	retries  uint64
	repeated uint64
	spool    uint64 // failures of the spool
}

// flush is a flush that has not ended.
type flush struct {
	epoch   uint32         // the last epoch that it covers
	waiting [groups]uint64 // covered events that wait for delivery
	lost    losses         // covered events that were dropped, and losses since the previous flush began
	done    chan struct{}  // closed when no covered event waits, or when the flush is given up
	cause   error          // why it was given up, or nil; valid after done is closed
}

// losses counts events that were dropped.
type losses struct {
	events [groups]uint64
	cause  error // of the last event
}

func (l *losses) add(g group, n uint64, cause error) {
	l.events[g] += n
	l.cause = cause
}

func newLedger() *ledger { return &ledger{epoch: 1} }

// open counts a recorded event as waiting, and returns its epoch. It returns false, and counts
// nothing, if limit events of the group wait already.
func (l *ledger) open(g group, limit uint64) (epoch uint32, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts[g].Waiting >= limit {
		return 0, false
	}
	l.record(g)
	l.counts[g].Waiting++ // flushes that have begun do not cover it
	return l.epoch, true
}

// record counts a recorded event.
func (l *ledger) record(g group) {
	l.counts[g].Recorded++
	if g == groupOthers {
		l.recorded++
	}
}

// refuse counts a recorded event as dropped.
func (l *ledger) refuse(g group, cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.record(g)
	l.counts[g].Dropped.add(cause, 1)
	l.lost.add(g, 1, cause)
}

// adopt counts events of earlier processes as waiting, and returns their epoch.
func (l *ledger) adopt(n [groups]uint64) (epoch uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for g := range groups {
		l.counts[g].Adopted += n[g]
		l.counts[g].Waiting += n[g]
	}
	return l.epoch
}

// format counts the result of formatting events of an epoch: events that were sampled out, and
// events that were derived.
func (l *ledger) format(epoch uint32, sampledOut [groups]uint64, derived uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[groupOthers].Recorded += derived
	l.wait(epoch, groupOthers, derived)
	for g := range groups {
		l.counts[g].SampledOut += sampledOut[g]
		l.wait(epoch, g, -sampledOut[g])
	}
	l.complete()
}

// merge counts two derived events of an epoch as one.
func (l *ledger) merge(epoch uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[groupOthers].Recorded--
	l.wait(epoch, groupOthers, ^uint64(0))
}

// settle counts waiting events as delivered, or as dropped if cause is not nil.
func (l *ledger) settle(events []event, cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := 0; i < len(events); { // runs of the same epoch and group
		e, n := &events[i], uint64(0)
		for i < len(events) && events[i].epoch == e.epoch && events[i].kind.group() == e.kind.group() {
			n += events[i].weight
			i++
		}
		if cause == nil {
			l.counts[e.kind.group()].Delivered += n
			l.wait(e.epoch, e.kind.group(), -n)
		} else {
			l.drop(e.epoch, e.kind.group(), n, cause)
		}
	}
	l.complete()
}

// lose counts n waiting events of an epoch as dropped.
func (l *ledger) lose(epoch uint32, g group, n uint64, cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(epoch, g, n, cause)
	l.complete()
}

// leave counts waiting events of an epoch as left on disk for a later process.
func (l *ledger) leave(epoch uint32, n [groups]uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for g := range groups {
		l.counts[g].OnDisk += n[g]
		l.wait(epoch, g, -n[g])
	}
	l.complete()
}

// drop counts waiting events of an epoch as dropped, for the flushes that cover them or for the
// next.
func (l *ledger) drop(epoch uint32, g group, n uint64, cause error) {
	l.counts[g].Dropped.add(cause, n)
	covered := false
	for _, f := range l.flushes {
		if epoch <= f.epoch {
			f.lost.add(g, n, cause)
			covered = true
		}
	}
	if !covered {
		l.lost.add(g, n, cause)
	}
	l.wait(epoch, g, -n)
}

// wait adds n to the number of waiting events of an epoch. To subtract, pass -n: it wraps around.
func (l *ledger) wait(epoch uint32, g group, n uint64) {
	l.counts[g].Waiting += n
	for _, f := range l.flushes {
		if epoch <= f.epoch {
			f.waiting[g] += n
		}
	}
}

// begin begins a flush of all events recorded so far. The caller must end it.
func (l *ledger) begin() *flush {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := &flush{epoch: l.epoch, lost: l.lost, done: make(chan struct{})}
	for g := range groups {
		f.waiting[g] = l.counts[g].Waiting
	}
	l.epoch++
	l.lost = losses{}
	l.flushes = append(l.flushes, f)
	l.complete()
	return f
}

// end ends a flush, complete or not, and returns the covered events that still wait, and the
// losses.
func (l *ledger) end(f *flush) (waiting [groups]uint64, lost losses) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flushes = slices.DeleteFunc(l.flushes, func(other *flush) bool { return other == f })
	return f.waiting, f.lost
}

// complete closes the channels of flushes without waiting events. The caller must hold the lock.
func (l *ledger) complete() {
	for _, f := range l.flushes {
		if f.waiting == [groups]uint64{} {
			f.close(nil)
		}
	}
}

// close closes the channel, unless it is closed. The caller must hold the ledger's lock.
func (f *flush) close(cause error) {
	select {
	case <-f.done:
	default:
		f.cause = cause
		close(f.done)
	}
}

// lastFlush returns the epoch of the last flush that is not done, and the number of its waiting
// events, or 0 if there is none.
func (l *ledger) lastFlush() (epoch uint32, waiting uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range slices.Backward(l.flushes) {
		select {
		case <-f.done:
		default:
			return f.epoch, f.waiting[groupTracked] + f.waiting[groupOthers]
		}
	}
	return 0, 0
}

// flushing reports whether there is a flush that is not done.
func (l *ledger) flushing() bool {
	epoch, _ := l.lastFlush()
	return epoch > 0
}

// giveUp closes the channels of the flushes up to an epoch, with the cause.
func (l *ledger) giveUp(epoch uint32, cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.flushes {
		if f.epoch <= epoch {
			f.close(cause)
		}
	}
}

// forget discards the losses that no flush has reported.
func (l *ledger) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = losses{}
}

// attempted counts an accepted request, or a failed attempt.
func (l *ledger) attempted(accepted bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if accepted {
		l.requests++
	} else {
		l.retries++
	}
}

// repeat counts events that may be delivered twice.
func (l *ledger) repeat(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.repeated += uint64(n)
}

// spoolFailed counts a failure of the spool.
func (l *ledger) spoolFailed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spool++
}

// waiting returns the number of waiting events by group.
func (l *ledger) waiting() [groups]uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return [groups]uint64{l.counts[groupTracked].Waiting, l.counts[groupOthers].Waiting}
}

// stats returns the counters, without those of bytes and time, which the queue and the store keep.
func (l *ledger) stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	tracked := &l.counts[groupTracked]
	return Stats{
		Tracked:          tracked.Recorded,
		Adopted:          tracked.Adopted,
		Delivered:        tracked.Delivered,
		Waiting:          tracked.Waiting,
		SampledOut:       tracked.SampledOut,
		OnDisk:           tracked.OnDisk,
		Dropped:          tracked.Dropped,
		Requests:         l.requests,
		Retries:          l.retries,
		Repeated:         l.repeated,
		SpoolFailures:    l.spool,
		Evaluations:      l.recorded,
		EvaluationEvents: l.counts[groupOthers],
	}
}
