package delivery

import (
	"slices"
	"sync"
)

// ledger keeps the counters of all events, and which of them are still to be delivered for a flush.
// It is the only owner of both. It is safe for concurrent use; nothing is called with its lock
// held.
//
// Each event belongs to the epoch in which it was recorded. A flush ends the current epoch and
// waits until no event of that one, or of an earlier one, is pending.
type ledger struct {
	mu       sync.Mutex
	accounts []account // by epoch, ascending; the last one is current, the others have pending or lost events
	watches  []*watch  // flushes that wait
	flushes  []*watch  // flushes that have not reported yet: those that wait, and those that are about to return
	counts   [groups]counts
	requests uint64
	retries  uint64
	repeated uint64
	spool    uint64 // failures
	inputs   uint64 // evaluation, identify and migration events recorded
}

// account is what a flush needs to know of an epoch.
type account struct {
	epoch   uint32
	pending [groups]uint64
	lost    [groups]uint64
	cause   error // of the last loss
}

type counts struct {
	recorded   uint64
	adopted    uint64
	delivered  uint64
	sampledOut uint64
	onDisk     uint64
	dropped    Dropped
}

// watch is a flush that waits.
type watch struct {
	epoch uint32
	done  chan struct{} // closed once nothing is pending, or waiting makes no sense
	cause error         // why it makes no sense; valid once done is closed

	lost      [groups]uint64 // losses that another flush has reported while this one was open
	lossCause error
}

func newLedger() *ledger { return &ledger{accounts: []account{{}}} }

func (l *ledger) current() *account { return &l.accounts[len(l.accounts)-1] }

// account returns the one that an epoch belongs to: its own, or that of a later epoch which it
// became part of.
func (l *ledger) account(epoch uint32) *account {
	i := len(l.accounts) - 1
	for i > 0 && l.accounts[i-1].epoch >= epoch {
		i--
	}
	return &l.accounts[i]
}

// open counts an event that was recorded and waits from now on, and returns its epoch. It returns
// false, and counts nothing, where so many of its group wait already.
func (l *ledger) open(g group, limit uint64) (epoch uint32, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting()[g] >= limit {
		return 0, false
	}
	l.record(g)
	a := l.current()
	a.pending[g]++
	return a.epoch, true
}

func (l *ledger) record(g group) {
	l.counts[g].recorded++
	if g == groupOthers {
		l.inputs++
	}
}

// refuse counts an event that was recorded and dropped at once.
func (l *ledger) refuse(g group, cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.record(g)
	a := l.current()
	a.pending[g]++
	l.end(a, g, 1, cause)
}

// merge counts two derived events of an epoch that became one.
func (l *ledger) merge(epoch uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[groupOthers].recorded--
	l.account(epoch).pending[groupOthers]--
}

// adopt counts events that earlier processes recorded.
func (l *ledger) adopt(n [groups]uint64) (epoch uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.current()
	for g := range groups {
		l.counts[g].adopted += n[g]
		a.pending[g] += n[g]
	}
	return a.epoch
}

// settle ends the wait of events: cause is nil where they were delivered, or why they are dropped.
func (l *ledger) settle(events []event, cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := 0; i < len(events); { // runs of the same account
		e, n := &events[i], uint64(0)
		for i < len(events) && events[i].epoch == e.epoch && events[i].kind.group() == e.kind.group() {
			n += uint64(events[i].weight)
			i++
		}
		l.end(l.account(e.epoch), e.kind.group(), n, cause)
	}
	l.advance()
}

// lose counts events as dropped that were never formatted.
func (l *ledger) lose(epoch uint32, g group, n uint64, cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end(l.account(epoch), g, n, cause)
	l.advance()
}

// end moves n events of an account from pending to where they ended.
func (l *ledger) end(a *account, g group, n uint64, cause error) {
	a.pending[g] -= n
	if cause == nil {
		l.counts[g].delivered += n
		return
	}
	l.counts[g].dropped.add(cause, n)
	a.lost[g] += n
	a.cause = cause
}

// format counts what became of recorded events of an epoch: so many were sampled out, and so many
// others are derived.
func (l *ledger) format(epoch uint32, sampledOut [groups]uint64, derived uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(epoch)
	l.counts[groupOthers].recorded += derived
	a.pending[groupOthers] += derived
	for g := range groups {
		l.counts[g].sampledOut += sampledOut[g]
		a.pending[g] -= sampledOut[g]
	}
	l.advance()
}

// leave ends the wait of events of an epoch that stay on disk for a later process.
func (l *ledger) leave(epoch uint32, n [groups]uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(epoch)
	for g := range groups {
		l.counts[g].onDisk += n[g]
		a.pending[g] -= n[g]
	}
	l.advance()
}

// attempted counts a request that was accepted, or an attempt that failed.
func (l *ledger) attempted(accepted bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if accepted {
		l.requests++
	} else {
		l.retries++
	}
}

// repeat counts events that may arrive twice.
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

// watch ends the current epoch and returns a flush of it and of those before.
func (l *ledger) watch() *watch {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.current()
	w := &watch{epoch: a.epoch, done: make(chan struct{})}
	l.watches, l.flushes = append(l.watches, w), append(l.flushes, w)
	l.accounts = append(l.accounts, account{epoch: a.epoch + 1})
	l.advance()
	return w
}

// lastWatch returns a number for the last flush that waits, 0 for none. Those of later flushes are
// greater.
func (l *ledger) lastWatch() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.watches) == 0 {
		return 0
	}
	return uint64(l.watches[len(l.watches)-1].epoch) + 1
}

// giveUp ends the flushes up to a number of lastWatch: what they wait for will not come soon.
func (l *ledger) giveUp(last uint64, cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watches = slices.DeleteFunc(l.watches, func(w *watch) bool {
		if uint64(w.epoch) >= last {
			return false
		}
		w.cause = cause
		close(w.done)
		return true
	})
}

// pendingUntil returns how many events the flushes up to a number of lastWatch wait for.
func (l *ledger) pendingUntil(last uint64) (n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.accounts {
		if a := &l.accounts[i]; uint64(a.epoch) < last {
			n += a.pending[groupTracked] + a.pending[groupOthers]
		}
	}
	return n
}

// advance ends the flushes that are complete, and joins the accounts that no flush needs apart.
func (l *ledger) advance() {
	pending, last := false, len(l.accounts)-1
	kept := l.accounts[:0]
	var joined account
	for i, a := range l.accounts {
		for g := range groups {
			a.pending[g] += joined.pending[g]
			a.lost[g] += joined.lost[g]
		}
		if a.cause == nil {
			a.cause = joined.cause
		}
		joined = account{}
		pending = pending || a.pending != [groups]uint64{}
		if !pending {
			l.complete(a.epoch)
		}
		if i < last && !l.ends(a.epoch) {
			joined = a
			continue
		}
		kept = append(kept, a)
	}
	l.accounts = kept
}

// complete ends the flush of an epoch, if there is one. It goes on being open until it has reported
// its losses.
func (l *ledger) complete(epoch uint32) {
	l.watches = slices.DeleteFunc(l.watches, func(w *watch) bool {
		if w.epoch != epoch {
			return false
		}
		close(w.done)
		return true
	})
}

// ends reports whether a flush that is not over ends with an epoch.
func (l *ledger) ends(epoch uint32) bool {
	return slices.ContainsFunc(l.flushes, func(w *watch) bool { return w.epoch == epoch })
}

// unwatch ends a flush, complete or not, and returns what it has to report: what is pending, and
// what was lost since the flush before. A loss is reported by every flush that was open when the
// first one reported it, and by no later one.
func (l *ledger) unwatch(w *watch) (pending, lost [groups]uint64, cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	same := func(other *watch) bool { return other == w }
	l.watches, l.flushes = slices.DeleteFunc(l.watches, same), slices.DeleteFunc(l.flushes, same)
	lost, cause = w.lost, w.lossCause
	for i := range l.accounts {
		a := &l.accounts[i]
		if a.epoch > w.epoch {
			break
		}
		for g := range groups {
			pending[g] += a.pending[g]
			lost[g] += a.lost[g]
		}
		if a.cause != nil {
			cause = a.cause
		}
		for _, other := range l.flushes {
			if other.epoch >= a.epoch && a.cause != nil {
				for g := range groups {
					other.lost[g] += a.lost[g]
				}
				other.lossCause = a.cause
			}
		}
		a.lost, a.cause = [groups]uint64{}, nil
	}
	l.advance()
	return pending, lost, cause
}

// pending returns how many events of each group wait.
func (l *ledger) pending() [groups]uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting()
}

// unfinished returns how many events of each group wait, or were lost since the last flush. Those
// stay to be reported.
func (l *ledger) unfinished() (events [groups]uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.accounts {
		for g := range groups {
			events[g] += l.accounts[i].pending[g] + l.accounts[i].lost[g]
		}
	}
	return events
}

// forget drops the losses that no flush has reported.
func (l *ledger) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.accounts {
		l.accounts[i].lost, l.accounts[i].cause = [groups]uint64{}, nil
	}
	l.advance()
}

// waiting is pending, with the lock held. It returns how many events of each group wait.
func (l *ledger) waiting() (waiting [groups]uint64) {
	for i := range l.accounts {
		for g := range groups {
			waiting[g] += l.accounts[i].pending[g]
		}
	}
	return waiting
}

// stats returns the counters, without what only the store knows.
func (l *ledger) stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting := l.waiting()
	tracked, others := &l.counts[groupTracked], &l.counts[groupOthers]
	return Stats{
		Tracked:    tracked.recorded,
		Adopted:    tracked.adopted,
		Delivered:  tracked.delivered,
		Waiting:    waiting[groupTracked],
		SampledOut: tracked.sampledOut,
		OnDisk:     tracked.onDisk,
		Dropped:    tracked.dropped,
		Requests:   l.requests,
		Retries:    l.retries,
		Repeated:   l.repeated,

		SpoolFailures: l.spool,

		Evaluations: l.inputs,
		EvaluationEvents: EventCounts{
			Recorded:   others.recorded,
			Adopted:    others.adopted,
			Delivered:  others.delivered,
			Waiting:    waiting[groupOthers],
			SampledOut: others.sampledOut,
			OnDisk:     others.onDisk,
			Dropped:    others.dropped,
		},
	}
}
