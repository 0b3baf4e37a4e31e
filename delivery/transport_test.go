package delivery

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestOutcomeOf(t *testing.T) {
	for want, statuses := range map[outcome][]int{
		accepted:     {200, 202, 204},
		unauthorized: {401, 403},
		tooLarge:     {413},
		refused:      {400, 404, 405, 410, 422, 451},
		failed:       {301, 302, 303, 304, 307, 408, 429, 500, 502, 503, 504, 599},
	} {
		for _, status := range statuses {
			if got := outcomeOf(status); got != want {
				t.Errorf("%d is %d, want %d", status, got, want)
			}
		}
	}
}

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // so that the date does not depend on how long this takes
		for value, want := range map[string]time.Duration{
			"":                     0,
			"0":                    0,
			"7":                    7 * time.Second,
			"-7":                   0,
			"7.5":                  0,
			"soon":                 0,
			"1000000000":           maxRetryAfter,
			"99999999999999999999": maxRetryAfter,
			time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat): 90 * time.Second,
			time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat):       0,
		} {
			header := http.Header{}
			if value != "" {
				header.Set("Retry-After", value)
			}
			if got := retryAfterOf(header); got != want {
				t.Errorf("%q is %s, want %s", value, got, want)
			}
		}
	})
}

// TestRetryAfterByTheServicesClock has a date of a service whose clock, or ours, is wrong by hours.
func TestRetryAfterByTheServicesClock(t *testing.T) {
	for _, wrong := range []time.Duration{-5 * time.Hour, 0, 5 * time.Hour} {
		now := time.Now().UTC().Add(wrong)
		got := retryAfterOf(http.Header{
			"Date":        {now.Format(http.TimeFormat)},
			"Retry-After": {now.Add(7 * time.Second).Format(http.TimeFormat)},
		})
		if got != 7*time.Second {
			t.Errorf("wrong by %s: %s", wrong, got)
		}
	}
}

func TestBackoff(t *testing.T) {
	for _, c := range []struct {
		shortest, longest time.Duration
		failures          int
		want              time.Duration // at most; at least half of it
	}{
		{time.Second, time.Minute, 0, time.Second},
		{time.Second, time.Minute, 1, 2 * time.Second},
		{time.Second, time.Minute, 5, 32 * time.Second},
		{time.Second, time.Minute, 6, time.Minute},
		{time.Second, time.Minute, 1_000_000, time.Minute},
		{time.Second, time.Millisecond, 3, time.Second},
		{1, 1, 0, 1},
		{time.Hour, 1<<63 - 1, 100, 1<<63 - 1},
		{0, -1, 3, 8 * DefaultMinBackoff},
	} {
		r := &retrier{settings: newSettings([]Option{WithBackoff(c.shortest, c.longest)}, 0)}
		for range 100 {
			if got := r.backoff(c.failures, r.settings.maxBackoff); got > c.want || got < c.want/2 {
				t.Errorf("after %d failures, %s; want up to %s", c.failures, got, c.want)
			}
		}
	}
}

func TestSettings(t *testing.T) {
	for _, c := range []struct {
		name     string
		opts     []Option
		capacity int
		is       func(settings) bool
	}{
		{"defaults", nil, 10_000, func(s settings) bool {
			return s.maxEvents == DefaultMaxEvents && s.maxBytes == DefaultMaxBytes && s.maxWait == DefaultMaxWait &&
				s.requestEvents == DefaultRequestEvents && s.requestBytes == maxRequestBytes &&
				s.requestTimeout == DefaultRequestTimeout && s.logger != nil
		}},
		{"a nil option", []Option{nil}, 0, func(s settings) bool { return s.maxEvents == DefaultMaxEvents }},
		{"capacity", nil, 500_000, func(s settings) bool { return s.maxEvents == 500_000 }},
		{"nothing positive", []Option{
			WithMaxEvents(0), WithMaxBytes(-1), WithRequestEvents(0), WithRequestTimeout(-1), WithBackoff(0, 0),
			WithLogger(nil), WithErrorHandler(nil), WithMaxWait(-1),
		}, 0, func(s settings) bool {
			return s.maxEvents == DefaultMaxEvents && s.maxBytes == DefaultMaxBytes && s.maxWait == 0 &&
				s.requestEvents == DefaultRequestEvents && s.requestTimeout == DefaultRequestTimeout &&
				s.minBackoff == DefaultMinBackoff && s.maxBackoff == DefaultMaxBackoff && s.logger != nil &&
				s.onError == nil
		}},
		{"a small queue", []Option{WithMaxEvents(10), WithMaxBytes(1)}, 0, func(s settings) bool {
			return s.requestEvents == 10 && s.requestBytes == 1
		}},
		{"large requests", []Option{WithMaxEvents(1 << 60), WithRequestEvents(1 << 60)}, 0, func(s settings) bool {
			return s.requestEvents == maxRequestEvents
		}},
	} {
		if s := newSettings(c.opts, c.capacity); !c.is(s) {
			t.Errorf("%s: %+v", c.name, s)
		}
	}
}

// trip is what a fake events service does with one request.
type trip func(*http.Request) (*http.Response, error)

func (f trip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(r *http.Request, status int, header http.Header) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: http.NoBody, Request: r}
}

// retry has a retrier send the body to the events service.
func retry(t *testing.T, stopping context.Context, body string, header http.Header, cautious bool, service trip) *retrier {
	t.Helper()
	var unwatched progress
	r := &retrier{
		client:    &http.Client{Transport: service, CheckRedirect: keepMethod(nil)},
		settings:  newSettings(nil, 0),
		stopping:  stopping,
		attempted: func(error, time.Duration) {},
		watched:   unwatched.watched,
		cautious:  cautious,
	}
	send(t, r, body, header)
	return r
}

// send has the retrier send the body to its events service.
func send(t *testing.T, r *retrier, body string, header http.Header) {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, "http://events.test/bulk", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(request.Header, header)
	response, err := (&http.Client{Transport: r}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if response.Body.Close(); response.StatusCode != http.StatusAccepted {
		t.Errorf("LaunchDarkly's sender hears %d", response.StatusCode)
	}
}

func TestRetrier(t *testing.T) {
	reset := errors.New("connection reset")
	for _, c := range []struct {
		name     string
		attempts []any // an error, a status or a whole response
		want     outcome
		least    time.Duration // of what it waits between attempts
		most     time.Duration
	}{
		{"accepted", []any{202}, accepted, 0, 0},
		{"refused", []any{404}, refused, 0, 0},
		{"an error", []any{reset, 202}, accepted, DefaultMinBackoff / 2, DefaultMinBackoff},
		{"a bad request once", []any{400, 202}, accepted, DefaultMinBackoff / 2, DefaultMinBackoff},
		{"a bad request twice", []any{400, 503, 400}, refused, DefaultMinBackoff, 3 * DefaultMinBackoff},
		{"then refused", []any{503, 413}, tooLarge, DefaultMinBackoff / 2, DefaultMinBackoff},
		{"several", []any{reset, 503, 408, 500, 202}, accepted, 15 * DefaultMinBackoff / 2, 15 * DefaultMinBackoff},
		{"retry after", []any{
			&http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"30"}}}, 202,
		}, accepted, 30 * time.Second, 30 * time.Second},
		{"retry after less than the backoff", []any{
			&http.Response{StatusCode: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"0"}}}, 202,
		}, accepted, DefaultMinBackoff / 2, DefaultMinBackoff},
		{"retry after ages", []any{
			&http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"Sun, 01 Jan 2090 00:00:00 GMT"}}}, 202,
		}, accepted, maxRetryAfter, maxRetryAfter},
		{"a redirect without the events", []any{
			&http.Response{StatusCode: http.StatusFound, Header: http.Header{"Location": {"/login"}}}, 202,
		}, accepted, DefaultMinBackoff / 2, DefaultMinBackoff},
		{"a redirect with them", []any{
			&http.Response{StatusCode: http.StatusTemporaryRedirect, Header: http.Header{"Location": {"/elsewhere"}}}, 202,
		}, accepted, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, n := time.Now(), 0
				service := func(r *http.Request) (*http.Response, error) {
					body, err := io.ReadAll(r.Body)
					if err != nil || string(body) != "[{}]" || r.Header.Get("X-LaunchDarkly-Payload-ID") != "id" {
						t.Errorf("attempt %d: %q, %v, %v", n, body, err, r.Header)
					}
					n++
					switch a := c.attempts[n-1].(type) {
					case error:
						return nil, a
					case *http.Response:
						return answer(r, a.StatusCode, a.Header), nil
					default:
						return answer(r, a.(int), nil), nil
					}
				}
				header := http.Header{"X-Launchdarkly-Payload-Id": {"id"}}
				r := retry(t, t.Context(), "[{}]", header, false, service)
				if r.last != c.want || n != len(c.attempts) {
					t.Errorf("outcome %d after %d attempts, want %d after %d", r.last, n, c.want, len(c.attempts))
				}
				if waited := time.Since(began); waited < c.least || waited > c.most {
					t.Errorf("waited %s, want %s to %s", waited, c.least, c.most)
				}
			})
		})
	}
}

// Attempts that fail are far apart in the end, unless somebody waits for the events.
func TestRetrierWhileWatched(t *testing.T) {
	retryAfter := http.Header{"Retry-After": {"30"}}
	for _, c := range []struct {
		name         string
		shortest     time.Duration
		watchedAfter time.Duration
		header       http.Header
		least, most  time.Duration // from when somebody waits to the next attempt
		then         time.Duration // between later attempts, at most, and at least half of it
	}{
		{"from the start", time.Second / 8, 0, nil, 0, time.Second / 8, time.Second},
		{"soon after a failure", time.Second, time.Millisecond, nil, time.Second / 4, time.Second, time.Second},
		{"long after a failure", time.Second / 16, 10*time.Hour + 10*time.Minute, nil, 0, time.Second, time.Second},
		{"a longer shortest pause", time.Minute, 0, nil, 0, time.Minute, time.Minute},
		{"a service that wants to be left alone", time.Second, time.Millisecond, retryAfter,
			30*time.Second - time.Millisecond, 30*time.Second - time.Millisecond, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var p progress
				const attempts = 10 // while watched
				var at []time.Duration
				began := time.Now()
				watched := func() time.Duration { return time.Since(began) - c.watchedAfter }
				r := &retrier{
					client: &http.Client{Transport: trip(func(r *http.Request) (*http.Response, error) {
						if since := watched(); since > 0 || c.watchedAfter == 0 {
							at = append(at, since)
						}
						if len(at) > attempts {
							return answer(r, http.StatusAccepted, nil), nil
						}
						return answer(r, http.StatusServiceUnavailable, c.header), nil
					})},
					settings:  newSettings([]Option{WithBackoff(c.shortest, time.Hour)}, 0),
					stopping:  t.Context(),
					attempted: func(error, time.Duration) {},
					watched:   p.watched,
				}
				if c.watchedAfter == 0 {
					p.watch(1)
				} else {
					time.AfterFunc(c.watchedAfter, func() { p.watch(1) })
				}
				send(t, r, "[{}]", nil)
				if c.watchedAfter == 0 {
					at = at[1:] // the first attempt has no failure before it
				}
				if at[0] < c.least || at[0] > c.most {
					t.Errorf("the next attempt comes after %s, want %s to %s", at[0], c.least, c.most)
				}
				last := len(at) - 1 // the pauses before it have grown as far as they do
				if pause := at[last] - at[last-1]; pause < c.then/2 || pause > c.then {
					t.Errorf("the last pause is %s, want at most %s", pause, c.then)
				}
			})
		})
	}
}

func TestRetrierStops(t *testing.T) {
	for _, c := range []struct {
		name    string
		service trip
	}{
		{"between attempts", func(r *http.Request) (*http.Response, error) {
			return answer(r, 429, http.Header{"Retry-After": {"600"}}), nil
		}},
		{"during one", func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const patience = 10 * time.Second
				began := time.Now()
				stopping, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				r := retry(t, stopping, "[{}]", nil, false, c.service)
				if waited := time.Since(began); r.last != cancelled || waited != patience {
					t.Errorf("outcome %d after %s", r.last, waited)
				}
				r = retry(t, stopping, "[{}]", nil, false, func(*http.Request) (*http.Response, error) {
					t.Error("a request after the end")
					return nil, stopping.Err()
				})
				if r.last != cancelled {
					t.Errorf("after the end, outcome %d", r.last)
				}
			})
		})
	}
}

func TestRetrierOnBadRequest(t *testing.T) {
	zip := func(s string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = io.WriteString(w, s)
		_ = w.Close()
		return b.String()
	}
	zipped := http.Header{"Content-Encoding": {"gzip"}}
	for _, c := range []struct {
		name     string
		body     string
		header   http.Header
		cautious bool
		want     outcome
		requests int
	}{
		{"valid", `[{"a": 1}]`, nil, false, refused, 2},
		{"invalid", `[{"a": NaN}]`, nil, false, invalid, 1},
		{"valid, compressed", zip(`[{"a": 1}]`), zipped, false, refused, 2},
		{"invalid, compressed", zip(`[{"a": NaN}]`), zipped, false, invalid, 1},
		{"valid, looked at", `[{"a": 1}]`, nil, true, refused, 2},
		{"invalid, looked at", `[{"a": NaN}]`, nil, true, invalid, 0},
		{"invalid UTF-8", "[{\"a\": \"\xff\"}]", nil, false, invalid, 1},
		{"not what it says it is", `[{"a": NaN}]`, zipped, false, refused, 2},
	} {
		requests := 0
		r := retry(t, t.Context(), c.body, c.header, c.cautious, func(r *http.Request) (*http.Response, error) {
			requests++
			return answer(r, http.StatusBadRequest, nil), nil
		})
		if r.last != c.want || requests != c.requests {
			t.Errorf("%s: outcome %d after %d requests", c.name, r.last, requests)
		}
	}
}

func TestKeepMethod(t *testing.T) {
	post, get := &http.Request{Method: http.MethodPost}, &http.Request{Method: http.MethodGet}
	own := errors.New("the client's own policy")
	for _, c := range []struct {
		name    string
		next    func(*http.Request, []*http.Request) error
		request *http.Request
		via     int
		want    error
	}{
		{"followed", nil, post, 1, nil},
		{"turned into a GET", nil, get, 1, http.ErrUseLastResponse},
		{"own policy", func(*http.Request, []*http.Request) error { return own }, post, 1, own},
		{"own policy and a GET", func(*http.Request, []*http.Request) error { return nil }, get, 1, http.ErrUseLastResponse},
	} {
		via := make([]*http.Request, c.via)
		for i := range via {
			via[i] = post
		}
		if err := keepMethod(c.next)(c.request, via); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	endless := make([]*http.Request, maxRedirects)
	endless[0] = post
	if keepMethod(nil)(post, endless) == nil {
		t.Error("redirects without end are followed")
	}
}
