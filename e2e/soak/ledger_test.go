package soak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

const (
	plainEvent = "plain" // with a valid context, and a metric value and data that identify it
	oddEvent   = "odd"   // with arbitrary values
)

// eventName returns a unique name. Workers number their events.
func eventName(kind string, worker, serial int) string {
	return fmt.Sprintf("%s %d %d", kind, worker, serial)
}

// parseName parses the result of eventName. It returns false for other events.
func parseName(name string) (kind string, worker, serial int, ok bool) {
	parts := strings.Split(name, " ")
	if len(parts) != 3 {
		return "", 0, 0, false
	}
	worker, err := strconv.Atoi(parts[1])
	if err != nil {
		return "", 0, 0, false
	}
	serial, err = strconv.Atoi(parts[2])
	return parts[0], worker, serial, err == nil
}

// maxProblems is the maximum number of recorded problems.
const maxProblems = 20

// ledger counts tracked and rejected events.
type ledger struct {
	tracked   atomic.Int64 // calls of Track
	exposures atomic.Int64 // those of the hook
	serials   [workers]int // the number of numbered events of each worker; set when it ends

	mu      sync.Mutex
	refused map[string]int // numbered events, by name
	unnamed uint64         // events without a name
	closed  uint64         // events tracked after a shutdown
	invalid uint64         // events with an invalid context
	found   []string       // violated expectations
}

func newLedger() *ledger { return &ledger{refused: make(map[string]int)} }

// problem records a violated expectation.
func (l *ledger) problem(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.found) < maxProblems {
		l.found = append(l.found, fmt.Sprintf(format, args...))
	}
}

func (l *ledger) problems() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.found
}

// handle is the error handler.
func (l *ledger) handle(_ context.Context, err error) {
	var name string
	waited := false // queued events are dropped without a name; that must not happen
	if t, ok := errors.AsType[*launchdarkly.TrackingError](err); ok {
		if t.Sent {
			return
		}
		name = t.EventName
	} else if d, ok := errors.AsType[*delivery.DropError](err); ok {
		name, waited = d.EventName, d.EventName == ""
	}
	kind, _, _, numbered := parseName(name)
	l.mu.Lock()
	if numbered {
		l.refused[name]++
	}
	explained := false
	switch {
	case errors.Is(err, launchdarkly.ErrEmptyEventName):
		l.unnamed++
		explained = true
	case errors.Is(err, launchdarkly.ErrClosed):
		l.closed++
		explained = !waited
	case errors.Is(err, launchdarkly.ErrInvalidContext), errors.Is(err, launchdarkly.ErrTargetingKeyMissing):
		l.invalid++
		explained = kind != plainEvent
	}
	l.mu.Unlock()
	if !explained {
		l.problem("reported: %v", err)
	}
}

// misplaced returns an error about a numbered event that neither arrived nor was rejected, or did
// so more than once, or arrived with other contents, or out of its worker's order at the same
// provider.
func (l *ledger) misplaced(boxes []*launchdarklytest.Server) error {
	var fates [workers][]byte
	for worker := range fates {
		fates[worker] = make([]byte, l.serials[worker])
	}
	for name, times := range l.refused {
		if _, worker, serial, _ := parseName(name); serial < len(fates[worker]) {
			fates[worker][serial] += byte(min(times, 2))
		}
	}
	for place, box := range boxes {
		var next [workers]int
		for event := range box.AllEvents() {
			if bytes.Contains(event.Raw, []byte(secret)) {
				return fmt.Errorf("a private attribute was sent: %s", event)
			}
			if event.Kind != launchdarklytest.KindCustom {
				continue
			}
			kind, worker, serial, ok := parseName(event.Key)
			switch {
			case !ok: // an exposure
				continue
			case worker >= workers || serial >= len(fates[worker]):
				return fmt.Errorf("received an event that was not tracked: %s", event)
			case serial < next[worker] && place != fresh: // a fresh provider still delivers while its successor starts
				return fmt.Errorf("LaunchDarkly %d received after later events of the same worker: %s", place, event)
			}
			next[worker] = serial
			fates[worker][serial]++
			if kind == plainEvent && !asTracked(event, serial) {
				return fmt.Errorf("other contents than tracked: %s", event)
			}
		}
	}
	for worker := range fates {
		for serial, n := range fates[worker] {
			if n != 1 {
				plain, odd := eventName(plainEvent, worker, serial), eventName(oddEvent, worker, serial)
				return fmt.Errorf("event %d of worker %d was rejected %d times, and has arrived: %v",
					serial, worker, l.refused[plain]+l.refused[odd], arrivals(boxes, plain, odd))
			}
		}
	}
	return nil
}

// arrivals lists the received events with these names.
func arrivals(boxes []*launchdarklytest.Server, names ...string) []string {
	var found []string
	for place, box := range boxes {
		for i, event := range box.CustomEvents(names...) {
			found = append(found, fmt.Sprintf("%d. at LaunchDarkly %d: %s", i+1, place, event))
		}
	}
	return found
}

// asTracked reports whether a plain event has the contents with which it was tracked.
func asTracked(event launchdarklytest.Event, serial int) bool {
	kind, key := event.Data.GetByKey("kind").StringValue(), event.Data.GetByKey("key").StringValue()
	return event.MetricValue != nil && *event.MetricValue == float64(serial) && event.ContextKeys()[kind] == key &&
		event.Data.GetByKey("cart").GetByIndex(0).IntValue() == serial
}

// forget releases memory.
func (l *ledger) forget() { l.refused, l.found = nil, nil }
