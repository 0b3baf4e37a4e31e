package launchdarklytest

import (
	"net/http"
	"slices"
	"time"
)

// Request is a received request and its response. The fields from Bytes on are zero in requests for
// flag data.
type Request struct {
	Time   time.Time   // time of arrival
	Path   string      // StreamPath, PollPath, StreamPathV2, PollPathV2 or EventsPath
	Header http.Header // must not be modified
	// Status is the status of the response, which [Server.DelayEvents] may be delaying. It is 0 if
	// there is no response, because [Server.ResetEvents] reset the connection or the client
	// disconnected before the end of the body.
	Status int

	Bytes      int    // length of the body after decompression
	WireBytes  int    // length of the body as received
	Gzip       bool   // whether the body was compressed
	EventCount int    // number of events in the body, accepted or not; 0 if the body was invalid
	Accepted   bool   // whether its events were accepted
	Duplicate  bool   // whether it repeated an accepted payload ID, so that its events were ignored
	Problem    string // why the body was invalid; empty if it was valid
}

func newRequest(r *http.Request) Request {
	return Request{Time: time.Now(), Path: r.URL.Path, Header: r.Header.Clone()}
}

// PayloadID returns the X-LaunchDarkly-Payload-ID header, which is the same for each attempt to
// deliver the same events. It is empty if there is none.
func (r Request) PayloadID() string { return r.Header.Get("X-LaunchDarkly-Payload-ID") }

// Schema returns the X-LaunchDarkly-Event-Schema header, the version of the event format.
func (r Request) Schema() string { return r.Header.Get("X-LaunchDarkly-Event-Schema") }

// Wrapper returns the X-LaunchDarkly-Wrapper header, the "name" or "name/version" of the library
// that wraps the SDK.
func (r Request) Wrapper() string { return r.Header.Get("X-LaunchDarkly-Wrapper") }

// UserAgent returns the User-Agent header, the SDK and its version.
func (r Request) UserAgent() string { return r.Header.Get("User-Agent") }

// Requests returns the event requests in the order of arrival, including refused ones, duplicates
// and those with an invalid body.
func (s *Server) Requests() []Request {
	return s.requestsTo(EventsPath)
}

// StreamRequests returns the requests for flag data, both streams and polls, in the order of
// arrival, including refused ones.
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
