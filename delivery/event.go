package delivery

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// kind is what an event is for the counters and for the store's bounds.
type kind uint8

const (
	kindCustom     kind = iota // tracked events
	kindControl                // identify and migration events, and raw ones
	kindEvaluation             // full evaluation events
	kindDerived                // index and debug events
	kindSummary
	kinds
)

// group is what [Stats] counts separately.
type group uint8

const (
	groupTracked group = iota // custom events: the fields of Stats itself
	groupOthers               // everything else: Stats.EvaluationEvents
	groups
)

func (k kind) group() group {
	if k == kindCustom {
		return groupTracked
	}
	return groupOthers
}

// lane is a queue of its own, and a share of the store of its own: events of one lane never take
// the place of the other's.
type lane uint8

const (
	laneTracked     lane = iota // custom, identify and migration events
	laneEvaluations             // evaluation events, and what is derived from events
	lanes
)

func (k kind) lane() lane {
	if k <= kindControl {
		return laneTracked
	}
	return laneEvaluations
}

// event is one of the service's JSON events.
type event struct {
	json   []byte
	seq    uint64 // its place in the order of events
	epoch  uint32 // of the flush that covers it, see ledger
	weight uint32 // how many recorded or derived events it accounts for; more than 1 for summaries
	kind   kind
}

// eventOverhead is what an event in the store takes besides its JSON: its entry, and what the
// allocator rounds up.
const eventOverhead = 72

func (e *event) size() int { return len(e.json) + eventOverhead }

// kindOf returns the kind of a formatted event, and false for the barrier.
func kindOf(text []byte) (kind, bool) {
	const prefix = `{"kind":"`
	name, ok := bytes.CutPrefix(text, []byte(prefix))
	if end := bytes.IndexAny(name, `"\`); ok && end >= 0 && name[end] == '"' {
		name = name[:end]
	} else { // not as LaunchDarkly's SDK 7.15 writes it
		var e struct {
			Kind string `json:"kind"`
		}
		_ = json.Unmarshal(text, &e)
		name = []byte(e.Kind)
	}
	switch string(name) {
	case "custom":
		return kindCustom, true
	case "feature":
		return kindEvaluation, true
	case "index", "debug":
		return kindDerived, true
	case "summary":
		return kindSummary, true
	case barrierKind:
		return 0, false
	default:
		return kindControl, true
	}
}

// recordedAt returns when a formatted event was recorded, to the millisecond, and the zero time for
// one without a date at its beginning, where LaunchDarkly's SDK writes it. For a summary it is its
// first evaluation.
func (e *event) recordedAt() (t time.Time) {
	const within = 128 // bytes
	beginning := e.json[:min(len(e.json), within)]
	for _, name := range []string{`"creationDate":`, `"startDate":`} {
		_, date, found := bytes.Cut(beginning, []byte(name))
		if !found {
			continue
		}
		end := bytes.IndexAny(date, ",}")
		millis, err := strconv.ParseFloat(string(bytes.TrimSpace(date[:max(end, 0)])), 64)
		if err == nil && millis > 0 {
			t = time.UnixMilli(int64(millis))
		}
		return t
	}
	return t
}

// keyOf returns the key of a formatted custom event.
func (e *event) keyOf() string {
	var custom struct {
		Key string `json:"key"`
	}
	_ = json.Unmarshal(e.json, &custom)
	return custom.Key
}
