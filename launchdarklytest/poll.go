package launchdarklytest

import (
	"net/http"

	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
)

// takePoll records a poll and returns its response. If the poll is not refused, prepare prepares
// the body and returns the status.
func (s *Server) takePoll(r *http.Request, prepare func() int) (resp response, refused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.notify()
	request := newRequest(r)
	resp, refused = s.refuseData(r)
	if !refused {
		resp.status = prepare()
	}
	request.Status = resp.status
	s.requests = append(s.requests, request)
	return resp, refused
}

// servePollV2 serves GET /sdk/poll. The basis has the role of the first protocol's ETag.
func (s *Server) servePollV2(w http.ResponseWriter, r *http.Request) {
	var events []subsystems.Event
	resp, refused := s.takePoll(r, func() int {
		events = s.data.payloadSince(r.URL.Query().Get("basis"))
		return http.StatusOK
	})
	if refused {
		resp.write(w)
		return
	}
	payload := subsystems.PollingPayload{Events: make([]subsystems.RawEvent, len(events))}
	for i, event := range events {
		payload.Events[i] = subsystems.RawEvent{Name: event.Name(), Data: mustJSON(event)}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(resp.status)
	_, _ = w.Write(mustJSON(payload)) // fails only if the client disconnected
}

// servePoll serves GET /sdk/latest-all.
func (s *Server) servePoll(w http.ResponseWriter, r *http.Request) {
	var etag string
	var data []byte
	resp, refused := s.takePoll(r, func() int {
		etag = s.data.etag()
		if r.Header.Get("If-None-Match") == etag {
			return http.StatusNotModified
		}
		data = s.data.all()
		return http.StatusOK
	})
	if refused {
		resp.write(w)
		return
	}
	w.Header().Set("ETag", etag)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(resp.status)
	_, _ = w.Write(data) // fails only if the client disconnected
}
