package launchdarklytest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
)

// protocolV2 sends payloads: what is intended, the objects, and that they are complete. The client names
// the payload that it has as the basis of the next one, and gets no more than what has changed since.
type protocolV2 struct{}

func (protocolV2) start(d *flagData, basis string) []byte { return sseEvents(d.payloadSince(basis)) }

// changes needs no intent: after the first payload, a stream has nothing but changes.
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

// payloadSince is what a client has to hear that has the basis: all there is, where that is empty or not
// of this server's.
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
			updates = living(updates)
		}
		events = append(events, objects(updates)...)
	}
	return append(events, d.selector())
}

// selector names the data as it is now.
func (d *flagData) selector() subsystems.Selector {
	return subsystems.NewSelector(fmt.Sprintf("(p:%s:%d)", d.payload, d.revision), d.revision)
}

// revisionOf reads what selector has made.
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

// living leaves out what a client that has nothing has no need to hear of.
func living(updates []update) []update {
	return slices.DeleteFunc(updates, func(u update) bool { return u.json == nil })
}
