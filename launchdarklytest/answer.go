package launchdarklytest

import (
	"io"
	"net/http"
	"strconv"
	"time"
)

// answer is what a request is answered with.
type answer struct {
	status     int
	retryAfter time.Duration // no Retry-After header when 0
	message    string
}

func (a answer) write(w http.ResponseWriter) {
	if a.retryAfter > 0 {
		// The header knows whole seconds only; less than was asked for would be too early.
		seconds := (a.retryAfter + time.Second - 1) / time.Second
		w.Header().Set("Retry-After", strconv.Itoa(int(seconds)))
	}
	if a.message != "" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.message) // the status has said it; who hung up does not need to know why
}
