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

// String says where the server is and what has arrived, for the messages of failed tests: the newest
// requests and events, shortened. Its wording may change.
func (s *Server) String() string {
	_, raws, _ := s.snapshot()
	requests, streams := s.Requests(), s.Streams()

	var b strings.Builder
	fmt.Fprintf(&b, "LaunchDarkly in a box at %s: connected streams: %d", s.URL(), streams)
	fmt.Fprintf(&b, "\nrequests with events: %d", len(requests))
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

// GomegaString is what Gomega prints for a server: String, rather than its memory, which others are using.
func (s *Server) GomegaString() string { return s.String() }

func describeAnswer(r Request) string {
	switch {
	case r.Status == 0:
		return "not answered"
	case r.Duplicate:
		return fmt.Sprintf("%d, duplicate", r.Status)
	default:
		return strconv.Itoa(r.Status)
	}
}

func leftOut(b *strings.Builder, n int) {
	if n > 0 {
		fmt.Fprintf(b, "\n    … %d earlier ones", n)
	}
}
