package delivery

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/openfeature-launchdarkly/go-provider/internal/httpstop"
)

// outcome is how the delivery of one request ended.
type outcome int

const (
	failed outcome = iota // for now: another attempt may go better
	accepted
	tooLarge
	invalid // its body is not JSON: one event of it spoils the others
	refused
	unauthorized
	cancelled
)

// maxRetryAfter bounds how long the events service can ask us to wait.
const maxRetryAfter = 10 * time.Minute

// watchedBackoff bounds the pause before another attempt while somebody waits for the events: a service that is back is
// found before their deadline, and one that is not has to bear no more than from LaunchDarkly's own sender.
const watchedBackoff = time.Second

// drainTimeout is how long the body of a response may take, of which only the status counts.
const drainTimeout = time.Second

// retrier is the HTTP transport of the custom events' lane. It delivers a request whatever it takes, keeps the outcome,
// and tells LaunchDarkly's sender that all is well: its one retry, its giving up and its shutting down are not wanted
// here. It serves one request at a time.
type retrier struct {
	client   *http.Client
	settings settings
	stopping context.Context // ends delivery at once
	// attempted hears of each attempt; err is nil for one that was accepted or refused, and otherwise another follows after
	// the pause at the latest.
	attempted func(err error, pause time.Duration)
	// watched is closed as soon as somebody waits for the events.
	watched func() <-chan struct{}

	// cautious makes it look at a request before it sends it, and spare the events service what is not valid JSON.
	cautious bool
	last     outcome
	status   int // of the last response
}

// RoundTrip implements [http.RoundTripper].
func (r *retrier) RoundTrip(request *http.Request) (*http.Response, error) {
	r.last, r.status = r.deliver(request)
	return httpstop.Respond(request, http.StatusAccepted), nil
}

func (r *retrier) deliver(request *http.Request) (outcome, int) {
	if r.stopping.Err() == nil && r.cautious && !hasJSONBody(request) {
		return invalid, 0
	}
	valid := false // whether a 400 has had its body looked at, and found to be JSON
	for attempt := 0; ; attempt++ {
		if r.stopping.Err() != nil {
			return cancelled, 0
		}
		status, retryAfter, err := r.attempt(request)
		if err == nil {
			result := outcomeOf(status)
			if status == http.StatusBadRequest {
				switch {
				case valid: // the second time
				case !hasJSONBody(request):
					result = invalid
				default: // a fault on the way, perhaps
					valid, result = true, failed
				}
			}
			if result != failed {
				r.attempted(nil, 0)
				return result, status
			}
			err = fmt.Errorf("status %d", status)
		}
		if r.stopping.Err() != nil {
			return cancelled, 0
		}
		retryAfter = min(retryAfter, maxRetryAfter)
		pause := r.backoff(attempt, r.settings.maxBackoff)
		watchedPause := min(pause, r.backoff(attempt, max(r.settings.minBackoff, watchedBackoff)))
		pause, watchedPause = max(pause, retryAfter), max(watchedPause, retryAfter)
		r.attempted(err, pause)
		r.wait(pause, watchedPause)
	}
}

// wait is the pause before another attempt, which ends sooner when somebody waits for the events, or at once when
// delivery ends.
func (r *retrier) wait(pause, watchedPause time.Duration) {
	select {
	case <-time.After(watchedPause):
	case <-r.stopping.Done():
		return
	}
	select {
	case <-time.After(pause - watchedPause):
	case <-r.watched():
	case <-r.stopping.Done():
	}
}

// outcomeOf tells what a status means. As with LaunchDarkly's own sender, only a 4xx can be final, and 400 is so the second
// time. A redirect gets here when it would lead to a request without the events.
func outcomeOf(status int) outcome {
	switch {
	case status >= 200 && status < 300:
		return accepted
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return unauthorized
	case status == http.StatusRequestEntityTooLarge:
		return tooLarge
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests:
		return failed
	case status >= 400 && status < 500:
		return refused
	default:
		return failed
	}
}

// attempt sends the request once. The payload ID is among the headers that stay the same.
func (r *retrier) attempt(request *http.Request) (status int, retryAfter time.Duration, err error) {
	ctx, cancel := context.WithCancel(r.stopping)
	defer cancel()
	attempt := request.Clone(ctx)
	if request.GetBody != nil {
		if attempt.Body, err = request.GetBody(); err != nil {
			return 0, 0, err
		}
	}
	response, err := r.client.Do(attempt)
	if err != nil {
		return 0, 0, err
	}
	// The outcome is known. The rest is read so that the connection can be used again, which is worth no long wait.
	defer time.AfterFunc(drainTimeout, cancel).Stop()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
	_ = response.Body.Close()
	return response.StatusCode, retryAfterOf(response.Header), nil
}

// retryAfterOf reads how long the service wants to be left alone, in seconds or as a date (RFC 9110, section 10.2.3). A
// date is by the service's clock, which the answer tells: ours may be wrong by more than what it asks for.
func retryAfterOf(header http.Header) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil || errors.Is(err, strconv.ErrRange) { // of too many, the most
		return time.Duration(min(max(seconds, 0), int(maxRetryAfter/time.Second))) * time.Second
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return max(date.Sub(now), 0)
}

// backoff doubles with each failure, up to the longest, and is then up to half shorter, so that a fleet does not come back
// all at once.
func (r *retrier) backoff(failures int, longest time.Duration) time.Duration {
	pause := r.settings.minBackoff
	for range failures {
		if pause > longest/2 {
			pause = longest
			break
		}
		pause *= 2
	}
	return pause - rand.N(pause/2+1)
}

// maxRedirects is as many as Go's HTTP client follows unless it is told otherwise.
const maxRedirects = 10

// keepMethod does not follow a redirect that turns the request into a GET, as 301, 302 and 303 do: without its events,
// it would seem to be accepted. next is the client's own policy, if it has one.
func keepMethod(next func(*http.Request, []*http.Request) error) func(*http.Request, []*http.Request) error {
	return func(request *http.Request, via []*http.Request) error {
		switch {
		case request.Method != via[0].Method:
			return http.ErrUseLastResponse
		case next != nil:
			return next(request, via)
		case len(via) >= maxRedirects:
			return fmt.Errorf("stopped after %d redirects", maxRedirects)
		default:
			return nil
		}
	}
}

// hasJSONBody tells whether a request is valid JSON, and so valid UTF-8 (RFC 8259, section 8.1), which json.Valid does
// not ask for. A body that can't be read again, or not be unzipped, counts as valid.
func hasJSONBody(request *http.Request) bool {
	if request.GetBody == nil {
		return true
	}
	body, err := request.GetBody()
	if err != nil {
		return true
	}
	defer body.Close()
	text, err := io.ReadAll(body)
	if err != nil {
		return true
	}
	if request.Header.Get("Content-Encoding") == "gzip" {
		zipped, err := gzip.NewReader(bytes.NewReader(text))
		if err != nil {
			return true
		}
		if text, err = io.ReadAll(zipped); err != nil {
			return true
		}
	}
	return utf8.Valid(text) && json.Valid(text)
}
