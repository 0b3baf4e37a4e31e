package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/openfeature-launchdarkly/go-provider/internal/redisserver"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// TestRelayMode reads what the example prints of a service behind a relay.
func TestRelayMode(t *testing.T) {
	output(t, settings{mode: "relay"}, `
Relay Proxy
  the service evaluates new-checkout: true
  the service tracks a checkout; the relay has accepted it
  requests through the relay: ["/all" "/bulk"]
  LaunchDarkly has received: checkout 99.9 by user-42
`)
}

// TestRelayElsewhere has a relay that the example did not start.
func TestRelayElsewhere(t *testing.T) {
	elsewhere := launchdarklytest.NewServer()
	defer elsewhere.Close()
	elsewhere.SetValue("new-checkout", true)
	output(t, settings{mode: "relay", relayURL: elsewhere.URL(), sdkKey: elsewhere.SDKKey()}, `
Relay Proxy
  the service evaluates new-checkout: true
  the service tracks a checkout; the relay has accepted it
`)
	if n := len(elsewhere.CustomEvents("checkout")); n != 1 {
		t.Errorf("%d events have arrived, want 1", n)
	}
}

// TestDaemonMode reads what the example prints of services that read from Redis.
func TestDaemonMode(t *testing.T) {
	redisserver.Require(t)
	server, err := redisserver.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	output(t, settings{mode: "daemon", redisURL: server.URL()}, `
Daemon mode
  the feeder streams flags into Redis
  reader-1 evaluates new-checkout: true
  reader-2 evaluates new-checkout: true
  somebody turns new-checkout off
  reader-1 evaluates new-checkout: false
  reader-2 evaluates new-checkout: false
  the feeder ends, and LaunchDarkly serves no flags any more
  reader-3 starts all the same, and evaluates new-checkout: false (FALLTHROUGH)
`)
}

// TestDaemonModeWithoutRedis has neither an address nor a program to start.
func TestDaemonModeWithoutRedis(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	output(t, settings{mode: "daemon"}, `
Daemon mode
  skipped: there is no redis-server in the PATH (Debian: apt-get install redis-server), and no -redis is given
`)
}

func TestSettings(t *testing.T) {
	for _, s := range []settings{
		{mode: "demon"},
		{mode: "relay", relayURL: "http://127.0.0.1:8030"},
		{mode: "relay", sdkKey: "sdk-key"},
	} {
		if err := run(t.Context(), &bytes.Buffer{}, s); err == nil {
			t.Errorf("no error for %+v", s)
		}
	}
}

// output runs the example and compares what it prints after its introduction.
func output(t *testing.T, s settings, want string) {
	t.Helper()
	var out bytes.Buffer
	if err := run(t.Context(), &out, s); err != nil {
		t.Fatalf("%v after\n%s", err, out.String())
	}
	_, got, _ := strings.Cut(out.String(), "\n")
	if got != want {
		t.Errorf("it printed\n%s\ninstead of\n%s", got, want)
	}
}
