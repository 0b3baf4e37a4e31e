package delivery

import (
	"context"
	"time"
)

// flushBackoff bounds the pause before another attempt while a flush or a shutdown waits: a service
// that is back is found before their deadline, and one that is not gets no more requests than from
// LaunchDarkly's own sender.
const flushBackoff = time.Second

// idle is how long the sender sleeps when there is nothing to do, unless it is woken.
const idle = time.Hour

// stallTimeout is how long a request may go without an answer until it is logged, and until nothing
// waits for the room that it would make.
const stallTimeout = time.Second

// sender sends what is in the store, one request at a time. It belongs to the goroutine that runs
// it.
type sender struct {
	queue    *queue
	ledger   *ledger
	store    store
	schedule *schedule
	pace     pace
	endpoint *endpoint
	report   *reporter
	date     func(string)  // takes the Date of the service
	wake     chan struct{} // there may be something to send
	released chan struct{} // everything that is stored is to be sent

	budget int    // stored events to send although they do not fill a request
	flush  uint32 // the last flush that waits; 0 for none
	tried  uint32 // the last flush for which a request was sent
}

// run sends until it is stopped.
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

// close releases connections and memory. Nothing may be sent afterwards.
func (s *sender) close() {
	s.endpoint.closeIdle()
	s.schedule.held, s.schedule.again = nil, nil
}

// step sends a request if there is one to send now, and otherwise returns how long to wait.
func (s *sender) step(stopping context.Context) time.Duration {
	now := time.Now()
	for _, p := range s.store.recovered() {
		s.schedule.hold(p)
	}
	waiting, bytes := s.store.waiting()
	var covered uint64
	s.flush, covered = s.ledger.lastFlush()
	if cause := s.hopeless(covered); cause != nil {
		s.ledger.giveUp(s.flush, cause)
		s.flush = 0
	}
	longest := idle
	if s.flush > 0 {
		longest = max(s.schedule.backoff.shortest, flushBackoff)
	}
	if pause := s.schedule.pause(now, longest); pause > 0 {
		return pause
	}
	due := func(p *part) bool { return !p.due.After(now) || p.flush < s.flush }
	p, pause := s.pick(s.schedule.next(waiting > 0, due), now, waiting, bytes)
	if p == nil {
		if pause == 0 {
			pause = s.schedule.untilDue(now)
		}
		return pause
	}
	s.send(stopping, p, now)
	return 0
}

// hopeless returns why the flush that waits for so many events may as well end: the key is refused,
// also for this flush, or all of them are events that failed again by themselves while everything
// else passed.
func (s *sender) hopeless(covered uint64) error {
	switch {
	case s.flush == 0, s.tried < s.flush:
		return nil
	case s.schedule.keyRefused():
		return ErrUnauthorized
	}
	suspects, cause := s.schedule.suspects(s.flush)
	if cause == nil || suspects < covered {
		return nil
	}
	return cause
}

// pick takes what was chosen out of the store, as far as the pace allows. Otherwise it returns how
// long to wait, 0 for until there is something new.
func (s *sender) pick(c choice, now time.Time, waiting, bytes int) (*part, time.Duration) {
	if p := c.part; p != nil {
		n := len(p.events)
		if c.single {
			n = 1
		}
		allowed, pause := s.pace.allow(now, n)
		switch {
		case pause > 0:
			return nil, pause
		case allowed >= n && !c.single:
			return p, 0
		default:
			return s.divide(p, min(n, allowed)), 0
		}
	}
	if c.fresh == 0 || waiting == 0 {
		return nil, 0
	}
	recovering := !s.schedule.passing() || s.schedule.size < s.schedule.max
	full := waiting >= s.schedule.size || bytes >= s.schedule.byteLimit
	if !full && !recovering && s.budget <= 0 {
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

// send makes an attempt at a part, and does what follows from it.
func (s *sender) send(stopping context.Context, p *part, now time.Time) {
	early := p.due.After(now)
	s.tried, p.flush = s.flush, s.flush
	stalled := make(chan struct{})
	stall := time.AfterFunc(stallTimeout, func() {
		s.queue.attempted(false)
		close(stalled)
		s.report.stalled()
	})
	o := s.endpoint.attempt(stopping, p)
	if !stall.Stop() {
		<-stalled
	}
	if stopping.Err() != nil && o.class != passed {
		return // the part stays in the store
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
		s.report.accepted(s.ledger) // before a flush returns
		s.store.settle(p)
		s.ledger.settle(p.events, nil)
	case divide:
		if first := s.divide(p, len(p.events)/2); o.tooLarge {
			s.schedule.again = first // so that events stay in order
		}
	case giveUp:
		s.store.settle(p)
		drop(s.ledger, s.report, p.events, p.cause)
	}
	s.queue.attempted(s.schedule.passing())
	signal(s.queue.wake) // the formatter may have waited for room
	if v != deliver {
		s.report.failed(o, s.schedule, now, s.ledger)
	}
}
