package launchdarklytest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"unicode/utf8"

	"github.com/openfeature-launchdarkly/go-provider/internal/jsonarray"
)

// payload is the body of an event request.
type payload struct {
	events    []json.RawMessage
	bytes     int
	wireBytes int
	gzip      bool
	cut       bool   // the client disconnected before the end of the body
	problem   string // why the body is invalid; empty if it is valid
}

func readPayload(r *http.Request) payload {
	body, err := io.ReadAll(r.Body)
	p := payload{wireBytes: len(body), bytes: len(body)}
	if err != nil {
		p.cut, p.problem = true, fmt.Sprintf("reading the body: %v", err)
		return p
	}
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		p.gzip = true
		if body, err = gunzip(body); err != nil {
			p.problem = fmt.Sprintf("the body is not gzip: %v", err)
			return p
		}
		p.bytes = len(body)
	default:
		p.problem = fmt.Sprintf("the body has an unknown Content-Encoding: %q", encoding)
		return p
	}
	p.events, p.problem = splitEvents(body)
	return p
}

func gunzip(data []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(reader)
}

// splitEvents splits a JSON array without parsing or copying its elements. The problem is empty if
// the body is valid.
func splitEvents(body []byte) (events []json.RawMessage, problem string) {
	isArray := jsonarray.Split(body, func(element []byte, _, _ int) { events = append(events, element) })
	var value any
	if !isArray {
		if err := json.Unmarshal(body, &value); err != nil {
			return nil, fmt.Sprintf("the body is not valid JSON: %v", err)
		}
		return nil, "the body is not a JSON array"
	}
	if !utf8.Valid(body) {
		return nil, "the body is not valid UTF-8"
	}
	return events, ""
}
