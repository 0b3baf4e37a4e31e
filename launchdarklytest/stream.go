package launchdarklytest

import (
	"io"
	"net/http"
	"time"
)

const (
	// heartbeat is an empty comment, which clients of server-sent events ignore.
	heartbeat = ":\n"
	// heartbeatInterval is the same as LaunchDarkly's.
	heartbeatInterval = 3 * time.Minute
)

// stream is one connected client. LaunchDarkly's httphelpers.SSEHandler does not fit: its first
// message is fixed at creation, one slow client blocks all senders, and it can close a channel
// twice if a client disconnects while all streams are closed.
type stream struct {
	wake    chan struct{} // has a token when pending is not empty
	dropped chan struct{} // closed to end the stream

	protocol protocol
	basis    string // data that the client has, as a selector's state

	// Guarded by Server.mu.
	pending []byte
	held    bool // receives no data until released
}

func newStream(p protocol, basis string) *stream {
	return &stream{wake: make(chan struct{}, 1), dropped: make(chan struct{}), protocol: p, basis: basis}
}

// send queues data without blocking. The caller must hold Server.mu.
func (st *stream) send(data []byte) {
	st.pending = append(st.pending, data...)
	select {
	case st.wake <- struct{}{}:
	default:
	}
}

// serveStreams returns the handler for streams of a protocol.
func (s *Server) serveStreams(p protocol) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { s.serveStream(w, r, p) }
}

func (s *Server) serveStream(w http.ResponseWriter, r *http.Request, p protocol) {
	st, refused := s.openStream(r, p)
	if st == nil {
		refused.write(w)
		return
	}
	defer s.closeStream(st)

	controller := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache, no-store, must-revalidate")
	w.WriteHeader(http.StatusOK)
	if controller.Flush() != nil {
		return
	}
	// LaunchDarkly's SDKs reconnect after five minutes without data.
	heartbeats := time.NewTicker(heartbeatInterval)
	defer heartbeats.Stop()
	for {
		select {
		case <-st.wake:
			if _, err := w.Write(s.takePending(st)); err != nil || controller.Flush() != nil {
				return
			}
		case <-heartbeats.C:
			if _, err := io.WriteString(w, heartbeat); err != nil || controller.Flush() != nil {
				return
			}
		case <-st.dropped:
			return
		case <-r.Context().Done():
			return
		case <-s.done:
			return
		}
	}
}

// openStream returns a new stream, or nil and the response that refuses it.
func (s *Server) openStream(r *http.Request, p protocol) (*stream, response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.notify()
	request := newRequest(r)
	if resp, refused := s.refuseData(r); refused {
		request.Status = resp.status
		s.requests = append(s.requests, request)
		return nil, resp
	}
	request.Status = http.StatusOK
	s.requests = append(s.requests, request)

	// Changes hold the same lock, so that none is lost between the first data and the first change.
	st := newStream(p, r.URL.Query().Get("basis"))
	st.held = s.faults.holdStreams
	if !st.held {
		st.send(p.start(&s.data, st.basis))
	}
	s.streams[st] = struct{}{}
	return st, response{}
}

// refuseData returns the response that refuses a stream or a poll, and whether it is refused. The
// caller must hold s.mu.
func (s *Server) refuseData(r *http.Request) (response, bool) {
	if !s.authorized(r) {
		return response{status: http.StatusUnauthorized}, true
	}
	return s.faults.streams.take()
}

func (s *Server) closeStream(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.streams, st)
	s.notify()
}

func (s *Server) takePending(st *stream) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	data := st.pending
	st.pending = nil
	return data
}
