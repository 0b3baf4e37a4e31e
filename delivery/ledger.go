package delivery

import (
	"slices"
	"sync"
)

// ledger keeps the counters of all events, and which of them are still to be delivered for a flush. It is the only owner
// of both. It is safe for concurrent use; nothing is called with its lock held.
//
// Each event belongs to the epoch in which it was recorded. A flush ends the current epoch and waits until no event of
// that one, or of an earlier one, is pending.
type ledger struct {
	mu       sync.Mutex
	accounts []account // by epoch, ascending; the last one is current, the others have pending or lost events
	watches  []*watch
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
}

func newLedger() *ledger { return &ledger{accounts: []account{{}}} }

func (l *ledger) current() *account { return &l.accounts[len(l.accounts)-1] }

// account returns that of an epoch, which must have pending events or be current.
func (l *ledger) account(epoch uint32) *account {
	for i := len(l.accounts) - 1; i >= 0; i-- {
		if l.accounts[i].epoch == epoch {
			return &l.accounts[i]
		}
	}
	return l.current()
}

// open counts an event that was recorded and waits from now on, and returns its epoch. It returns false, and counts
// nothing, where so many of its group wait already.
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

// derive counts events that the SDK derives from others, or -1 for two of them that become one.
func (l *ledger) derive(epoch uint32, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[groupOthers].recorded += uint64(n)
	l.account(epoch).pending[groupOthers] += uint64(n)
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

// sampleOut ends the wait of events that the SDK leaves out as it was told to.
func (l *ledger) sampleOut(epoch uint32, g group, n uint64) {
	if n == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[g].sampledOut += n
	l.account(epoch).pending[g] -= n
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
	l.watches = append(l.watches, w)
	l.accounts = append(l.accounts, account{epoch: a.epoch + 1})
	l.advance()
	return w
}

// lastWatch returns a number for the last flush that waits, 0 for none. Those of later flushes are greater.
func (l *ledger) lastWatch() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.watches) == 0 {
		return 0
	}
	return uint64(l.watches[len(l.watches)-1].epoch) + 1
}

// giveUp ends all flushes, which wait for something that will not come soon.
func (l *ledger) giveUp(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.watches {
		w.cause = cause
		close(w.done)
	}
	l.watches = nil
}

// advance ends the flushes that are complete, and drops the accounts that nobody needs any more.
func (l *ledger) advance() {
	if len(l.accounts) == 1 {
		return
	}
	oldest := l.current().epoch // with something pending
	for i := len(l.accounts) - 2; i >= 0; i-- {
		if l.accounts[i].pending != [groups]uint64{} {
			oldest = l.accounts[i].epoch
		}
	}
	l.watches = slices.DeleteFunc(l.watches, func(w *watch) bool {
		if w.epoch >= oldest {
			return false
		}
		close(w.done)
		return true
	})
	last := len(l.accounts) - 1
	kept := slices.DeleteFunc(l.accounts[:last], func(a account) bool {
		return a.pending == [groups]uint64{} && a.lost == [groups]uint64{}
	})
	l.accounts = append(kept, l.accounts[last])
}

// unwatch ends a flush, complete or not, and returns what it has to report: what is pending, and what was lost since
// the flush before. A loss is reported once.
func (l *ledger) unwatch(w *watch) (pending, lost [groups]uint64, cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watches = slices.DeleteFunc(l.watches, func(other *watch) bool { return other == w })
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

// unfinished returns how many events of each group wait, or were lost since the last flush. Those stay to be reported.
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
