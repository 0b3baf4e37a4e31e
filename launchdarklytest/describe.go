package launchdarklytest

import (
	"fmt"
	"strconv"
	"strings"
)

const (
	describedEvents   = 20
	describedRequests = 20
	describedBytes    = 400 // of one event
)

// String describes the server for failure messages of tests: its URL, and the newest requests and
// events, truncated. The format may change.
func (s *Server) String() string {
	_, raws, _ := s.snapshot()
	requests, streams := s.Requests(), s.Streams()

	var b strings.Builder
	fmt.Fprintf(&b, "launchdarklytest server at %s: connected streams: %d", s.URL(), streams)
	fmt.Fprintf(&b, "\nevent requests: %d", len(requests))
	first := max(0, len(requests)-describedRequests)
	leftOut(&b, first)
	for _, r := range requests[first:] {
		fmt.Fprintf(&b, "\n    %s, events: %d", describeAnswer(r), r.EventCount)
		if r.Problem != "" {
			fmt.Fprintf(&b, " (%s)", r.Problem)
		}
	}
	fmt.Fprintf(&b, "\nevents accepted: %d", len(raws))
	first = max(0, len(raws)-describedEvents)
	leftOut(&b, first)
	for _, raw := range raws[first:] {
		text := string(raw)
		if len(text) > describedBytes {
			text = strings.ToValidUTF8(text[:describedBytes], "") + "…"
		}
		b.WriteString("\n    " + text)
	}
	return b.String()
}

// GomegaString returns String. Gomega prints it instead of the server's fields, because reading
// them would be a data race.
func (s *Server) GomegaString() string { return s.String() }

func describeAnswer(r Request) string {
	switch {
	case r.Status == 0:
		return "no response"
	case r.Duplicate:
		return fmt.Sprintf("%d, duplicate", r.Status)
	default:
		return strconv.Itoa(r.Status)
	}
}

func leftOut(b *strings.Builder, n int) {
	if n > 0 {
		fmt.Fprintf(b, "\n    … %d earlier omitted", n)
	}
}
