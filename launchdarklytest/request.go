package launchdarklytest

import (
	"net/http"
	"slices"
	"time"
)

// Request is a request that arrived, and how it was answered. Requests for flag data have no use for
// the fields from Bytes on.
type Request struct {
	Time   time.Time   // when it arrived
	Path   string      // StreamPath, PollPath, StreamPathV2, PollPathV2 or EventsPath
	Header http.Header // a copy
	// Status is what it was answered with, or is about to be where [Server.DelayEvents] holds the answer
	// back. It is 0 when there was no answer: [Server.ResetEvents] reset the connection instead, or the
	// client hung up before it had sent everything.
	Status int

	Bytes      int    // length of the body as JSON, after decompression
	WireBytes  int    // length of the body as it came
	Gzip       bool   // whether it came compressed
	EventCount int    // how many events it carried, taken or not; 0 when the body was not valid
	Accepted   bool   // whether its events were taken
	Duplicate  bool   // whether it repeated an accepted payload id, so that nothing was taken again
	Problem    string // what was wrong with the body; empty when nothing was
}

func newRequest(r *http.Request) Request {
	return Request{Time: time.Now(), Path: r.URL.Path, Header: r.Header.Clone()}
}

// PayloadID is the X-LaunchDarkly-Payload-ID header: the same on each attempt to deliver the same
// events. It is empty when there is none.
func (r Request) PayloadID() string { return r.Header.Get("X-LaunchDarkly-Payload-ID") }

// Schema is the X-LaunchDarkly-Event-Schema header, the version of the events' format.
func (r Request) Schema() string { return r.Header.Get("X-LaunchDarkly-Event-Schema") }

// Wrapper is the X-LaunchDarkly-Wrapper header: "name" or "name/version" of what wraps the SDK.
func (r Request) Wrapper() string { return r.Header.Get("X-LaunchDarkly-Wrapper") }

// UserAgent is the User-Agent header, which names the SDK and its version.
func (r Request) UserAgent() string { return r.Header.Get("User-Agent") }

// Requests returns the requests that brought events, in the order of their arrival: refused ones,
// duplicates and those with a broken body included. The Headers must not be changed.
func (s *Server) Requests() []Request {
	return s.requestsTo(EventsPath)
}

// StreamRequests returns the requests for flag data, streams and polls, in the order of their arrival,
// refused ones included. The Headers must not be changed.
func (s *Server) StreamRequests() []Request {
	return s.requestsTo(StreamPath, PollPath, StreamPathV2, PollPathV2)
}

func (s *Server) requestsTo(paths ...string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Request
	for _, request := range s.requests {
		if slices.Contains(paths, request.Path) {
			found = append(found, request)
		}
	}
	return found
}
