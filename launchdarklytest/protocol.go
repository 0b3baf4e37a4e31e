package launchdarklytest

import (
	"encoding/json"
	"strconv"

	"github.com/launchdarkly/go-test-helpers/v3/httphelpers"
)

// protocol encodes flag data for streams. Implementations are comparable.
type protocol interface {
	// start returns the first messages of a stream, for a client that has the basis.
	start(d *flagData, basis string) []byte
	// changes returns the messages for updates that produced the current revision of the data.
	changes(d *flagData, updates []update) []byte
}

// protocolV1 sends all data in one "put" message, and changes as "patch" and "delete" messages.
type protocolV1 struct{}

func (protocolV1) start(d *flagData, _ string) []byte {
	return sse("put", struct {
		Path string          `json:"path"`
		Data json.RawMessage `json:"data"`
	}{"/", d.all()})
}

func (protocolV1) changes(_ *flagData, updates []update) []byte {
	var messages []byte
	for _, u := range updates {
		messages = append(messages, patchOrDelete(u)...)
	}
	return messages
}

func patchOrDelete(u update) []byte {
	if u.json == nil {
		return sse("delete", struct {
			Path    string `json:"path"`
			Version int    `json:"version"`
		}{u.path + u.key, u.version})
	}
	return sse("patch", struct {
		Path string          `json:"path"`
		Data json.RawMessage `json:"data"`
	}{u.path + u.key, u.json})
}

// all returns all data, as in the first protocol's poll response and "put" message.
func (d *flagData) all() []byte {
	return mustJSON(struct {
		Flags    map[string]json.RawMessage `json:"flags"`
		Segments map[string]json.RawMessage `json:"segments"`
	}{d.flags.existing(), d.segments.existing()})
}

// etag returns an ETag that changes with the data.
func (d *flagData) etag() string { return strconv.Quote(strconv.Itoa(d.revision)) }

func sse(event string, data any) []byte {
	return httphelpers.SSEEvent{Event: event, Data: string(mustJSON(data))}.Bytes()
}
