package launchdarklytest

import (
	"io"
	"net/http"
	"strconv"
	"time"
)

// response is the response to a request.
type response struct {
	status     int
	retryAfter time.Duration // no Retry-After header when 0
	message    string
}

func (resp response) write(w http.ResponseWriter) {
	if resp.retryAfter > 0 {
		// Retry-After has whole seconds; rounding down would let clients retry too early.
		seconds := (resp.retryAfter + time.Second - 1) / time.Second
		w.Header().Set("Retry-After", strconv.Itoa(int(seconds)))
	}
	if resp.message != "" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	w.WriteHeader(resp.status)
	_, _ = io.WriteString(w, resp.message) // fails only if the client disconnected
}
