package delivery

import (
	"context"
	"errors"
	"net/http"
	"testing"
)

func TestObserver(t *testing.T) {
	reset := errors.New("connection reset")
	for _, c := range []struct {
		name     string
		attempts []any // an error, a status, or where it is redirected to
		want     observed
	}{
		{"accepted", []any{202}, observed{1, 1, 0}},
		{"first of two", []any{503}, observed{1, 0, 0}},
		{"bad request, which the sender tries again", []any{400}, observed{1, 0, 0}},
		{"an error, then accepted", []any{reset, 202}, observed{1, 1, 0}},
		{"twice", []any{503, reset}, observed{1, 1, 1}},
		{"for good", []any{401}, observed{1, 1, 1}},
		{"too large", []any{413}, observed{1, 1, 1}},
		{"redirected", []any{"/there", 202}, observed{1, 1, 0}},
		{"redirected at the last attempt", []any{503, "/there"}, observed{1, 0, 0}},
		{"redirected at the last attempt, then accepted", []any{503, "/there", 202}, observed{1, 1, 0}},
		{"redirected at the last attempt, then not", []any{503, "/there", 503}, observed{1, 1, 1}},
		{"redirected to nowhere", []any{503, 307}, observed{1, 1, 1}},
		{"redirected without the events", []any{302, 302}, observed{1, 1, 1}},
		{"redirected and failed, which leaves one attempt", []any{"/there", 503}, observed{1, 0, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := 0
			o := newObserver(t.Context(), trip(func(r *http.Request) (*http.Response, error) {
				n++
				switch a := c.attempts[n-1].(type) {
				case error:
					return nil, a
				case string:
					return answer(r, http.StatusTemporaryRedirect, http.Header{"Location": {a}}), nil
				default:
					return answer(r, a.(int), nil), nil
				}
			}))
			var last *http.Response
			for range c.attempts {
				request, _ := http.NewRequest(http.MethodPost, "http://events.test/bulk", nil)
				request.Header.Set("X-LaunchDarkly-Payload-ID", "id")
				if last != nil && last.Header.Get("Location") != "" {
					request.Response = last
				}
				last, _ = o.RoundTrip(request)
			}
			if got := o.observed(); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if o.settled(1) != (c.want.ended == 1) || !o.settled(0) {
				t.Errorf("settled: %v", o.settled(1))
			}
			select {
			case <-o.changed:
			default:
				if c.want.ended > 0 {
					t.Error("nobody heard of the end")
				}
			}
		})
	}
}

func TestObserverStopped(t *testing.T) {
	stopped, stop := context.WithCancel(t.Context())
	stop()
	o := newObserver(stopped, nil)
	request, _ := http.NewRequest(http.MethodPost, "http://events.test/bulk", nil)
	request.Header.Set("X-LaunchDarkly-Payload-ID", "id")
	response, err := o.RoundTrip(request)
	if err != nil || response.StatusCode != http.StatusAccepted {
		t.Errorf("got %v, %v", response, err)
	}
	if got := o.observed(); got.lost != 1 || got.ended != 1 {
		t.Errorf("got %+v", got)
	}
}

// TestObserverOfSeveral has payloads under way at once, which end in another order.
func TestObserverOfSeveral(t *testing.T) {
	status := http.StatusServiceUnavailable
	o := newObserver(t.Context(), trip(func(r *http.Request) (*http.Response, error) { return answer(r, status, nil), nil }))
	attempt := func(id string) {
		request, _ := http.NewRequest(http.MethodPost, "http://events.test/bulk", nil)
		request.Header.Set("X-LaunchDarkly-Payload-ID", id)
		_, _ = o.RoundTrip(request)
	}
	attempt("a")
	attempt("b")
	status = http.StatusAccepted
	attempt("b")
	if o.settled(1) || o.settled(2) {
		t.Error("the first is still under way")
	}
	attempt("a")
	if got := o.observed(); !o.settled(2) || got != (observed{begun: 2, ended: 2}) {
		t.Errorf("got %+v", got)
	}
	status = http.StatusServiceUnavailable
	attempt("c")
	o.abandon(3)
	if got := o.observed(); !o.settled(3) || got != (observed{begun: 3, ended: 3, lost: 1}) {
		t.Errorf("got %+v", got)
	}
}

// TestObserverOfALateAnswer has the only attempt at a payload answered after nobody waits for it any more.
func TestObserverOfALateAnswer(t *testing.T) {
	var o *observer
	o = newObserver(t.Context(), trip(func(r *http.Request) (*http.Response, error) {
		o.abandon(1)
		return answer(r, http.StatusAccepted, nil), nil
	}))
	request, _ := http.NewRequest(http.MethodPost, "http://events.test/bulk", nil)
	request.Header.Set("X-LaunchDarkly-Payload-ID", "id")
	_, _ = o.RoundTrip(request)
	if got := o.observed(); got != (observed{begun: 1, ended: 1, lost: 1}) {
		t.Errorf("got %+v", got)
	}
}
