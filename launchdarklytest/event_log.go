package launchdarklytest

import (
	"encoding/json"
	"sync"
)

// eventLog is what has arrived. Arrival stores the JSON and counts; who reads pays for the parsing, once.
type eventLog struct {
	// Guarded by Server.mu. What is in raws never changes, so a copy of the slice may be read without.
	raws   []json.RawMessage
	counts map[string]int // by kind

	parsing sync.Mutex
	parsed  []Event // of the first of the raws
}

func newEventLog() *eventLog { return &eventLog{counts: make(map[string]int)} }

// add is called with Server.mu held.
func (l *eventLog) add(events []json.RawMessage) {
	l.raws = append(l.raws, events...)
	for _, raw := range events {
		l.counts[eventKind(raw)]++
	}
}

// count is called with Server.mu held.
func (l *eventLog) count(kinds []string) int {
	if len(kinds) == 0 {
		return len(l.raws)
	}
	n := 0
	for _, kind := range kinds {
		n += l.counts[kind]
	}
	return n
}

// parse returns the events of raws, a snapshot of l.raws, from one index on. The slice is read-only.
func (l *eventLog) parse(raws []json.RawMessage, from int) []Event {
	l.parsing.Lock()
	defer l.parsing.Unlock()
	for i := len(l.parsed); i < len(raws); i++ {
		l.parsed = append(l.parsed, parseEvent(raws[i]))
	}
	return l.parsed[from:len(raws):len(raws)]
}
