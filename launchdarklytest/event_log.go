package launchdarklytest

import (
	"encoding/json"
	"sync"
)

// eventLog holds the received events. They are stored and counted as JSON, and parsed lazily, once.
type eventLog struct {
	// Guarded by Server.mu. Elements of raws are never modified, so a copy of the slice can be read
	// without the lock.
	raws   []json.RawMessage
	counts map[string]int // by kind

	parsing sync.Mutex
	parsed  []Event // parsed[i] is raws[i]
}

func newEventLog() *eventLog { return &eventLog{counts: make(map[string]int)} }

// add appends events. The caller must hold Server.mu.
func (l *eventLog) add(events []json.RawMessage) {
	l.raws = append(l.raws, events...)
	for _, raw := range events {
		l.counts[eventKind(raw)]++
	}
}

// count returns the number of events of the kinds, or of all kinds if there are none. The caller
// must hold Server.mu.
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

// parse returns the events of raws, a snapshot of l.raws, starting at index from. The slice is
// read-only.
func (l *eventLog) parse(raws []json.RawMessage, from int) []Event {
	l.parsing.Lock()
	defer l.parsing.Unlock()
	for i := len(l.parsed); i < len(raws); i++ {
		l.parsed = append(l.parsed, parseEvent(raws[i]))
	}
	return l.parsed[from:len(raws):len(raws)]
}
