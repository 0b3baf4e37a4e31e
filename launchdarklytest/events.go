package launchdarklytest

import (
	"iter"
	"net"
	"net/http"
	"slices"
	"time"
)

// Events returns all accepted events in the order of arrival.
func (s *Server) Events() []Event {
	log, raws, _ := s.snapshot()
	return slices.Clone(log.parse(raws, 0))
}

// CustomEvents returns the accepted custom events with any of the keys, in the order of arrival.
// Without keys, it returns all custom events.
func (s *Server) CustomEvents(keys ...string) []Event {
	log, raws, _ := s.snapshot()
	var found []Event
	for _, event := range log.parse(raws, 0) {
		if event.Kind == KindCustom && (len(keys) == 0 || slices.Contains(keys, event.Key)) {
			found = append(found, event)
		}
	}
	return found
}

// AllEvents returns an iterator over the accepted events. Unlike [Server.Events], it parses one
// event at a time and retains none, for tests with very many events.
func (s *Server) AllEvents() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		_, raws, _ := s.snapshot()
		for _, raw := range raws {
			if !yield(parseEvent(raw)) {
				return
			}
		}
	}
}

// EventCount returns the number of accepted events of the kinds. Without kinds, it counts all
// events. It parses nothing, so its cost does not depend on the number of events.
//
//	tracked := server.EventCount(launchdarklytest.KindCustom)
func (s *Server) EventCount(kinds ...string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.count(kinds)
}

// ClearEvents discards the accepted events. It keeps requests and payload IDs, so that a repeated
// delivery is still a duplicate.
func (s *Server) ClearEvents() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = newEventLog()
	s.notify()
}

// serveEvents serves POST /bulk.
func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request) {
	request := newRequest(r)
	body := readPayload(r)

	s.mu.Lock()
	var resp response
	unanswered := body.cut
	if !body.cut {
		resp = s.acceptEvents(r, &request, body)
		unanswered = s.faults.takeReset()
	}
	request.Bytes, request.WireBytes, request.Gzip = body.bytes, body.wireBytes, body.gzip
	request.EventCount, request.Problem = len(body.events), body.problem
	if !unanswered {
		request.Status = resp.status
	}
	s.requests = append(s.requests, request)
	delay, delayOver := s.faults.delay, s.faults.delayOver
	s.notify()
	s.mu.Unlock()

	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-delayOver:
		case <-r.Context().Done():
			unanswered = true
		case <-s.done:
			unanswered = true
		}
	}
	if unanswered {
		resetConnection(w)
		return
	}
	resp.write(w)
}

// acceptEvents returns the response to a request, and stores its events if they are accepted. The
// caller must hold s.mu.
func (s *Server) acceptEvents(r *http.Request, request *Request, body payload) response {
	resp := s.refuseEvents(r, body)
	if resp.status == 0 {
		resp.status = http.StatusAccepted
		id := request.PayloadID()
		if _, known := s.payloadIDs[id]; known {
			request.Duplicate = true
		} else {
			request.Accepted = true
			s.log.add(body.events)
			if id != "" {
				s.payloadIDs[id] = struct{}{}
			}
		}
	}
	return resp
}

// refuseEvents returns the response that refuses a request, or one with status 0 if it can be
// accepted. The caller must hold s.mu.
func (s *Server) refuseEvents(r *http.Request, body payload) response {
	if !s.authorized(r) {
		return response{status: http.StatusUnauthorized}
	}
	if resp, refused := s.faults.events.take(); refused {
		return resp
	}
	tooLarge := func(limit, n int) bool { return limit > 0 && n > limit }
	switch {
	case tooLarge(s.faults.maxBytes, body.bytes), tooLarge(s.faults.maxEvents, len(body.events)):
		return response{status: http.StatusRequestEntityTooLarge}
	case body.problem != "":
		return response{status: http.StatusBadRequest, message: body.problem}
	}
	return response{}
}

// resetConnection resets the connection. A handler that returned without a response would send 200.
func resetConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError) // not hijackable
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // makes Close send RST
	}
	_ = conn.Close()
}
