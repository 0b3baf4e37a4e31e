package launchdarklytest

import (
	"crypto/rand"
	"encoding/json"

	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
)

// flagData holds the environment's flags and segments as LaunchDarkly's JSON.
type flagData struct {
	flags    collection
	segments collection
	revision int    // number of changes
	payload  string // payload ID in the second protocol
}

func newFlagData() flagData {
	return flagData{
		flags:    collection{kind: subsystems.FlagKind, path: "/flags/", items: make(map[string]item)},
		segments: collection{kind: subsystems.SegmentKind, path: "/segments/", items: make(map[string]item)},
		payload:  rand.Text(), // differs from other servers, whose data a client may have
	}
}

// collection holds all flags or all segments.
type collection struct {
	kind  subsystems.ObjectKind
	path  string // prefix of the key in messages of the first protocol
	items map[string]item
}

// item is a flag or a segment. A deleted item keeps its version, so that adding it again uses a
// greater one.
type item struct {
	version  int
	revision int             // of the data, at the item's last change
	json     json.RawMessage // nil when deleted
}

// update is a changed item, for the connected streams.
type update struct {
	*collection
	item
	key string
}

// change is a flag or a segment set by the test.
type change struct {
	key     string
	version int
	encode  func(version int) json.RawMessage
}

// set stores the change. The version is the change's own if it is greater than the previous one,
// and the previous one plus 1 otherwise.
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

// delete removes an item. It returns false if there is none.
func (c *collection) delete(key string, revision int) (update, bool) {
	old, ok := c.items[key]
	if !ok || old.json == nil {
		return update{}, false
	}
	changed := item{version: old.version + 1, revision: revision}
	c.items[key] = changed
	return update{collection: c, item: changed, key: key}, true
}

// since returns the items changed after a revision, including deleted ones, in no particular order.
func (c *collection) since(revision int) []update {
	var updates []update
	for key, item := range c.items {
		if item.revision > revision {
			updates = append(updates, update{collection: c, item: item, key: key})
		}
	}
	return updates
}

// existing returns the JSON of all items that are not deleted, by key.
func (c *collection) existing() map[string]json.RawMessage {
	existing := make(map[string]json.RawMessage, len(c.items))
	for key, item := range c.items {
		if item.json != nil {
			existing[key] = item.json
		}
	}
	return existing
}

// mustJSON encodes values built from valid JSON, which cannot fail.
func mustJSON(v any) []byte {
	data, _ := json.Marshal(v)
	return data
}
