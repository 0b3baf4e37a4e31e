package main

import (
	"bytes"
	"testing"

	"github.com/openfeature-launchdarkly/go-provider/internal/redisserver"
	"github.com/openfeature-launchdarkly/go-provider/internal/relayserver"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// TestProxyMode compares the output in proxy mode.
func TestProxyMode(t *testing.T) {
	relayserver.Require(t)
	output(t, settings{mode: "proxy"}, `Proxy mode
  the service evaluates new-checkout: true
  it tracks a checkout, which the relay accepts
  behind the relay, LaunchDarkly receives: checkout 99.9 by user-42
  the relay goes down: the provider is STALE, and new-checkout stays true
  the relay restarts: the provider is READY, and new-checkout, turned off meanwhile, is false
`)
}

// TestRelayURL uses a relay that the example does not start.
func TestRelayURL(t *testing.T) {
	relayserver.Require(t)
	testServer := launchdarklytest.NewServer()
	defer testServer.Close()
	testServer.SetValue("new-checkout", true)
	relay, err := relayserver.Start(t.Context(), relayserver.Config{
		SDKKey: testServer.SDKKey(), Upstream: testServer.URL(),
		Settings: []string{"USE_EVENTS=true", "EVENTS_FLUSH_INTERVAL=10ms"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer relay.Stop()
	output(t, settings{mode: "proxy", relayURL: relay.URL(), sdkKey: testServer.SDKKey()}, `Proxy mode
  the service evaluates new-checkout: true
  it tracks a checkout, which the relay accepts
`)
	if _, err := testServer.WaitForEvents(t.Context(), 1, nil); err != nil {
		t.Error(err)
	}
}

// TestDaemonMode compares the output in daemon mode.
func TestDaemonMode(t *testing.T) {
	relayserver.Require(t)
	redisserver.Require(t)
	server, err := redisserver.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	output(t, settings{mode: "daemon", redisURL: server.URL()}, `Daemon mode
  reader-1 evaluates new-checkout: true
  reader-2 evaluates new-checkout: true
  new-checkout is turned off, and the relay writes the change to the Redis
  reader-1 evaluates new-checkout: false
  reader-2 evaluates new-checkout: false
  the relay goes down
  reader-3 starts anyway, and evaluates new-checkout: false (FALLTHROUGH)
`)
}

func TestDaemonModeIsSkippedWithoutRedis(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	output(t, settings{mode: "daemon"}, `Daemon mode
  skipped: there is no redis-server in the PATH (Debian: apt-get install redis-server), and no -redis is given
`)
}

func TestRejectsInvalidSettings(t *testing.T) {
	for _, s := range []settings{
		{mode: "demon"},
		{mode: "proxy", relayURL: "http://127.0.0.1:8030"},
	} {
		if err := run(t.Context(), &bytes.Buffer{}, s); err == nil {
			t.Errorf("no error for %+v", s)
		}
	}
}

// output runs the example and compares its output.
func output(t *testing.T, s settings, want string) {
	t.Helper()
	var out bytes.Buffer
	if err := run(t.Context(), &out, s); err != nil {
		t.Fatalf("%v after\n%s", err, out.String())
	}
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
