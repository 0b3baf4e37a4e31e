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
	plainEvent = "plain" // with a context that is valid, and a metric and data that tell what they have to be
	oddEvent   = "odd"   // with anything
)

// eventName is a name that no other event has. The workers count their events.
func eventName(kind string, worker, serial int) string {
	return fmt.Sprintf("%s %d %d", kind, worker, serial)
}

// parseName is the opposite; false is for an event that is none of a worker's.
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

// maxProblems is how many problems are kept.
const maxProblems = 20

// ledger keeps account of what was tracked and of what was refused.
type ledger struct {
	tracked   atomic.Int64 // calls of Track
	exposures atomic.Int64 // of these, by the hook
	serials   [workers]int // how many events with a serial number each worker has tracked; set when it ends

	mu      sync.Mutex
	refused map[string]int // events with a serial number, by name
	unnamed uint64         // events without a name
	closed  uint64         // events that came after a shutdown
	invalid uint64         // events with an unusable context
	found   []string       // what must not be
}

func newLedger() *ledger { return &ledger{refused: make(map[string]int)} }

// problem notes what must not be.
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

// hear is the error handler.
func (l *ledger) hear(_ context.Context, err error) {
	var name string
	waited := false // events that wait are dropped without a name, and must not be
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

// misplaced tells of an event with a serial number that has neither arrived nor been refused, or more than once, or not
// as it was tracked, or not in the order in which its worker tracked, as far as one provider promises it.
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
				return fmt.Errorf("a private attribute got out: %s", event)
			}
			if event.Kind != launchdarklytest.KindCustom {
				continue
			}
			kind, worker, serial, ok := parseName(event.Key)
			switch {
			case !ok: // an exposure
				continue
			case worker >= workers || serial >= len(fates[worker]):
				return fmt.Errorf("nobody tracked %s", event)
			case serial < next[worker] && place != fresh: // one that is fresh still delivers while the next one begins
				return fmt.Errorf("LaunchDarkly %d got, after later ones of the same worker: %s", place, event)
			}
			next[worker] = serial
			fates[worker][serial]++
			if kind == plainEvent && !asTracked(event, serial) {
				return fmt.Errorf("not as it was tracked: %s", event)
			}
		}
	}
	for worker := range fates {
		for serial, n := range fates[worker] {
			if n != 1 {
				plain, odd := eventName(plainEvent, worker, serial), eventName(oddEvent, worker, serial)
				return fmt.Errorf("event %d of worker %d was refused %d times, and has arrived: %v",
					serial, worker, l.refused[plain]+l.refused[odd], arrivals(boxes, plain, odd))
			}
		}
	}
	return nil
}

// arrivals lists where and how the events have arrived.
func arrivals(boxes []*launchdarklytest.Server, names ...string) []string {
	var found []string
	for place, box := range boxes {
		for i, event := range box.CustomEvents(names...) {
			found = append(found, fmt.Sprintf("%d. at LaunchDarkly %d: %s", i+1, place, event))
		}
	}
	return found
}

// asTracked is about a plain event.
func asTracked(event launchdarklytest.Event, serial int) bool {
	kind, key := event.Data.GetByKey("kind").StringValue(), event.Data.GetByKey("key").StringValue()
	return event.MetricValue != nil && *event.MetricValue == float64(serial) && event.ContextKeys()[kind] == key &&
		event.Data.GetByKey("cart").GetByIndex(0).IntValue() == serial
}

// forget is for the end.
func (l *ledger) forget() { l.refused, l.found = nil, nil }
