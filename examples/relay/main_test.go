package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/testhelpers/storetest"

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
	elsewhere.SetValue("new-checkout", ldvalue.Bool(true))
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
	output(t, settings{mode: "daemon", redisURL: testRedis(t)}, `
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
  skipped: redis-server is not installed here, and no -redis is given
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

// TestStore holds the store against LaunchDarkly's own tests of persistent stores.
func TestStore(t *testing.T) {
	url := testRedis(t)
	clearData := func(prefix string) error {
		c, err := redis.DialURL(url)
		if err != nil {
			return err
		}
		defer c.Close()
		if prefix == "" {
			prefix = defaultPrefix
		}
		keys, err := redis.Values(c.Do("KEYS", prefix+":*"))
		if err != nil || len(keys) == 0 {
			return err
		}
		_, err = c.Do("DEL", keys...)
		return err
	}
	storetest.NewPersistentDataStoreTestSuite(
		func(prefix string) subsystems.ComponentConfigurer[subsystems.PersistentDataStore] {
			return redisStore(url, prefix)
		},
		clearData,
	).ErrorStoreFactory(redisStore("redis://127.0.0.1:1", ""), nil).Run(t)
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

// testRedis starts a Redis for one test. Where there is none to start, the test is skipped, other than in CI.
func testRedis(t *testing.T) string {
	t.Helper()
	url, stop, err := startRedis(context.WithoutCancel(t.Context()))
	switch {
	case errors.Is(err, errNoRedis) && os.Getenv("CI") == "":
		t.Skip("no redis-server on PATH: install Redis to run this test")
	case err != nil:
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return url
}
