// The relay example puts something between a service and LaunchDarkly: a Relay Proxy that streams flags and passes events
// on, or a Redis that a Relay Proxy fills ("daemon mode").
//
//	go run ./examples/relay                # both
//	go run ./examples/relay -mode relay
//	go run ./examples/relay -mode daemon -redis redis://127.0.0.1:6379
//
// It needs no account and no network: LaunchDarkly in a box takes LaunchDarkly's place on this machine, a reverse proxy in
// front of it that of the Relay Proxy, and a redis-server is started where no -redis is given. With the environment
// variables RELAY_URL and LAUNCHDARKLY_SDK_KEY, it talks to that Relay Proxy; the flag is "new-checkout", and in daemon
// mode the Redis is the one that the Relay Proxy fills.
//
// Start reading at configure.go: it is all that a service needs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/internal/redisserver"
)

func main() {
	var s settings
	flag.StringVar(&s.mode, "mode", "both", "relay, daemon or both")
	flag.StringVar(&s.redisURL, "redis", "", "the `URL` of a Redis; without it, a redis-server is started")
	flag.Parse()
	s.relayURL, s.sdkKey = os.Getenv("RELAY_URL"), os.Getenv("LAUNCHDARKLY_SDK_KEY")

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, os.Stdout, s); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// settings are what the command line and the environment say.
type settings struct {
	mode     string
	redisURL string
	relayURL string
	sdkKey   string
}

func run(ctx context.Context, out io.Writer, s settings) error {
	if (s.relayURL == "") != (s.sdkKey == "") {
		return errors.New("RELAY_URL and LAUNCHDARKLY_SDK_KEY go together")
	}
	relay := startRelay(s)
	defer relay.close()
	fmt.Fprintln(out, relay.introduction())
	switch s.mode {
	case "relay":
		return relayMode(ctx, out, relay)
	case "daemon":
		return daemonMode(ctx, out, relay, s.redisURL)
	case "both":
		return errors.Join(relayMode(ctx, out, relay), daemonMode(ctx, out, relay, s.redisURL))
	default:
		return fmt.Errorf("-mode is relay, daemon or both, not %q", s.mode)
	}
}

// relayMode is a service behind a Relay Proxy.
func relayMode(ctx context.Context, out io.Writer, relay *relay) error {
	fmt.Fprintln(out, "\nRelay Proxy")
	service, err := startService(ctx, "behind-relay", relay.sdkKey, viaRelay(relay.url))
	if err != nil {
		return err
	}
	defer service.provider.Shutdown()

	fmt.Fprintf(out, "  the service evaluates new-checkout: %t\n", service.newCheckout(ctx))
	service.client.Track(ctx, "checkout", user(), openfeature.NewTrackingEventDetails(99.90))
	if err := service.provider.Flush(ctx); err != nil {
		return err
	}
	fmt.Fprintln(out, "  the service tracks a checkout; the relay has accepted it")
	relay.show(out)
	return nil
}

// daemonMode is services that read flags from a Redis.
func daemonMode(ctx context.Context, out io.Writer, relay *relay, redisURL string) error {
	fmt.Fprintln(out, "\nDaemon mode")
	if redisURL == "" {
		server, err := redisserver.Start(ctx)
		if errors.Is(err, redisserver.ErrNotInstalled) {
			fmt.Fprintf(out, "  skipped: %v, and no -redis is given\n", err)
			return nil
		}
		if err != nil {
			return err
		}
		defer server.Stop()
		redisURL = server.URL()
	}
	store := inRedis(redisURL)

	var feed *service
	if relay.box != nil { // a real Relay Proxy fills Redis itself
		var err error
		if feed, err = startService(ctx, "feeder", relay.sdkKey, feeder(store, relay.endpoints())); err != nil {
			return err
		}
		defer feed.provider.Shutdown()
		fmt.Fprintln(out, "  the feeder streams flags into Redis")
	}

	readers := make([]*service, 2)
	for i := range readers {
		reader, err := startService(ctx, fmt.Sprintf("reader-%d", i+1), relay.sdkKey, daemon(store, relay.endpoints()))
		if err != nil {
			return err
		}
		defer reader.provider.Shutdown()
		readers[i] = reader
		fmt.Fprintf(out, "  %s evaluates new-checkout: %t\n", reader.name, reader.newCheckout(ctx))
	}
	if feed == nil {
		return nil
	}

	relay.turnOff("new-checkout")
	fmt.Fprintln(out, "  somebody turns new-checkout off")
	for _, reader := range readers {
		if err := reader.await(ctx, false); err != nil {
			return err
		}
		fmt.Fprintf(out, "  %s evaluates new-checkout: false\n", reader.name)
	}

	feed.provider.Shutdown()
	relay.cut()
	fmt.Fprintln(out, "  the feeder ends, and LaunchDarkly serves no flags any more")
	late, err := startService(ctx, "reader-3", relay.sdkKey, daemon(store, relay.endpoints()))
	if err != nil {
		return err
	}
	defer late.provider.Shutdown()
	details, err := late.client.BooleanValueDetails(ctx, "new-checkout", true, user())
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "  %s starts all the same, and evaluates new-checkout: %t (%s)\n",
		late.name, details.Value, details.Reason)
	return nil
}

// service is one that uses the provider. Several of them in one process have names of their own.
type service struct {
	name     string
	provider *launchdarkly.Provider
	client   *openfeature.Client
}

func startService(ctx context.Context, name, sdkKey string, config ld.Config) (*service, error) {
	provider, err := launchdarkly.NewProvider(sdkKey,
		launchdarkly.WithConfig(config),
		launchdarkly.WithLogger(slog.New(slog.DiscardHandler)), // so that the output shows only what the example prints
	)
	if err != nil {
		return nil, err
	}
	if err := openfeature.SetNamedProviderWithContextAndWait(ctx, name, provider); err != nil {
		provider.Shutdown()
		return nil, err
	}
	return &service{name: name, provider: provider, client: openfeature.NewClient(name)}, nil
}

func (s *service) newCheckout(ctx context.Context) bool {
	return s.client.Boolean(ctx, "new-checkout", false, user())
}

// await evaluates until the flag is what it has to become: nothing tells a reader that Redis has changed.
func (s *service) await(ctx context.Context, want bool) error {
	for s.newCheckout(ctx) != want {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s still has the old flag: %w", s.name, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

func user() openfeature.EvaluationContext {
	return openfeature.NewEvaluationContext("user-42", map[string]any{"plan": "gold"})
}
