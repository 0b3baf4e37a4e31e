package launchdarklytest

import "net/http"

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
