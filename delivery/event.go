package delivery

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// kind is the kind of an event. It determines its group and its lane.
type kind uint8

const (
	kindCustom     kind = iota // tracked events
	kindControl                // identify and migration events, and raw ones
	kindEvaluation             // full evaluation events
	kindDerived                // index and debug events
	kindSummary
	kinds
)

// group is a group of events that [Stats] counts separately.
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

// lane is a separate part of the queue and of the store, with bounds of its own.
type lane uint8

const (
	laneTracked     lane = iota // custom, identify and migration events
	laneEvaluations             // evaluation events, and events derived by the SDK
	lanes
)

func (k kind) lane() lane {
	if k <= kindControl {
		return laneTracked
	}
	return laneEvaluations
}

// event is a formatted event.
type event struct {
	json   []byte
	seq    uint64 // the order of formatting
	epoch  uint32 // see ledger
	weight uint64 // the number of recorded or derived events that it counts for; can exceed 1 for a summary
	kind   kind
}

// eventOverhead is the memory of an event in the store besides its JSON, in bytes: its entry, and
// the allocator's rounding.
const eventOverhead = 72

func (e *event) size() int { return len(e.json) + eventOverhead }

// kindOf returns the kind of a formatted event, and false for the barrier.
func kindOf(text []byte) (kind, bool) {
	const prefix = `{"kind":"`
	name, ok := bytes.CutPrefix(text, []byte(prefix))
	if end := bytes.IndexAny(name, `"\`); ok && end >= 0 && name[end] == '"' {
		name = name[:end]
	} else { // LaunchDarkly's SDK 7.15 does not write that
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

// recordedAt returns the creation date of the event, or the start date of a summary. It returns the
// zero time if there is none near the beginning, where LaunchDarkly's SDK writes it.
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

// keyOf returns the key of a custom event.
func (e *event) keyOf() string {
	var custom struct {
		Key string `json:"key"`
	}
	_ = json.Unmarshal(e.json, &custom)
	return custom.Key
}
