package launchdarklytest

import (
	"crypto/rand"
	"encoding/json"

	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
)

// flagData is the environment's data in LaunchDarkly's JSON, with the versions that clients have seen.
type flagData struct {
	flags    collection
	segments collection
	revision int    // counts the changes
	payload  string // names this server's data in the second protocol
}

func newFlagData() flagData {
	return flagData{
		flags:    collection{kind: subsystems.FlagKind, path: "/flags/", items: make(map[string]item)},
		segments: collection{kind: subsystems.SegmentKind, path: "/segments/", items: make(map[string]item)},
		payload:  rand.Text(), // a client that comes from another server does not have what this one has
	}
}

// collection holds all flags or all segments.
type collection struct {
	kind  subsystems.ObjectKind
	path  string // what LaunchDarkly's first protocol puts before the key in a message
	items map[string]item
}

// item is a flag or a segment. A deleted one keeps its version, so that it can only come back with a
// higher one.
type item struct {
	version  int
	revision int             // of the data, when it was changed last
	json     json.RawMessage // nil when deleted
}

// update is an item as it has become, for the connected streams.
type update struct {
	*collection
	item
	key string
}

// change is a flag or a segment as the test gave it.
type change struct {
	key     string
	version int
	encode  func(version int) json.RawMessage
}

// set stores the change. The version is the one that was asked for, unless that would not be an update.
func (c *collection) set(ch change, revision int) update {
	version := ch.version
	if old, ok := c.items[ch.key]; ok {
		version = max(version, old.version+1)
	}
	version = max(version, 1)
	changed := item{version: version, revision: revision, json: ch.encode(version)}
	c.items[ch.key] = changed
	return update{collection: c, item: changed, key: ch.key}
}

// delete returns false when there is nothing to delete.
func (c *collection) delete(key string, revision int) (update, bool) {
	old, ok := c.items[key]
	if !ok || old.json == nil {
		return update{}, false
	}
	changed := item{version: old.version + 1, revision: revision}
	c.items[key] = changed
	return update{collection: c, item: changed, key: key}, true
}

// since lists what has changed after a revision, deleted items included, in no order.
func (c *collection) since(revision int) []update {
	var updates []update
	for key, item := range c.items {
		if item.revision > revision {
			updates = append(updates, update{collection: c, item: item, key: key})
		}
	}
	return updates
}

func (c *collection) living() map[string]json.RawMessage {
	living := make(map[string]json.RawMessage, len(c.items))
	for key, item := range c.items {
		if item.json != nil {
			living[key] = item.json
		}
	}
	return living
}

// mustJSON encodes what this package has put together from valid JSON, which cannot fail.
func mustJSON(v any) []byte {
	data, _ := json.Marshal(v)
	return data
}
