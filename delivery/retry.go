package delivery

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	// maxTries is how often a part is sent again as it is, before something else is tried.
	maxTries = 3
	// maxProbes is how many single events are tried to find out whether anything passes.
	maxProbes = 3
	// maxStrikes is how often a single event has to fail, each time after something else passed, to
	// be dropped. A failure counts a quarter if, since the first one, something that had failed
	// passed unchanged: the service is flaky.
	maxStrikes = 8
	strike     = 4
	// maxSuspectPause bounds the time between two attempts at a single event that failed while
	// others passed.
	maxSuspectPause = 256 * time.Second
	// keyRefusals is how many answers of 401 or 403 in a row say that it is about the key, and not
	// about an event.
	keyRefusals = 3
	// growAfter is how many requests have to pass under a limit in bytes before twice as many bytes
	// are tried.
	growAfter = 16
)

// schedule decides what is sent next, from the outcomes of the requests so far. It is a state
// machine without clock, goroutine or lock; the sender drives it.
//
// An outcome other than success is ambiguous: a firewall that dislikes a word in one event answers
// as for a revoked key, a gateway that chokes on one event as in an outage. An event is guilty by
// contrast only: it failed, something else passed, and it failed again. Dividing and dropping on
// less than that loses good events, and multiplies the requests in an outage.
type schedule struct {
	backoff  backoff
	coin     func() bool // at random
	max      int         // events of a request
	maxBytes int

	attempts  uint64 // so far
	lastPass  uint64 // the attempt that passed last
	lastFault uint64 // the attempt that failed last without being guilty
	size      int    // fresh events for the next request; doubles while requests pass, and halves when one fails
	byteLimit int    // after a request that was too large; maxBytes without one
	below     int    // requests that passed under that limit
	held      []*part
	again     *part         // what failed last and is to be sent again as it is; one of held
	turn      int           // the held part whose turn it is while nothing passes
	turns     int           // since something passed, or was taken out of a held part
	lastFlake uint64        // the attempt that passed last with a part that had failed before, unchanged
	lastGuilt uint64        // the attempt that failed last with a guilty part
	failures  int           // in a row
	refusals  int           // answers in a row that may be about the key
	failed    time.Time     // when the last request failed that brought a pause
	rest      time.Duration // that pause
	ordered   bool          // whether the service asked for it, with Retry-After
	suspected bool          // whether only suspects have failed since something passed
}

func newSchedule(b backoff, events, bytes int) *schedule {
	return &schedule{backoff: b, coin: func() bool { return rand.N(2) == 0 }, max: events, maxBytes: bytes, size: events, byteLimit: bytes}
}

// passing reports whether requests pass, other than those that are to blame themselves for their
// failure.
func (s *schedule) passing() bool { return s.lastPass >= s.lastFault }

// keyRefused reports whether the service refuses everything, with an answer that is about the key.
func (s *schedule) keyRefused() bool {
	if s.poisoned() { // and single events refused like that, too
		return s.refusals >= 2*keyRefusals
	}
	return s.refusals >= keyRefusals
}

// choice is what to send next: a held part, one event of a held part, or so many fresh events. Its
// zero value is nothing.
type choice struct {
	part   *part
	single bool // only the first event of the part, to find out whether anything passes
	fresh  int
}

// next chooses. fresh is whether there are events that were not sent yet, due whether a held part
// may be tried.
func (s *schedule) next(fresh bool, due func(*part) bool) choice {
	if !s.passing() {
		return s.nextInTrouble(fresh, due)
	}
	first := func(want func(*part) bool) choice {
		if i := slices.IndexFunc(s.held, func(p *part) bool { return due(p) && want(p) }); i >= 0 {
			return choice{part: s.held[i]}
		}
		return choice{}
	}
	c := first(func(p *part) bool { return !p.suspect })
	// Suspects have half of the requests at most. At random, so that they do not keep step with a
	// service that fails every other request.
	if c.part == nil && !(fresh && s.coin()) {
		c = first(s.contrasted)
	}
	if c.part == nil && fresh {
		return choice{fresh: s.size}
	}
	if c.part == nil {
		c = first(func(*part) bool { return true })
	}
	return c
}

// nextInTrouble chooses after a failure that nothing explains but trouble with the service.
func (s *schedule) nextInTrouble(fresh bool, due func(*part) bool) choice {
	switch {
	case s.again != nil:
		return choice{part: s.again}
	case s.coin():
		if i := slices.IndexFunc(s.held, func(p *part) bool { return p.suspect && due(p) && s.contrasted(p) }); i >= 0 {
			return choice{part: s.held[i]}
		}
	}
	if s.probes() < maxProbes || s.turns >= len(s.held) { // also after each round in which none of the held parts passed
		s.turns = 0
		if fresh {
			return choice{fresh: 1}
		}
		if i := slices.IndexFunc(s.held, (*part).dividable); i >= 0 {
			return choice{part: s.held[i], single: true}
		}
	}
	for range s.held {
		s.turn++
		s.turns++
		if p := s.held[s.turn%len(s.held)]; due(p) {
			return choice{part: p}
		}
	}
	return choice{}
}

// poisoned reports whether the last failure that was explained was an event's own: the next one is
// likely to be, too.
func (s *schedule) poisoned() bool { return s.lastGuilt > s.lastFlake }

// contrasted reports whether something passed since the part failed: another failure is its own.
func (s *schedule) contrasted(p *part) bool { return p.failedAt > 0 && s.lastPass > p.failedAt }

// probes counts the single events that were tried and have not been found guilty.
func (s *schedule) probes() (n int) {
	for _, p := range s.held {
		if p.probe && p.strikes == 0 {
			n++
		}
	}
	return n
}

// verdict is what is to be done with a part after an attempt.
type verdict int

const (
	deliver verdict = iota // it was
	hold                   // it stays as it is, for another attempt
	divide                 // into two
	giveUp                 // it is dropped
)

// judge takes in the outcome of an attempt.
func (s *schedule) judge(p *part, o outcome, now time.Time, early bool) verdict {
	s.attempts++
	s.again = nil
	if o.class == passed {
		s.pass(p)
		return deliver
	}
	guilty := s.contrasted(p)
	if p.failedFirst == 0 {
		p.failedFirst = s.attempts
	}
	p.failedAt = s.attempts
	p.cause = fmt.Errorf("%w: %w", ErrRefused, o.err)
	if o.tooLarge {
		p.cause = fmt.Errorf("%w: %w", ErrTooLarge, o.err)
	}
	p.ambiguous = p.ambiguous || o.class == unavailable && !o.tooLarge
	p.tries++
	p.failures++
	s.suspected = s.suspected && p.suspect
	if o.retryAfter > 0 { // whoever is to blame
		s.failed, s.rest, s.ordered = now, o.retryAfter, true
	}
	switch {
	case p.suspect: // it says nothing about the key
	case o.keyRefused:
		s.refusals++
	default:
		s.refusals = 0
	}
	switch {
	case o.tooLarge && len(p.events) > 1:
		s.byteLimit, s.below = max(p.bytes/2, 1), 0
		s.lastFault = s.attempts
		s.fail(o, now)
		return divide
	case guilty && len(p.events) > 1:
		s.lastGuilt = s.attempts
		return divide
	case guilty:
		s.lastGuilt = s.attempts
		if early {
			return hold
		}
		if s.lastFlake > p.failedFirst {
			p.strikes++
		} else {
			p.strikes += strike
		}
		if p.strikes >= maxStrikes*strike {
			s.release(p)
			return giveUp
		}
		p.suspect = true
		s.put(p, now)
		return hold
	case p.strikes > 0: // nothing passed in between, so that it is no contrast
		s.put(p, now)
		return hold
	default:
		s.lastFault = s.attempts
		s.hold(p)
		s.size = max(s.size/2, 1)
		s.fail(o, now)
		if o.class == unavailable && !s.poisoned() && p.tries < maxTries {
			s.again = p
		}
		return hold
	}
}

func (s *schedule) pass(p *part) {
	s.lastPass = s.attempts
	s.turns = 0
	s.failures, s.refusals = 0, 0
	s.rest, s.ordered, s.suspected = 0, false, true
	s.size = min(2*s.size, s.max)
	if p.failedFirst > 0 { // unchanged, so that no event is to blame
		s.lastFlake, s.size = s.attempts, s.max
	}
	if s.byteLimit < s.maxBytes {
		if s.below++; s.below >= growAfter {
			s.byteLimit, s.below = min(2*s.byteLimit, s.maxBytes), 0
		}
	}
	for _, other := range s.held {
		other.tries = 0
	}
	s.release(p)
}

// fail sets the pause after a failure that is nobody's fault in particular. A first refusal has
// none: it is most likely about one event, and the next request shows that.
func (s *schedule) fail(o outcome, now time.Time) {
	s.failures++
	var pause time.Duration
	switch {
	case o.retryAfter > 0:
		pause = o.retryAfter
	case s.keyRefused():
		pause = s.backoff.refused(s.refusals - keyRefusals)
	case (o.class == refused || s.poisoned()) && s.failures == 1:
	default:
		pause = s.backoff.pause(s.failures - 1)
	}
	s.failed, s.rest, s.ordered = now, pause, o.retryAfter > 0
}

// pause returns how long to wait before the next request: no longer than longest after the last
// one, unless the service asked for more. While all failures are those of suspects, there is no
// pause for fresh events.
func (s *schedule) pause(now time.Time, longest time.Duration, fresh bool) time.Duration {
	rest := s.rest
	if fresh && s.suspected && !s.ordered {
		return 0
	}
	if !s.ordered {
		rest = min(rest, longest)
	}
	return s.failed.Add(rest).Sub(now)
}

// untilDue returns how long to wait until a held part is due.
func (s *schedule) untilDue(now time.Time) time.Duration {
	pause := idle
	for _, p := range s.held {
		if d := p.due.Sub(now); d > 0 {
			pause = min(pause, d)
		}
	}
	return pause
}

// suspects counts the events up to a flush that are held alone, and failed for that flush, too,
// while others passed. cause is what is wrong with one of them.
func (s *schedule) suspects(flush uint32) (n uint64, cause error) {
	for _, p := range s.held {
		if e := &p.events[0]; p.strikes > 0 && p.flush >= flush && e.epoch <= flush {
			n += uint64(e.weight)
			cause = p.cause
		}
	}
	return n, cause
}

// put holds a single event that is not to be tried for a while.
func (s *schedule) put(p *part, now time.Time) {
	p.pauses++
	p.due = now.Add(doubled(time.Second, p.pauses, maxSuspectPause))
	s.hold(p)
}

func (s *schedule) hold(p *part) {
	if !slices.Contains(s.held, p) {
		s.held = append(s.held, p)
	}
}

func (s *schedule) release(p *part) {
	if i := slices.Index(s.held, p); i >= 0 {
		s.held = slices.Delete(s.held, i, i+1)
	}
}
