package main

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/open-feature/go-sdk/openfeature"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

func TestReadiness(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		before func(*launchdarklytest.Server, *config) // the service starts
		after  func(*launchdarklytest.Server)          // it is ready
		states []openfeature.State                     // which one depends on the version of LaunchDarkly's SDK
		ready  bool
	}{
		{
			name:   "ready once there are flags",
			states: []openfeature.State{openfeature.ReadyState},
			ready:  true,
		},
		{
			name:   "ready with the last known flags while the connection is interrupted",
			after:  interrupt,
			states: []openfeature.State{openfeature.StaleState},
			ready:  true,
		},
		{
			name:   "ready with the last known flags after the SDK key was revoked",
			after:  revoke,
			states: []openfeature.State{openfeature.ErrorState, openfeature.StaleState},
			ready:  true,
		},
		{
			name:   "not ready while it waits for flags",
			before: func(testServer *launchdarklytest.Server, _ *config) { testServer.HoldStreams() },
			states: []openfeature.State{openfeature.NotReadyState},
		},
		{
			name: "not ready after the init timeout",
			before: func(testServer *launchdarklytest.Server, c *config) {
				testServer.HoldStreams()
				c.initTimeout = 10 * time.Millisecond
			},
			states: []openfeature.State{openfeature.ErrorState},
		},
		{
			name: "not ready with a wrong SDK key",
			before: func(_ *launchdarklytest.Server, c *config) {
				c.sdkKey = "sdk-wrong"
				c.initTimeout = 2 * time.Second
			},
			states: []openfeature.State{openfeature.FatalState, openfeature.ErrorState},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			testServer := newTestServer(t)
			c := config{sdkKey: testServer.SDKKey()}
			if test.before != nil {
				test.before(testServer, &c)
			}
			s := startUnready(t, testServer, c)
			if test.after != nil {
				s.waitForStatus("/readyz", http.StatusOK)
				test.after(testServer)
			}
			eventually(t, func() bool { return slices.Contains(test.states, s.client.State()) })
			want := map[bool]int{true: http.StatusOK, false: http.StatusServiceUnavailable}[test.ready]
			if status, body := s.request(user{}, http.MethodGet, "/readyz", ""); status != want {
				t.Errorf("/readyz: %d %s", status, body)
			}
			if status, _ := s.request(user{}, http.MethodGet, "/livez", ""); status != http.StatusOK {
				t.Errorf("/livez: %d", status)
			}
		})
	}
}

func TestFlagStatesAreLogged(t *testing.T) {
	t.Parallel()
	testServer := newTestServer(t)
	s := start(t, testServer)
	interrupt(testServer)
	eventually(t, func() bool { return len(s.logs.with(t, "flag provider")) == 2 })
	for i, want := range []string{"PROVIDER_READY", "PROVIDER_STALE"} {
		if line := s.logs.with(t, "flag provider")[i]; line["event"] != want || line["reason"] == "" {
			t.Errorf("logged %v", line)
		}
	}
}

// interrupt cuts the connection, and makes attempts to connect again fail.
func interrupt(testServer *launchdarklytest.Server) {
	testServer.RefuseStreams(http.StatusServiceUnavailable)
	testServer.DropStreams()
}

// revoke has LaunchDarkly refuse the SDK key from now on.
func revoke(testServer *launchdarklytest.Server) {
	testServer.RefuseSDKKey()
	testServer.DropStreams()
}
