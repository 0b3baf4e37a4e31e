// Package ratelimit keeps repeated log lines rare: one for each cause and interval, with a count of those left out.
package ratelimit

import (
	"sync"
	"time"
)

const (
	// interval is how long a cause stays quiet after it was logged.
	interval = time.Minute
	// maxCauses bounds the memory. What comes beyond it shares the budget of its kind.
	maxCauses = 256
)

// Cause is what is wrong, and with what: each pair is limited on its own.
type Cause struct {
	Kind   string
	Detail string
}

// Limiter says which log lines to write. Its zero value is ready, and it is safe for concurrent use.
type Limiter struct {
	mu       sync.Mutex
	causes   map[Cause]*history
	nextRoom time.Time // when one of the causes may be due again, at the earliest
}

type history struct {
	logged     time.Time
	suppressed int
}

// Allow reports whether to log the cause now and, if so, how often it was not logged since the last time. At most 256
// causes are told apart within a minute; from there on, those of one kind are limited together.
func (l *Limiter) Allow(cause Cause) (suppressed int, ok bool) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()

	h := l.causes[cause]
	if h == nil && len(l.causes) >= maxCauses {
		if !now.Before(l.nextRoom) {
			l.forget(now)
		}
		if len(l.causes) >= maxCauses {
			cause.Detail = ""
			h = l.causes[cause]
		}
	}
	if h == nil {
		if l.causes == nil {
			l.causes = make(map[Cause]*history)
		}
		l.causes[cause] = &history{logged: now}
		return 0, true
	}
	if now.Sub(h.logged) < interval {
		h.suppressed++
		return 0, false
	}
	suppressed = h.suppressed
	*h = history{logged: now}
	return suppressed, true
}

// forget makes room by dropping the causes that are due again, and with them their counts.
func (l *Limiter) forget(now time.Time) {
	l.nextRoom = now.Add(interval)
	for cause, h := range l.causes {
		if due := h.logged.Add(interval); !now.Before(due) {
			delete(l.causes, cause)
		} else if due.Before(l.nextRoom) {
			l.nextRoom = due
		}
	}
}
