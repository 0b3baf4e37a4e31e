package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/openfeature-launchdarkly/go-provider/internal/relayserver"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// relay is a Relay Proxy: either started by the example, with a launchdarklytest server, or the one
// at RELAY_URL.
type relay struct {
	url    string
	sdkKey string

	testServer *launchdarklytest.Server // nil for the relay at RELAY_URL
	server     *relayserver.Server      // likewise
}

// startRelay starts a Relay Proxy that forwards events and, if redisURL is not empty, writes flags
// to a Redis. The first run builds the program.
func startRelay(ctx context.Context, out io.Writer, s settings, redisURL string) (*relay, error) {
	if s.relayURL != "" {
		return &relay{url: s.relayURL, sdkKey: s.sdkKey}, nil
	}
	if _, err := relayserver.Path(); errors.Is(err, relayserver.ErrNotBuilt) {
		fmt.Fprintln(out, "Building LaunchDarkly's Relay Proxy for the first time. This takes a minute or two.")
	}
	if _, err := relayserver.Build(ctx); err != nil {
		return nil, err
	}
	r := &relay{testServer: launchdarklytest.NewServer(), sdkKey: launchdarklytest.ValidSDKKey}
	r.testServer.SetValue("new-checkout", true)
	options := []string{"USE_EVENTS=true", "EVENTS_CAPACITY=10000", "EVENTS_FLUSH_INTERVAL=100ms"}
	if redisURL != "" {
		options = append(options, "USE_REDIS=true", "REDIS_URL="+redisURL)
	}
	var err error
	r.server, err = relayserver.Start(ctx, relayserver.Config{SDKKey: r.sdkKey, Upstream: r.testServer.URL(), Settings: options})
	if err != nil {
		r.close()
		return nil, err
	}
	r.url = r.server.URL()
	return r, nil
}

// ours reports whether the example started the relay, and so can change flags and stop it.
func (r *relay) ours() bool { return r.testServer != nil }

// showEvents waits until LaunchDarkly receives a custom event, and prints it.
func (r *relay) showEvents(ctx context.Context, out io.Writer) error {
	events, err := r.testServer.WaitForEvents(ctx, 1, nil)
	for _, event := range events {
		fmt.Fprintf(out, "  behind the relay, LaunchDarkly receives: %s %v by %s\n",
			event.Key, *event.MetricValue, event.ContextKeys()["user"])
	}
	return err
}

func (r *relay) turnOff(flag string) { r.testServer.SetValue(flag, false) }

func (r *relay) close() {
	if r.server != nil {
		r.server.Stop()
	}
	if r.testServer != nil {
		r.testServer.Close()
	}
}
