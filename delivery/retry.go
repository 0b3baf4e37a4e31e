package delivery

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	// maxTries is the number of attempts at a part before something else is sent.
	maxTries = 3
	// maxProbes is the number of single events that are sent to find out whether anything passes.
	maxProbes = 3
	// maxStrikes is the number of strikes after which a single event is dropped. A strike is a
	// failure of the event after something else passed.
	maxStrikes = 8
	// strike is what part.strikes counts for a strike. It counts only 1 if the service is flaky:
	// if, since the event was held, something else that had failed passed unchanged.
	strike = 4
	// maxSuspectPause bounds the pause between two attempts at a suspect.
	maxSuspectPause = 256 * time.Second
	// keyRefusals is the number of 401 and 403 responses in a row after which they are taken to be
	// about the SDK key and not about an event.
	keyRefusals = 3
	// growAfter is the number of requests that pass under a limit in bytes before it is doubled.
	growAfter = 16
)

// schedule decides what to send next, from the outcomes of all attempts so far. It is a state
// machine without a clock, goroutines or locks; the sender drives it.
//
// The cause of a failure is ambiguous: a firewall that rejects a word in one event responds as if
// the SDK key were revoked, and a gateway that fails on one event responds as in an outage. A part
// is only at fault if it failed, another part passed afterwards, and it failed again. Dividing or
// dropping parts on less evidence would lose good events, and multiply the requests in an outage.
//
// In an attempt, a part passes or fails. A fresh event was not sent before. A held part failed, and
// is kept to be sent again. A suspect is a held part that was at fault, or that was divided from
// one; it has a pause of its own. All other failures are the service's, and pause all requests.
// While nothing passes, a probe is a request with a single event, to find out whether anything
// does.
type schedule struct {
	backoff  backoff
	random   func(n int) int // returns a number from 0 to n-1
	max      int             // events of a request
	maxBytes int             // bytes of a request

	attempts     uint64  // number of attempts so far
	lastPass     uint64  // the number of the last attempt that passed
	held         []*part // parts that failed, oldest first
	retryNext    *part   // the part of held to send next, unchanged; nil for none
	eventAtFault bool    // whether the last failure with a known cause was an event's; the next one probably is, too
	size         int     // fresh events in the next request; doubled when a request passes, halved when one fails
	byteLimit    int     // bytes of the next request; less than maxBytes after a request that was too large
	underLimit   int     // requests that passed under the current byteLimit
	passedBytes  int     // of the largest request that passed of late

	// Failures that are not an event's own.
	failures       int           // in a row
	refusals       int           // the last of these, in a row, whose responses may be about the SDK key
	pauseStart     time.Time     // when the last failure caused a pause
	pauseLength    time.Duration // its length
	pauseRequested bool          // whether the service requested it with Retry-After
}

func newSchedule(b backoff, events, bytes int) *schedule {
	return &schedule{backoff: b, random: rand.N[int], max: events, maxBytes: bytes, size: events, byteLimit: bytes}
}

// passing reports whether requests pass, except those that are at fault.
func (s *schedule) passing() bool { return s.failures == 0 }

// available reports whether the service seems to work: requests pass, or the only failure since is
// most likely an event's.
func (s *schedule) available() bool { return s.passing() || s.eventAtFault && s.failures == 1 }

// keyRefused reports whether the service refuses the SDK key.
func (s *schedule) keyRefused() bool {
	if s.eventAtFault { // events may be refused with the same status
		return s.refusals >= 2*keyRefusals
	}
	return s.refusals >= keyRefusals
}

// choice is what to send next: a held part, its first event, or a number of fresh events. The zero
// value is nothing.
type choice struct {
	part      *part
	firstOnly bool // send only the first event of the part, to find out whether anything passes
	fresh     int
}

// next chooses what to send next. fresh is whether there are fresh events; due reports whether a
// held part may be sent now.
func (s *schedule) next(fresh bool, due func(*part) bool) choice {
	switch {
	case s.retryNext != nil:
		return choice{part: s.retryNext}
	case !s.passing():
		return s.probe(fresh, due)
	}
	p := s.find(0, func(p *part) bool { return !p.suspect && due(p) })
	// Suspects get at most half of the requests: at random, so that they are not in step with a
	// service that fails every other request.
	if p == nil && !(fresh && s.random(2) == 0) {
		p = s.find(0, func(p *part) bool { return s.passedSince(p) && due(p) })
	}
	switch {
	case p != nil:
		return choice{part: p}
	case fresh:
		return choice{fresh: s.size}
	default:
		return s.firstOfHeld(due)
	}
}

// probe chooses what to send while nothing passes: a fresh event, if few single events are held and
// from time to time afterwards, or else a held part.
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
		return s.firstOfHeld(due)
	}
}

// firstOfHeld chooses the first event of a held part, or else a held part that must not be divided.
func (s *schedule) firstOfHeld(due func(*part) bool) choice {
	p := s.find(0, func(p *part) bool { return p.dividable() && due(p) })
	if p != nil {
		return choice{part: p, firstOnly: true}
	}
	return choice{part: s.find(s.random(max(len(s.held), 1)), due)}
}

// find returns the first held part for which want returns true, or nil. It starts at an index and
// wraps around.
func (s *schedule) find(from int, want func(*part) bool) *part {
	for i := range s.held {
		if p := s.held[(from+i)%len(s.held)]; want(p) {
			return p
		}
	}
	return nil
}

// passedSince reports whether another part passed since p failed. If so, p is at fault if it fails
// again.
func (s *schedule) passedSince(p *part) bool { return p.failedAt > 0 && s.lastPass > p.failedAt }

// verdict is what to do with a part after an attempt.
type verdict int

const (
	deliver verdict = iota // count it as delivered
	hold                   // keep it for another attempt
	divide                 // divide it into two parts
	giveUp                 // drop it
)

// judge records the outcome of an attempt at a part, and returns what to do with the part. early is
// whether a flush caused the attempt before the part was due.
func (s *schedule) judge(p *part, o outcome, now time.Time, early bool) verdict {
	s.attempts++
	if o.class == passed {
		s.pass(p)
		return deliver
	}
	atFault := s.passedSince(p)
	if !early {
		p.failedAt = s.attempts
		p.failures++
	}
	p.cause = fmt.Errorf("%w: %w", ErrRefused, o.err)
	if o.tooLarge {
		p.cause = fmt.Errorf("%w: %w", ErrTooLarge, o.err)
	}
	p.ambiguous = p.ambiguous || o.class == unavailable && !o.tooLarge
	s.retryNext = nil
	if o.retryAfter > 0 { // applies even if the part is at fault
		s.pauseStart, s.pauseLength, s.pauseRequested = now, o.retryAfter, true
	}
	switch {
	case o.tooLarge && len(p.events) > 1:
		switch {
		case o.class == unavailable: // it could not be written in time
			s.byteLimit, s.underLimit = max(p.bytes/2, 1), 0
		case p.bytes > s.passedBytes: // otherwise it is about an event and not about the size
			s.byteLimit, s.underLimit = max(p.bytes/2, s.passedBytes), 0
		}
		return divide
	case atFault:
		s.eventAtFault, p.suspect = true, true
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
		if o.class == unavailable && !s.eventAtFault && p.failures < maxTries {
			s.retryNext = p
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

// pass records that a part passed.
func (s *schedule) pass(p *part) {
	s.lastPass = s.attempts
	s.retryNext = nil
	s.failures, s.refusals = 0, 0
	s.pauseLength, s.pauseRequested = 0, false
	s.passedBytes = max(p.bytes, s.passedBytes-s.passedBytes/growAfter)
	if !p.suspect { // what a suspect is divided into says nothing about the next fresh events
		s.size = min(2*s.size, s.max)
	}
	if p.failures > 0 { // it passed unchanged: its failures were the service's
		s.eventAtFault, s.size = false, s.max
		for _, other := range s.held {
			other.flaky = true
		}
	}
	if s.byteLimit < s.maxBytes {
		if s.underLimit++; s.underLimit >= growAfter {
			s.byteLimit, s.underLimit = min(2*s.byteLimit, s.maxBytes), 0
		}
	}
	s.release(p)
}

// fail records a failure of the service, and sets the pause. The first refusal causes no pause,
// because it is most likely about one event, which the next request shows.
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
	case (o.class == refused || s.eventAtFault) && s.failures == 1:
	default:
		pause = s.backoff.pause(s.failures - 1)
	}
	s.pauseStart, s.pauseLength, s.pauseRequested = now, pause, o.retryAfter > 0
}

// pause returns how long to wait before the next request. longest limits the pause since the last
// failure, unless the service requested it.
func (s *schedule) pause(now time.Time, longest time.Duration) time.Duration {
	length := s.pauseLength
	if !s.pauseRequested {
		length = min(length, longest)
	}
	return s.pauseStart.Add(length).Sub(now)
}

// untilDue returns how long to wait until the next held part is due.
func (s *schedule) untilDue(now time.Time) time.Duration {
	pause := idle
	for _, p := range s.held {
		if d := p.due.Sub(now); d > 0 {
			pause = min(pause, d)
		}
	}
	return pause
}

// suspects returns the number of events covered by a flush that are suspect, held alone, and were
// sent for that flush or just before. cause is the cause for one of them, or nil if there are none.
func (s *schedule) suspects(flush uint32, now time.Time) (n uint64, cause error) {
	for _, p := range s.held {
		if e := &p.events[0]; p.suspect && len(p.events) == 1 && p.triedFor(flush, now) && e.epoch <= flush {
			n += e.weight
			cause = p.cause
		}
	}
	return n, cause
}

// hold adds a part to the held ones.
func (s *schedule) hold(p *part) {
	if !slices.Contains(s.held, p) {
		s.held = append(s.held, p)
	}
}

// release removes a part from the held ones.
func (s *schedule) release(p *part) {
	if i := slices.Index(s.held, p); i >= 0 {
		s.held = slices.Delete(s.held, i, i+1)
	}
}
