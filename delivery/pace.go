package delivery

import "time"

// pace limits the number of events sent in any period of length per, including those of failed
// attempts. The zero value sets no limit. It is not safe for concurrent use; the sender owns it.
type pace struct {
	events int
	per    time.Duration
	sent   []sentRequest // within the last period
}

// sentRequest is a completed request. Its events may have arrived at any time before its end.
type sentRequest struct {
	at     time.Time
	events int
}

// allow returns how many events may be sent now. If that is fewer than requested, it also returns
// how long to wait until more are allowed.
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

// done records a completed request.
func (p *pace) done(now time.Time, events int) {
	if p.events > 0 {
		p.sent = append(p.sent, sentRequest{at: now, events: events})
	}
}
