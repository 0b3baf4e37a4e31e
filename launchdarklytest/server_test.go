package launchdarklytest_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

func TestConfigUsesTheServerForAllEndpoints(t *testing.T) {
	box := newBox(t)
	config := box.Config()
	for name, got := range map[string]string{
		"Streaming": config.ServiceEndpoints.Streaming,
		"Polling":   config.ServiceEndpoints.Polling,
		"Events":    config.ServiceEndpoints.Events,
	} {
		if got != box.URL() {
			t.Errorf("%s: got %q, want %q", name, got, box.URL())
		}
	}
	if config.Events != nil {
		t.Error("Events is set")
	}
	if !config.DiagnosticOptOut {
		t.Error("diagnostics are on")
	}
	config.ServiceEndpoints.Events = "elsewhere"
	if box.Config().ServiceEndpoints.Events != box.URL() {
		t.Error("two calls of Config share memory")
	}
}

func TestReadsEventsAfterClose(t *testing.T) {
	box := launchdarklytest.NewServer()
	client := newHTTPClient(t)
	post{body: `[{"kind":"custom","key":"a"}]`}.status(t, client, box)
	box.Close()
	box.Close()
	if events := box.Events(); len(events) != 1 || events[0].Key != "a" {
		t.Errorf("got %v", events)
	}
	box.SetValue("flag", true)
	box.DropStreams()
	if _, err := box.WaitForEvents(context.Background(), 2, nil); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("got %v", err)
	}
	if err := box.WaitForEventCount(context.Background(), 1); err != nil {
		t.Errorf("waiting for accepted events fails: %v", err)
	}
}

func TestDiagnosticsNeedTheSDKKey(t *testing.T) {
	box := newBox(t)
	client := newHTTPClient(t)
	status := func(key string) int {
		request, err := http.NewRequestWithContext(testContext(t), http.MethodPost,
			box.URL()+"/diagnostic", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", key)
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response.StatusCode
	}
	if got := status(box.SDKKey()); got != http.StatusAccepted {
		t.Errorf("got %d", got)
	}
	if got := status("other"); got != http.StatusUnauthorized {
		t.Errorf("got %d", got)
	}
	if len(box.Requests()) != 0 {
		t.Error("a diagnostic request is listed as an event request")
	}
}

func TestRejectsUnknownPathsAndMethods(t *testing.T) {
	box := newBox(t)
	client := newHTTPClient(t)
	for _, tc := range []struct {
		method, path string
		want         int
	}{
		{http.MethodGet, "/", http.StatusNotFound},
		{http.MethodPost, "/mobile", http.StatusNotFound},
		{http.MethodGet, launchdarklytest.EventsPath, http.StatusMethodNotAllowed},
		{http.MethodPost, launchdarklytest.StreamPath, http.StatusMethodNotAllowed},
	} {
		request, err := http.NewRequestWithContext(testContext(t), tc.method, box.URL()+tc.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != tc.want {
			t.Errorf("%s %s: got %d, want %d", tc.method, tc.path, response.StatusCode, tc.want)
		}
	}
}

func TestRejectsOtherSDKKeys(t *testing.T) {
	box := newBox(t)
	config := box.Config()
	config.Events = ldcomponents.NoEvents()
	client, err := ld.MakeCustomClient("sdk-other", config, deadline)
	if !errors.Is(err, ld.ErrInitializationFailed) {
		t.Errorf("got %v", err)
	}
	_ = client.Close()
	requests := box.StreamRequests()
	if len(requests) != 1 || requests[0].Status != http.StatusUnauthorized || requests[0].Path != launchdarklytest.StreamPath {
		t.Errorf("got %+v", requests)
	}
}

func TestStringShowsTheNewestRequestsAndEvents(t *testing.T) {
	box := newBox(t)
	client := newHTTPClient(t)
	post{id: "1", body: `[{"kind":"custom","key":"first"}]`}.status(t, client, box)
	post{id: "1", body: `[{"kind":"custom","key":"first"}]`}.status(t, client, box)
	post{body: `[{"kind":"custom","key":"` + strings.Repeat("ü", 1000) + `"}]`}.status(t, client, box)
	post{body: `nonsense`}.status(t, client, box)
	text := box.String()
	for _, want := range []string{box.URL(), `{"kind":"custom","key":"first"}`, "202, duplicate", "400", "not valid JSON", "ü…"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	for range 30 {
		post{body: `[{"kind":"index"}]`}.status(t, client, box)
	}
	if text := box.String(); !strings.Contains(text, "… 12 earlier omitted") || strings.Contains(text, "first") {
		t.Errorf("got:\n%s", text)
	}
}
