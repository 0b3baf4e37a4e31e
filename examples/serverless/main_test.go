package main

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/open-feature/go-sdk/openfeature"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// TestPlatform compares the example's output.
func TestPlatform(t *testing.T) {
	var out buffer
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	const want = `
Invocation: the first purchase
  response: discount 0.25, error: <nil>
  frozen; LaunchDarkly has received 1 of its events
    purchase of 60 by user-42

Invocation: a purchase while LaunchDarkly rejects events
level=ERROR msg="events not delivered before freeze" events=1 cause="context deadline exceeded"
  response: discount 0.25, error: <nil>
  frozen; LaunchDarkly has received 0 of its events

Invocation: a purchase after that
  response: discount 0.25, error: <nil>
  frozen; LaunchDarkly has received 2 of its events
    purchase of 30 by user-43
    purchase of 15 by user-44

3 events tracked, 3 delivered
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// TestHandleDeliversBeforeItReturns checks the received events when Handle returns a response and
// an error.
func TestHandleDeliversBeforeItReturns(t *testing.T) {
	testServer, function, log := start(t)
	if _, err := function.Handle(t.Context(), Event{UserID: "user-42", Total: 80}); err != nil {
		t.Fatal(err)
	}
	if n := len(testServer.CustomEvents("purchase")); n != 1 {
		t.Errorf("%d events have arrived, want 1", n)
	}

	function.flags.Track(t.Context(), "retry", openfeature.NewEvaluationContext("user-42", nil),
		openfeature.TrackingEventDetails{})
	if _, err := function.Handle(t.Context(), Event{}); err == nil {
		t.Error("no error for an event without a user")
	}
	if n := len(testServer.CustomEvents("retry")); n != 1 {
		t.Errorf("after an error, %d events have arrived, want 1", n)
	}
	if log.String() != "" {
		t.Errorf("it logged %s", log)
	}
}

// TestHandleLogsUndeliveredEvents uses an events service that rejects all requests.
func TestHandleLogsUndeliveredEvents(t *testing.T) {
	testServer, function, log := start(t)
	testServer.RefuseEvents(http.StatusServiceUnavailable)
	defer testServer.AcceptEvents() // so that Shutdown does not block

	ctx, cancel := context.WithTimeout(t.Context(), 2*timeToAnswer)
	defer cancel()
	response, err := function.Handle(ctx, Event{UserID: "user-42", Total: 80})
	if err != nil || response.Discount != 0.25 {
		t.Errorf("got %+v, %v", response, err)
	}
	if !strings.Contains(log.String(), "events=1") {
		t.Errorf("the log does not have the number of undelivered events: %q", log)
	}
}

func start(t *testing.T) (*launchdarklytest.Server, *Function, *buffer) {
	t.Helper()
	testServer := launchdarklytest.NewServer()
	t.Cleanup(testServer.Close)
	testServer.SetValue("discount", 0.25)
	var log buffer
	function, err := NewFunction(t.Context(), testServer.SDKKey(), testServer.Config(), plainLogger(&log))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(openfeature.Shutdown)
	return testServer, function, &log
}

// buffer is a bytes.Buffer that is safe for concurrent use.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
