package delivery

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	// maxTries is how often a part is sent as it is before something else is tried.
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
//
// What failed although something else passed meanwhile is suspect, and so is what it is divided
// into. Suspects have pauses of their own; all other failures are the service's, which pauses
// everything.
type schedule struct {
	backoff  backoff
	random   func(n int) int // less than n
	max      int             // events of a request
	maxBytes int

	attempts  uint64 // so far
	lastPass  uint64 // the attempt that passed last
	poisoned  bool   // the last failure that was explained was an event's own: the next one is likely to be, too
	size      int    // fresh events for the next request; doubles while requests pass, and halves when one fails
	byteLimit int    // after a request that was too large; maxBytes without one
	below     int    // requests that passed under that limit
	held      []*part
	again     *part         // what failed last and is to be sent again as it is; one of held
	failures  int           // in a row, of the service
	refusals  int           // of them in a row, with answers that may be about the key
	failed    time.Time     // when the last request failed that brought a pause
	rest      time.Duration // that pause
	ordered   bool          // whether the service asked for it, with Retry-After
}

func newSchedule(b backoff, events, bytes int) *schedule {
	return &schedule{backoff: b, random: rand.N[int], max: events, maxBytes: bytes, size: events, byteLimit: bytes}
}

// passing reports whether requests pass, other than those that are to blame themselves for their
// failure.
func (s *schedule) passing() bool { return s.failures == 0 }

// keyRefused reports whether the service refuses everything, with an answer that is about the key.
func (s *schedule) keyRefused() bool {
	if s.poisoned { // and single events refused like that, too
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
	switch {
	case s.again != nil:
		return choice{part: s.again}
	case !s.passing():
		return s.probe(fresh, due)
	}
	p := s.find(0, func(p *part) bool { return !p.suspect && due(p) })
	// Suspects have half of the requests at most. At random, so that they do not keep step with a
	// service that fails every other request.
	if p == nil && !(fresh && s.random(2) == 0) {
		p = s.find(0, func(p *part) bool { return s.contrasted(p) && due(p) })
	}
	switch {
	case p != nil:
		return choice{part: p}
	case fresh:
		return choice{fresh: s.size}
	default:
		return s.single(due)
	}
}

// probe chooses while nothing passes: a single event that was not tried yet, as long as few such
// are held and now and then afterwards, or else any held part.
func (s *schedule) probe(fresh bool, due func(*part) bool) choice {
	tried := 0
	for _, p := range s.held {
		if len(p.events) == 1 && !p.suspect {
			tried++
		}
	}
	switch {
	case tried >= maxProbes && s.random(len(s.held)) > 0:
		return choice{part: s.find(s.random(len(s.held)), due)}
	case fresh:
		return choice{fresh: 1}
	default:
		return s.single(due)
	}
}

// single chooses one event of a held part, or a held part that must not be divided for that.
func (s *schedule) single(due func(*part) bool) choice {
	p := s.find(0, func(p *part) bool { return p.dividable() && due(p) })
	if p != nil {
		return choice{part: p, single: true}
	}
	return choice{part: s.find(s.random(max(len(s.held), 1)), due)}
}

// find returns the first held part, from an index on, that is wanted; nil for none.
func (s *schedule) find(from int, want func(*part) bool) *part {
	for i := range s.held {
		if p := s.held[(from+i)%len(s.held)]; want(p) {
			return p
		}
	}
	return nil
}

// contrasted reports whether something passed since the part failed: another failure is its own.
func (s *schedule) contrasted(p *part) bool { return p.failedAt > 0 && s.lastPass > p.failedAt }

// verdict is what is to be done with a part after an attempt.
type verdict int

const (
	deliver verdict = iota // it was
	hold                   // it stays as it is, for another attempt
	divide                 // into two
	giveUp                 // it is dropped
)

// judge takes in the outcome of an attempt. early is whether a flush made it before the part was
// due.
func (s *schedule) judge(p *part, o outcome, now time.Time, early bool) verdict {
	s.attempts++
	if o.class == passed {
		s.pass(p)
		return deliver
	}
	guilty := s.contrasted(p)
	p.failedAt = s.attempts
	if !early {
		p.failures++
	}
	p.cause = fmt.Errorf("%w: %w", ErrRefused, o.err)
	if o.tooLarge {
		p.cause = fmt.Errorf("%w: %w", ErrTooLarge, o.err)
	}
	p.ambiguous = p.ambiguous || o.class == unavailable && !o.tooLarge
	s.again = nil
	if o.retryAfter > 0 { // whoever is to blame
		s.failed, s.rest, s.ordered = now, o.retryAfter, true
	}
	switch {
	case o.tooLarge && len(p.events) > 1:
		s.byteLimit, s.below = max(p.bytes/2, 1), 0
		s.fail(o, now)
		return divide
	case guilty:
		s.poisoned, p.suspect = true, true
		if len(p.events) > 1 {
			return divide
		}
		switch {
		case early:
		case p.flaky:
			p.strikes++
		default:
			p.strikes += strike
		}
		if p.strikes >= maxStrikes*strike {
			s.release(p)
			return giveUp
		}
	case !p.suspect:
		s.size = max(s.size/2, 1)
		s.fail(o, now)
		s.hold(p)
		if o.class == unavailable && !s.poisoned && p.failures < maxTries {
			s.again = p
		}
		return hold
	}
	s.hold(p)
	switch {
	case early:
	case len(p.events) > 1:
		p.due = now.Add(s.backoff.pause(p.failures - 1))
	default:
		p.due = now.Add(doubled(time.Second, p.failures, maxSuspectPause))
	}
	return hold
}

func (s *schedule) pass(p *part) {
	s.lastPass = s.attempts
	s.again = nil
	s.failures, s.refusals = 0, 0
	s.rest, s.ordered = 0, false
	s.size = min(2*s.size, s.max)
	if p.failures > 0 { // unchanged, so that no event is to blame
		s.poisoned, s.size = false, s.max
		for _, other := range s.held {
			other.flaky = true
		}
	}
	if s.byteLimit < s.maxBytes {
		if s.below++; s.below >= growAfter {
			s.byteLimit, s.below = min(2*s.byteLimit, s.maxBytes), 0
		}
	}
	s.release(p)
}

// fail sets the pause after a failure of the service. A first refusal has none: it is most likely
// about one event, and the next request shows that.
func (s *schedule) fail(o outcome, now time.Time) {
	s.failures++
	if o.keyRefused {
		s.refusals++
	} else {
		s.refusals = 0
	}
	var pause time.Duration
	switch {
	case o.retryAfter > 0:
		pause = o.retryAfter
	case s.keyRefused():
		pause = s.backoff.refused(s.refusals - keyRefusals)
	case (o.class == refused || s.poisoned) && s.failures == 1:
	default:
		pause = s.backoff.pause(s.failures - 1)
	}
	s.failed, s.rest, s.ordered = now, pause, o.retryAfter > 0
}

// pause returns how long to wait before the next request: no longer than longest after the last
// one, unless the service asked for more.
func (s *schedule) pause(now time.Time, longest time.Duration) time.Duration {
	rest := s.rest
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
