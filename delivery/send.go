package delivery

import (
	"context"
	"time"
)

// flushBackoff bounds the pause before another attempt while a flush or a shutdown waits, so that a
// recovery is noticed before their deadline. LaunchDarkly's own sender uses the same pause.
const flushBackoff = time.Second

// idle is the pause of the sender if there is nothing to send.
const idle = time.Hour

// stallTimeout is the time without a response after which a request is logged, and puts no longer
// block until it makes room.
const stallTimeout = time.Second

// sender sends the events in the store, one request at a time. Only the goroutine of run uses it.
type sender struct {
	queue    *queue
	ledger   *ledger
	store    store
	schedule *schedule
	pace     pace
	endpoint *endpoint
	report   *reporter
	date     func(string)  // called with the Date header of responses
	wake     chan struct{} // signals that there may be something to send
	released chan struct{} // signals that all stored events are to be sent

	budget int    // stored events to send even if they do not fill a request
	flush  uint32 // the epoch of the last flush that waits; 0 for none
	tried  uint32 // the epoch of the last flush for which a request was sent
}

// run sends requests until stopping is done.
func (s *sender) run(stopping context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for stopping.Err() == nil {
		pause := s.step(stopping)
		if pause == 0 {
			continue
		}
		timer.Reset(pause)
		select {
		case <-timer.C:
		case <-s.wake:
		case <-s.released:
			s.budget, _ = s.store.waiting()
		case <-stopping.Done():
		}
	}
}

// close releases connections and memory. The sender must not be used afterwards.
func (s *sender) close() {
	s.endpoint.closeIdle()
	s.schedule.held, s.schedule.retryNext = nil, nil
}

// step sends a request and returns 0, or returns how long to wait if there is none to send now.
func (s *sender) step(stopping context.Context) time.Duration {
	now := time.Now()
	for _, p := range s.store.recovered() {
		s.schedule.hold(p)
	}
	waiting, bytes := s.store.waiting()
	var covered uint64
	s.flush, covered = s.ledger.lastFlush()
	if cause := s.flushError(covered, now); cause != nil {
		s.ledger.giveUp(s.flush, cause)
		s.flush = 0
	}
	longest := idle
	if s.flush > 0 {
		longest = max(s.schedule.backoff.shortest, flushBackoff)
	}
	if pause := s.schedule.pause.left(now, longest); pause > 0 {
		return pause
	}
	due := func(p *part) bool { return s.schedule.wait(p, now, s.flush, longest) == 0 }
	chosen := s.schedule.next(s.sendsFresh(waiting, bytes), due)
	p, pause := s.pick(chosen, now, waiting)
	if p == nil && pause == 0 && chosen.fresh > 0 { // which the store cannot read now
		p, pause = s.pick(s.schedule.next(false, due), now, waiting)
	}
	if p == nil {
		if pause == 0 {
			pause = s.schedule.untilDue(now, s.flush, longest)
		}
		return pause
	}
	s.send(stopping, p, now)
	return 0
}

// flushError returns why to end the current flush, which covers the given number of waiting events,
// or nil to continue it. It ends if the SDK key was refused in response to a request of this flush,
// or if only suspects remain.
func (s *sender) flushError(covered uint64, now time.Time) error {
	switch {
	case s.flush == 0:
		return nil
	case s.tried >= s.flush && s.schedule.keyRefused():
		return ErrUnauthorized
	}
	suspects, cause := s.schedule.suspects(s.flush, now)
	if cause == nil || suspects < covered {
		return nil
	}
	return cause
}

// triedFor reports whether the part was sent for a flush, or just before it: flushes in quick
// succession share an attempt.
func (p *part) triedFor(flush uint32, now time.Time) bool {
	return p.flush >= flush || now.Sub(p.sent) < flushBackoff
}

// sendsFresh reports whether to send fresh events, of which so many events and bytes wait: those of
// a flush or an interval, those that fill a request, and all of them after a failure.
func (s *sender) sendsFresh(waiting, bytes int) bool {
	failed := !s.schedule.passing() || s.schedule.size < s.schedule.max
	full := waiting >= s.schedule.size || bytes >= s.schedule.byteLimit
	return waiting > 0 && (s.budget > 0 || failed || full)
}

// pick returns the chosen part, or as much of it as the pace allows. If there is nothing to send,
// it returns nil and how long to wait, or 0 to wait for a signal.
func (s *sender) pick(c choice, now time.Time, waiting int) (*part, time.Duration) {
	if p := c.part; p != nil {
		n := len(p.events)
		if c.firstOnly {
			n = 1
		}
		allowed, pause := s.pace.allow(now, n)
		switch {
		case pause > 0:
			return nil, pause
		case allowed >= n && !c.firstOnly:
			return p, 0
		default:
			return s.divide(p, min(n, allowed)), 0
		}
	}
	if c.fresh == 0 {
		return nil, 0
	}
	allowed, pause := s.pace.allow(now, min(c.fresh, waiting))
	if allowed == 0 {
		return nil, pause
	}
	p := s.store.take(min(c.fresh, allowed), s.schedule.byteLimit)
	if p == nil {
		return nil, 0
	}
	s.budget -= len(p.events)
	return p, 0
}

// send sends the part once, and delivers, holds, divides or drops it according to the outcome.
func (s *sender) send(stopping context.Context, p *part, now time.Time) {
	early := p.due.After(now)
	s.tried, p.flush, p.sent = s.flush, s.flush, now
	stalled := make(chan struct{})
	stall := time.AfterFunc(stallTimeout, func() {
		s.queue.attempted(false)
		log := s.report.stalled()
		close(stalled)
		log()
	})
	o := s.endpoint.attempt(stopping, p)
	if !stall.Stop() {
		<-stalled
	}
	if stopping.Err() != nil && o.class != passed {
		return // the store keeps the part
	}
	now = time.Now()
	s.pace.done(now, len(p.events))
	if o.date != "" {
		s.date(o.date)
	}
	v := s.schedule.judge(p, o, now, early)
	s.ledger.attempted(v == deliver)
	switch v {
	case deliver:
		s.report.accepted(s.ledger) // before flushes return
		s.store.settle(p)
		s.ledger.settle(p.events, nil)
	case divide:
		if first := s.divide(p, len(p.events)/2); o.tooLarge {
			s.schedule.retryNext = first // to keep the events in order
		}
	case giveUp:
		s.store.settle(p)
		drop(s.ledger, s.report, p.events, p.cause)
	}
	s.queue.attempted(s.schedule.available())
	signal(s.queue.wake) // there may be room for the formatter
	if v != deliver {
		s.report.failed(o, s.schedule, now, s.ledger)
	}
}
