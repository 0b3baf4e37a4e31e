package launchdarklytest

import (
	"net/http"

	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
)

// takePoll records a poll and returns its answer. If the poll is not refused, prepare prepares the
// body and returns the status.
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

// servePollV2 serves GET /sdk/poll. The basis has the role of the first protocol's ETag.
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
	_, _ = w.Write(mustJSON(payload)) // fails only if the client disconnected
}

// servePoll serves GET /sdk/latest-all.
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
	_, _ = w.Write(data) // fails only if the client disconnected
}
