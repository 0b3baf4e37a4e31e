package launchdarklytest

import (
	"net/http"

	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
)

// servePollV2 answers GET /sdk/poll. The basis does here what an ETag does in the first protocol.
func (s *Server) servePollV2(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	request := newRequest(r)
	a, refused := s.refuseData(r)
	var events []subsystems.Event
	if !refused {
		a.status = http.StatusOK
		events = s.data.payloadSince(r.URL.Query().Get("basis"))
	}
	request.Status = a.status
	s.requests = append(s.requests, request)
	s.notify()
	s.mu.Unlock()

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
	s.mu.Lock()
	request := newRequest(r)
	a, refused := s.refuseData(r)
	etag := s.data.etag()
	var data []byte
	switch {
	case refused:
	case r.Header.Get("If-None-Match") == etag:
		a.status = http.StatusNotModified
	default:
		a.status = http.StatusOK
		data = s.data.all()
	}
	request.Status = a.status
	s.requests = append(s.requests, request)
	s.notify()
	s.mu.Unlock()

	if refused {
		a.write(w)
		return
	}
	w.Header().Set("ETag", etag)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_, _ = w.Write(data) // a client that hung up polls again
}
