package delivery

import "time"

// pace bounds how many events are sent in any period of a length, failed attempts included. Its
// zero value sets no bound. It belongs to the sender.
type pace struct {
	events int
	per    time.Duration
	sent   []sending
}

// sending is a request that has ended. Its events may have arrived at any time before.
type sending struct {
	at     time.Time
	events int
}

// allow returns how many events may be sent now and, where there are fewer than that, how long
// until there are more.
func (p *pace) allow(now time.Time, events int) (int, time.Duration) {
	if p.events == 0 {
		return events, 0
	}
	left := p.events
	for len(p.sent) > 0 && now.Sub(p.sent[0].at) >= p.per {
		p.sent = p.sent[1:]
	}
	for _, s := range p.sent {
		left -= s.events
	}
	if left >= events || len(p.sent) == 0 {
		return left, 0
	}
	return max(left, 0), p.sent[0].at.Add(p.per).Sub(now)
}

// done counts a request that has ended.
func (p *pace) done(now time.Time, events int) {
	if p.events > 0 {
		p.sent = append(p.sent, sending{at: now, events: events})
	}
}
