package launchdarklytest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"unicode/utf8"
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
	if !json.Valid(body) {
		var v json.RawMessage
		return nil, fmt.Sprintf("the body is not valid JSON: %v", json.Unmarshal(body, &v))
	}
	if !utf8.Valid(body) {
		return nil, "the body is not valid UTF-8"
	}
	body = bytes.TrimSpace(body)
	if body[0] != '[' {
		return nil, "the body is not a JSON array"
	}
	depth, start := 0, 1
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			i = stringEnd(body, i)
		case '{', '[':
			depth++
		case '}':
			depth--
		case ']':
			if depth--; depth == 0 {
				if last := bytes.TrimSpace(body[start:i]); len(last) > 0 {
					events = append(events, last)
				}
			}
		case ',':
			if depth == 1 {
				events = append(events, bytes.TrimSpace(body[start:i]))
				start = i + 1
			}
		}
	}
	return events, ""
}

// stringEnd returns the index of the closing quote of the JSON string that starts at i.
func stringEnd(body []byte, i int) int {
	for {
		i += 1 + bytes.IndexByte(body[i+1:], '"')
		backslashes := 0
		for body[i-1-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			return i
		}
	}
}
