package launchdarklytest

import (
	"io"
	"net/http"
	"strconv"
	"time"
)

// answer is the response to a request.
type answer struct {
	status     int
	retryAfter time.Duration // no Retry-After header when 0
	message    string
}

func (a answer) write(w http.ResponseWriter) {
	if a.retryAfter > 0 {
		// Retry-After has whole seconds; rounding down would let clients retry too early.
		seconds := (a.retryAfter + time.Second - 1) / time.Second
		w.Header().Set("Retry-After", strconv.Itoa(int(seconds)))
	}
	if a.message != "" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.message) // fails only if the client disconnected
}
