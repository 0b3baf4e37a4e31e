package launchdarklytest_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// canceledContext returns a context that is done, with the cause errCanceled.
func canceledContext() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errCanceled)
	return ctx
}

var errCanceled = errors.New("canceled by the test")

func TestWaitForEvents(t *testing.T) {
	box := newBox(t)
	client := newHTTPClient(t)
	post{body: `[{"kind":"index"},{"kind":"custom","key":"a"},{"kind":"custom","key":"b"}]`}.status(t, client, box)

	// Events that have arrived are returned even if the context is done.
	if events, err := box.WaitForEvents(canceledContext(), 2, nil); err != nil || keys(events) != "a b" {
		t.Errorf("got %v, %v", events, err)
	}
	for _, n := range []int{0, -1} {
		if events, err := box.WaitForEvents(canceledContext(), n, nil); err != nil || keys(events) != "a b" {
			t.Errorf("got %v, %v", events, err)
		}
	}
	isB := func(e launchdarklytest.Event) bool { return e.Key == "b" && box.EventCount() > 0 }
	if events, err := box.WaitForEvents(canceledContext(), 1, isB); err != nil || keys(events) != "b" {
		t.Errorf("got %v, %v", events, err)
	}

	events, err := box.WaitForEvents(canceledContext(), 3, nil)
	if !errors.Is(err, errCanceled) || keys(events) != "a b" {
		t.Errorf("got %v, %v", events, err)
	}
	for _, want := range []string{"waited for 3", "got 2", `"key":"b"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
}

func TestWaitForEventsCallsMatchOncePerEvent(t *testing.T) {
	box := newBox(t)
	client := newHTTPClient(t)
	post{body: oneEvent}.status(t, client, box)
	calls := 0
	events, err := box.WaitForEvents(testContext(t), 3, func(launchdarklytest.Event) bool {
		calls++
		if calls < 3 { // each event triggers the next
			post{body: oneEvent}.status(t, client, box)
		}
		return true
	})
	if err != nil || len(events) != 3 || calls != 3 {
		t.Errorf("got %v, %v after %d calls", events, err, calls)
	}
}

func TestClearEventsWhileWaiting(t *testing.T) {
	box := newBox(t)
	client := newHTTPClient(t)
	post{body: `[{"kind":"custom","key":"old"}]`}.status(t, client, box)
	cleared := false
	events, err := box.WaitForEvents(testContext(t), 2, func(launchdarklytest.Event) bool {
		if !cleared {
			cleared = true
			box.ClearEvents()
			post{body: `[{"kind":"custom","key":"new"},{"kind":"custom","key":"newer"}]`}.status(t, client, box)
		}
		return true
	})
	if err != nil || keys(events) != "new newer" {
		t.Errorf("got %v, %v", events, err)
	}
}

func TestWaitForEventCount(t *testing.T) {
	box := newBox(t)
	client := newHTTPClient(t)
	done := make(chan error, 1)
	go func() { done <- box.WaitForEventCount(testContext(t), 2, launchdarklytest.KindCustom) }()
	post{body: oneEvent}.status(t, client, box)
	post{body: oneEvent}.status(t, client, box)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := box.WaitForEventCount(canceledContext(), 2); err != nil {
		t.Error(err)
	}
	err := box.WaitForEventCount(canceledContext(), 3)
	if !errors.Is(err, errCanceled) || !strings.Contains(err.Error(), "got 2") {
		t.Errorf("got %v", err)
	}
}

func TestWaitForRequests(t *testing.T) {
	box := newBox(t)
	client := newHTTPClient(t)
	_, _ = poll(t, client, box, "")
	post{body: oneEvent}.status(t, client, box)
	post{body: `nonsense`}.status(t, client, box)
	if requests, err := box.WaitForRequests(canceledContext(), 2, nil); err != nil || len(requests) != 2 {
		t.Errorf("got %v, %v", requests, err)
	}
	polls := func(r launchdarklytest.Request) bool {
		return r.Path == launchdarklytest.PollPath && box.Streams() == 0
	}
	if requests, err := box.WaitForRequests(canceledContext(), 1, polls); err != nil || len(requests) != 1 {
		t.Errorf("got %v, %v", requests, err)
	}
	requests, err := box.WaitForRequests(canceledContext(), 3, nil)
	if !errors.Is(err, errCanceled) || len(requests) != 2 || !strings.Contains(err.Error(), "400") {
		t.Errorf("got %v, %v", requests, err)
	}
}

func TestWaitForStreams(t *testing.T) {
	box := newBox(t)
	if err := box.WaitForStreams(canceledContext(), 0); err != nil {
		t.Error(err)
	}
	if err := box.WaitForStreams(canceledContext(), 1); !errors.Is(err, errCanceled) {
		t.Errorf("got %v", err)
	}
	one, two := newClient(t, box), newClient(t, box)
	if err := box.WaitForStreams(canceledContext(), 2); err != nil {
		t.Error(err)
	}
	if err := box.WaitForStreams(canceledContext(), 0); !errors.Is(err, errCanceled) {
		t.Errorf("got %v", err)
	}
	_ = one.Close()
	_ = two.Close()
	if err := box.WaitForStreams(testContext(t), 0); err != nil {
		t.Error(err)
	}
}
