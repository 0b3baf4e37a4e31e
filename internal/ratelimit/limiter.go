// Package ratelimit limits repeated log records to one per cause and minute, and counts the
// suppressed ones.
package ratelimit

import (
	"sync"
	"time"
)

const (
	// interval is the minimum time between two records of a cause.
	interval = time.Minute
	// maxCauses bounds the memory. Causes beyond it share the limit of their kind.
	maxCauses = 256
)

// Cause identifies a problem. Each pair of Kind and Detail has its own limit.
type Cause struct {
	Kind   string
	Detail string
}

// Limiter decides which records to log. The zero value is ready to use. It is safe for concurrent
// use.
type Limiter struct {
	mu       sync.Mutex
	causes   map[Cause]*history
	nextRoom time.Time // earliest time at which a cause may be deleted
}

type history struct {
	logged     time.Time
	suppressed int
}

// Allow reports whether to log the cause now and, if so, how many times it was suppressed since it
// was last logged. Within a minute, at most 256 causes have their own limit; further ones share one
// per kind.
func (l *Limiter) Allow(cause Cause) (suppressed int, ok bool) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()

	h := l.causes[cause]
	if h == nil && len(l.causes) >= maxCauses {
		if !now.Before(l.nextRoom) {
			l.deleteDue(now)
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

// deleteDue deletes the causes, and their counts, whose interval is over.
func (l *Limiter) deleteDue(now time.Time) {
	l.nextRoom = now.Add(interval)
	for cause, h := range l.causes {
		if due := h.logged.Add(interval); !now.Before(due) {
			delete(l.causes, cause)
		} else if due.Before(l.nextRoom) {
			l.nextRoom = due
		}
	}
}
