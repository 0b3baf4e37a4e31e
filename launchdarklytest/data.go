package launchdarklytest

import (
	"encoding/json"
	"strconv"

	"github.com/launchdarkly/go-test-helpers/v3/httphelpers"
)

// flagData is the environment's data in LaunchDarkly's JSON, with the versions that clients have seen.
type flagData struct {
	flags    collection
	segments collection
	revision int // counts the changes: the poll endpoint's ETag
}

func newFlagData() flagData {
	return flagData{
		flags:    collection{path: "/flags/", items: make(map[string]item)},
		segments: collection{path: "/segments/", items: make(map[string]item)},
	}
}

// all is everything there is, as the poll endpoint answers and a "put" carries it.
func (d *flagData) all() []byte {
	return mustJSON(struct {
		Flags    map[string]json.RawMessage `json:"flags"`
		Segments map[string]json.RawMessage `json:"segments"`
	}{d.flags.living(), d.segments.living()})
}

// putMessage is the message that each stream starts with.
func (d *flagData) putMessage() []byte {
	return sse("put", struct {
		Path string          `json:"path"`
		Data json.RawMessage `json:"data"`
	}{"/", d.all()})
}

// etag changes whenever the data does.
func (d *flagData) etag() string { return strconv.Quote(strconv.Itoa(d.revision)) }

// collection holds all flags or all segments.
type collection struct {
	path  string // what LaunchDarkly puts before the key in a message
	items map[string]item
}

// item is a flag or a segment. A deleted one keeps its version, so that it can only come back with a
// higher one.
type item struct {
	version int
	json    json.RawMessage // nil when deleted
}

// change is a flag or a segment as the test gave it.
type change struct {
	key     string
	version int
	encode  func(version int) json.RawMessage
}

// set stores the change and returns the message that tells it to the connected streams. The version is
// the one that was asked for, unless that would not be an update.
func (c *collection) set(ch change) []byte {
	version := ch.version
	if old, ok := c.items[ch.key]; ok {
		version = max(version, old.version+1)
	}
	version = max(version, 1)
	data := ch.encode(version)
	c.items[ch.key] = item{version: version, json: data}
	return sse("patch", struct {
		Path string          `json:"path"`
		Data json.RawMessage `json:"data"`
	}{c.path + ch.key, data})
}

// delete returns the message for the connected streams, nil when there is nothing to delete.
func (c *collection) delete(key string) []byte {
	old, ok := c.items[key]
	if !ok || old.json == nil {
		return nil
	}
	version := old.version + 1
	c.items[key] = item{version: version}
	return sse("delete", struct {
		Path    string `json:"path"`
		Version int    `json:"version"`
	}{c.path + key, version})
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

func sse(event string, data any) []byte {
	return httphelpers.SSEEvent{Event: event, Data: string(mustJSON(data))}.Bytes()
}

// mustJSON encodes what this package has put together from valid JSON, which cannot fail.
func mustJSON(v any) []byte {
	data, _ := json.Marshal(v)
	return data
}
