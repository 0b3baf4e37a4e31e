package launchdarklytest

import (
	"net/http"

	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
)

// takePoll decides on a poll, and records it. prepare makes the answer of one that is not refused, and returns its status.
func (s *Server) takePoll(r *http.Request, prepare func() int) (a answer, refused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.notify()
	request := newRequest(r)
	a, refused = s.refuseData(r)
	if !refused {
		a.status = prepare()
	}
	request.Status = a.status
	s.requests = append(s.requests, request)
	return a, refused
}

// servePollV2 answers GET /sdk/poll. The basis does here what an ETag does in the first protocol.
func (s *Server) servePollV2(w http.ResponseWriter, r *http.Request) {
	var events []subsystems.Event
	a, refused := s.takePoll(r, func() int {
		events = s.data.payloadSince(r.URL.Query().Get("basis"))
		return http.StatusOK
	})
	if refused {
		a.write(w)
		return
	}
	payload := subsystems.PollingPayload{Events: make([]subsystems.RawEvent, len(events))}
	for i, event := range events {
		payload.Events[i] = subsystems.RawEvent{Name: event.Name(), Data: mustJSON(event)}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_, _ = w.Write(mustJSON(payload)) // a client that hung up polls again
}

// servePoll answers GET /sdk/latest-all.
func (s *Server) servePoll(w http.ResponseWriter, r *http.Request) {
	var etag string
	var data []byte
	a, refused := s.takePoll(r, func() int {
		etag = s.data.etag()
		if r.Header.Get("If-None-Match") == etag {
			return http.StatusNotModified
		}
		data = s.data.all()
		return http.StatusOK
	})
	if refused {
		a.write(w)
		return
	}
	w.Header().Set("ETag", etag)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_, _ = w.Write(data) // a client that hung up polls again
}
