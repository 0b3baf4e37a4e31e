package launchdarklytest

import (
	"encoding/json"
	"strconv"

	"github.com/launchdarkly/go-test-helpers/v3/httphelpers"
)

// protocol is how a stream tells its client the flag data. Its values can be compared.
type protocol interface {
	// start is what a stream starts with, for a client that has the basis already.
	start(d *flagData, basis string) []byte
	// changes tells the updates that have just become the newest revision of the data.
	changes(d *flagData, updates []update) []byte
}

// protocolV1 puts everything at once, and then patches.
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

// all is everything there is, as the first protocol's poll endpoint answers and its "put" carries it.
func (d *flagData) all() []byte {
	return mustJSON(struct {
		Flags    map[string]json.RawMessage `json:"flags"`
		Segments map[string]json.RawMessage `json:"segments"`
	}{d.flags.living(), d.segments.living()})
}

// etag changes whenever the data does.
func (d *flagData) etag() string { return strconv.Quote(strconv.Itoa(d.revision)) }

func sse(event string, data any) []byte {
	return httphelpers.SSEEvent{Event: event, Data: string(mustJSON(data))}.Bytes()
}
