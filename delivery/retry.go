package delivery

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"
)

const (
	// maxTries is the number of attempts at a part before something else is sent.
	maxTries = 3
	// maxProbes is the number of single events that are sent to find out whether anything passes.
	maxProbes = 3
	// maxFaults is the number of failures in a row of which each can be the fault of a part. After
	// more of them, the service may be down.
	maxFaults = 10
	// maxStrikes is the number of strikes after which a single event is sent maxTries more times, one
	// after another, and then dropped. A strike is a failure of the event after something else
	// passed. A 429 or 503 is no strike: it is about the service, and such an event is kept.
	maxStrikes = 8
	// strike is what part.strikes counts for a strike. It counts less if the service is flaky.
	strike = 8
	// maxFlakes is the number of flakes that are counted. A flake is a part that failed and then
	// passed unchanged.
	maxFlakes = 7
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
// is only at fault if it failed, another part passed afterwards, and it failed again, soon after
// something passed. Dividing or dropping parts on less evidence would lose good events, and multiply
// the requests in an outage.
//
// In an attempt, a part passes or fails. A fresh event was not sent before. A held part failed, and
// is kept to be sent again. A suspect is a held part that was at fault, or that was divided from
// one. All other failures are the service's. They pause all requests, or only those with suspects
// while everything else passes. While nothing passes, a probe is a request with a single event, to
// find out whether anything does.
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

	failures     int   // failures in a row that are not an event's own
	refusals     int   // the last of these, in a row, whose responses may be about the SDK key
	pause        pause // of all requests
	suspectPause pause // of requests with suspects, while everything else passes
}

// pause is a time without requests. The zero value is none.
type pause struct {
	start     time.Time
	length    time.Duration
	requested bool // by the service, with Retry-After
}

// left returns how long the pause still lasts. longest limits its length, unless the service
// requested it.
func (p pause) left(now time.Time, longest time.Duration) time.Duration {
	length := p.length
	if !p.requested {
		length = min(length, longest)
	}
	return p.start.Add(length).Sub(now)
}

func newSchedule(b backoff, events, bytes int) *schedule {
	return &schedule{backoff: b, random: rand.N[int], max: events, maxBytes: bytes, size: events, byteLimit: bytes}
}

// passing reports whether requests pass, except those that are at fault.
func (s *schedule) passing() bool { return s.failures == 0 }

// available reports whether the service seems to work: requests pass, or the few failures since are
// most likely of events.
func (s *schedule) available() bool {
	return s.passing() && s.failedInRow() <= maxFaults || s.eventAtFault && s.failures == 1
}

// failedInRow returns the number of attempts since the last one that passed.
func (s *schedule) failedInRow() int { return int(s.attempts - s.lastPass) }

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
	case s.failedInRow() < maxFaults:
		return s.nextWhilePassing(fresh, due)
	case fresh:
		return choice{fresh: 1}
	default:
		return s.firstOfHeld(due)
	}
}

// nextWhilePassing chooses what to send next while requests pass.
func (s *schedule) nextWhilePassing(fresh bool, due func(*part) bool) choice {
	p := s.first(func(p *part) bool { return !p.suspect && due(p) })
	// Suspects get at most half of the requests: at random, so that they are not in step with a
	// service that fails every other request.
	if p == nil && !(fresh && s.random(2) == 0) {
		// Of several events, some are good. Half of the time, they do not wait for single ones.
		p = s.first(func(p *part) bool { return len(p.events) > 1 && s.passedSince(p) && due(p) && s.random(2) == 0 })
		if p == nil {
			p = s.find(func(p *part) bool { return s.passedSince(p) && due(p) })
		}
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
	case fresh && s.keyRefused(): // the pauses are too long for what has failed already
		return choice{fresh: 1}
	case tried >= maxProbes && s.random(len(s.held)) > 0:
		if s.random(2) == 0 { // a single event is more likely to pass
			return choice{part: s.find(func(p *part) bool { return len(p.events) == 1 && due(p) })}
		}
		return choice{part: s.find(due)}
	case fresh:
		return choice{fresh: 1}
	default:
		return s.firstOfHeld(due)
	}
}

// firstOfHeld chooses the first event of a held part, or else a held part that must not be divided.
func (s *schedule) firstOfHeld(due func(*part) bool) choice {
	patient := s.failedInRow() >= 2*maxFaults // of all parts together
	p := s.first(func(p *part) bool { return (p.dividable() || patient && len(p.events) > 1) && due(p) })
	if p != nil {
		return choice{part: p, firstOnly: true}
	}
	return choice{part: s.find(due)}
}

// first returns the oldest held part for which want returns true, or nil.
func (s *schedule) first(want func(*part) bool) *part {
	if i := slices.IndexFunc(s.held, want); i >= 0 {
		return s.held[i]
	}
	return nil
}

// find returns a held part for which want returns true, or nil: one with the fewest failures, as it
// is the most likely to pass, and of these the one that failed first.
func (s *schedule) find(want func(*part) bool) (found *part) {
	for _, p := range s.held {
		better := found == nil || p.failures < found.failures || p.failures == found.failures && p.failedAt < found.failedAt
		if better && want(p) {
			found = p
		}
	}
	return found
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
	p.overload = o.status == http.StatusTooManyRequests || o.status == http.StatusServiceUnavailable
	counts := !early && !p.overload // as a strike, if the part is at fault
	atFault := s.passedSince(p) && s.failedInRow() <= maxFaults
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
		s.pause = pause{now, o.retryAfter, true}
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
	case atFault, counts && p.struckOut():
		s.eventAtFault, p.suspect = true, true
		if len(p.events) > 1 {
			return divide
		}
		if counts {
			p.strike()
		}
		switch {
		case p.strikes >= maxStrikes*strike+maxTries:
			s.release(p)
			return giveUp
		case counts && p.struckOut(): // a service may fail in step with the attempts
			s.retryNext = p
		}
	case p.suspect && s.passing():
		s.suspectPause = pause{start: now, length: s.backoff.pause(max(s.failedInRow()-maxFaults-1, 0))}
	default:
		s.fail(o, now)
		if !p.suspect {
			s.size = max(s.size/2, 1)
			tries := maxTries
			if o.status == http.StatusTooManyRequests { // something else would fail, too
				tries = maxFaults
			}
			if o.class == unavailable && !s.eventAtFault && p.failures < tries {
				s.retryNext = p
			}
		}
	}
	s.hold(p)
	if p.suspect && p != s.retryNext && !early && len(p.events) == 1 {
		p.due = now.Add(time.Second << (p.strikes / strike))
	}
	return hold
}

// strike counts a failure that was the fault of a single event.
func (p *part) strike() {
	if p.struckOut() {
		p.strikes++
	} else {
		p.strikes += strike / (1 + p.flakes)
	}
}

// struckOut reports whether only the last attempts at a single event remain.
func (p *part) struckOut() bool { return p.strikes >= maxStrikes*strike }

// pass records that a part passed.
func (s *schedule) pass(p *part) {
	s.lastPass = s.attempts
	s.retryNext = nil
	s.failures, s.refusals = 0, 0
	s.pause, s.suspectPause = pause{}, pause{}
	s.passedBytes = max(p.bytes, s.passedBytes-s.passedBytes/growAfter)
	if !p.suspect { // what a suspect is divided into says nothing about the next fresh events
		s.size = min(2*s.size, s.max)
	}
	if p.failures > 0 { // it passed unchanged: its failures were the service's
		s.eventAtFault, s.size = false, s.max
		for _, other := range s.held {
			if other.failedAt > other.flakedAt { // one outage counts once
				other.flakes, other.flakedAt = min(other.flakes+1, maxFlakes), s.attempts
			}
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
	p := pause{start: now}
	switch {
	case o.retryAfter > 0:
		p.length, p.requested = o.retryAfter, true
	case s.keyRefused():
		p.length = s.backoff.refused(s.refusals - keyRefusals)
	case (o.class == refused || s.eventAtFault) && s.failures == 1:
	default:
		p.length = s.backoff.pause(s.failures - 1)
	}
	s.pause = p
}

// wait returns how long to wait before sending a held part. flush is the epoch of a flush that
// waits, for which each part is sent once before it is due, or 0.
func (s *schedule) wait(p *part, now time.Time, flush uint32, longest time.Duration) time.Duration {
	var left time.Duration
	if flush == 0 || p.triedFor(flush, now) {
		left = p.due.Sub(now)
	}
	if p.suspect {
		left = max(left, s.suspectPause.left(now, longest))
	}
	return max(left, 0)
}

// untilDue returns how long to wait until the next held part is due.
func (s *schedule) untilDue(now time.Time, flush uint32, longest time.Duration) time.Duration {
	next := idle
	for _, p := range s.held {
		if wait := s.wait(p, now, flush, longest); wait > 0 {
			next = min(next, wait)
		}
	}
	return next
}

// suspects returns the number of events covered by a flush that are suspect, held alone, and were
// sent for that flush or just before, or failed before while no suspect passes. Those without a
// strike are not counted if something passed since they failed, or if the service was overloaded:
// they may have failed with all others. cause is the cause for one of the events, or nil if there
// are none.
func (s *schedule) suspects(flush uint32, now time.Time) (n uint64, cause error) {
	paused := s.suspectPause.left(now, idle) > 0
	for _, p := range s.held {
		e := &p.events[0]
		tried := p.triedFor(flush, now) || paused && p.failures > 0
		spared := p.strikes == 0 && (p.overload || s.passedSince(p))
		if p.suspect && len(p.events) == 1 && e.epoch <= flush && tried && !spared {
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
