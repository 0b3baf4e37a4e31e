package launchdarklytest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
)

// protocolV2 sends payloads, each made of an intent, objects, and a selector that marks the end.
// The client sends the selector of the payload that it has as the basis of the next one, and
// receives only the changes since then.
type protocolV2 struct{}

func (protocolV2) start(d *flagData, basis string) []byte { return sseEvents(d.payloadSince(basis)) }

// changes sends no intent: a stream has only changes after its first payload.
func (protocolV2) changes(d *flagData, updates []update) []byte {
	return sseEvents(append(objects(updates), d.selector()))
}

func sseEvents(events []subsystems.Event) []byte {
	var messages []byte
	for _, event := range events {
		messages = append(messages, sse(string(event.Name()), event)...)
	}
	return messages
}

// payloadSince returns the payload for a client that has the basis: all data if the basis is empty
// or from another server, and the changes otherwise.
func (d *flagData) payloadSince(basis string) []subsystems.Event {
	intent := subsystems.Payload{ID: d.payload, Target: d.revision}
	revision, known := d.revisionOf(basis)
	switch {
	case known && revision == d.revision:
		intent.Code, intent.Reason = subsystems.IntentNone, "up-to-date"
		return []subsystems.Event{subsystems.ServerIntent{Payload: intent}}
	case known:
		intent.Code, intent.Reason = subsystems.IntentTransferChanges, "stale"
	default:
		intent.Code, intent.Reason = subsystems.IntentTransferFull, "payload-missing"
	}
	events := []subsystems.Event{subsystems.ServerIntent{Payload: intent}}
	for _, c := range []*collection{&d.segments, &d.flags} {
		updates := c.since(revision)
		if !known {
			updates = withoutDeletions(updates)
		}
		events = append(events, objects(updates)...)
	}
	return append(events, d.selector())
}

// selector returns the selector of the current data.
func (d *flagData) selector() subsystems.Selector {
	return subsystems.NewSelector(fmt.Sprintf("(p:%s:%d)", d.payload, d.revision), d.revision)
}

// revisionOf returns the revision of a selector's state. It returns false if the state is not from
// this server.
func (d *flagData) revisionOf(state string) (int, bool) {
	rest, ours := strings.CutPrefix(state, "(p:"+d.payload+":")
	revision, err := strconv.Atoi(strings.TrimSuffix(rest, ")"))
	if !ours || err != nil || revision > d.revision {
		return -1, false
	}
	return revision, true
}

func objects(updates []update) []subsystems.Event {
	events := make([]subsystems.Event, 0, len(updates)+1)
	for _, u := range updates {
		if u.json == nil {
			events = append(events, subsystems.DeleteObject{Version: u.version, Kind: u.kind, Key: u.key})
		} else {
			events = append(events, subsystems.PutObject{Version: u.version, Kind: u.kind, Key: u.key, Object: u.json})
		}
	}
	return events
}

// withoutDeletions removes deletions, which a client without data does not need.
func withoutDeletions(updates []update) []update {
	return slices.DeleteFunc(updates, func(u update) bool { return u.json == nil })
}
