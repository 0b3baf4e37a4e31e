// The relay example uses LaunchDarkly's Relay Proxy in both of its modes: proxy mode, in which it
// streams flags and forwards events, and daemon mode, in which it writes flags to a Redis.
//
//	go run ./examples/relay                # both
//	go run ./examples/relay -mode proxy
//	go run ./examples/relay -mode daemon -redis redis://127.0.0.1:6379
//
// It needs no account: a launchdarklytest server replaces LaunchDarkly. The first run builds the
// Relay Proxy, which takes a minute or two, and stores it in the user's cache directory. Daemon
// mode starts a redis-server unless -redis is set. If the environment variables RELAY_URL and
// LAUNCHDARKLY_SDK_KEY are set, the example uses that Relay Proxy. It evaluates the flag
// "new-checkout", and -redis must be the Redis that the Relay Proxy writes.
//
// Start reading at configure.go, the configuration of a service.
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
	flag.StringVar(&s.mode, "mode", "both", "proxy, daemon or both")
	flag.StringVar(&s.redisURL, "redis", "", "`URL` of a Redis; if empty, a redis-server is started")
	flag.Parse()
	s.relayURL, s.sdkKey = os.Getenv("RELAY_URL"), os.Getenv("LAUNCHDARKLY_SDK_KEY")

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute) // the Relay Proxy may have to be built
	defer cancel()
	if err := run(ctx, os.Stdout, s); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// settings holds the command-line flags and environment variables.
type settings struct {
	mode     string
	redisURL string
	relayURL string
	sdkKey   string
}

func run(ctx context.Context, out io.Writer, s settings) error {
	if s.relayURL == "" {
		s.sdkKey = "" // applies to RELAY_URL only
	} else if s.sdkKey == "" {
		return errors.New("RELAY_URL needs LAUNCHDARKLY_SDK_KEY")
	}
	switch s.mode {
	case "proxy":
		return showProxyMode(ctx, out, s)
	case "daemon":
		return showDaemonMode(ctx, out, s)
	case "both":
		if err := showProxyMode(ctx, out, s); err != nil {
			return err
		}
		fmt.Fprintln(out)
		return showDaemonMode(ctx, out, s)
	default:
		return fmt.Errorf("-mode must be proxy, daemon or both, not %q", s.mode)
	}
}

// showProxyMode runs a service behind a Relay Proxy.
func showProxyMode(ctx context.Context, out io.Writer, s settings) error {
	relay, err := startRelay(ctx, out, s, "")
	if err != nil {
		return err
	}
	defer relay.close()
	fmt.Fprintln(out, "Proxy mode")
	service, err := startService(ctx, "proxied", relay.sdkKey, proxyMode(relay.url))
	if err != nil {
		return err
	}
	defer service.provider.Shutdown()

	fmt.Fprintf(out, "  the service evaluates new-checkout: %t\n", service.newCheckout(ctx))
	service.client.Track(ctx, "checkout", user(), openfeature.NewTrackingEventDetails(99.90))
	if err := service.provider.Flush(ctx); err != nil {
		return err
	}
	fmt.Fprintln(out, "  it tracks a checkout, which the relay accepts")
	if !relay.ours() {
		return nil
	}
	if err := relay.showEvents(ctx, out); err != nil {
		return err
	}

	relay.server.Stop()
	if err := service.awaitState(ctx, openfeature.StaleState); err != nil {
		return err
	}
	fmt.Fprintf(out, "  the relay goes down: the provider is %s, and new-checkout stays %t\n",
		service.client.State(), service.newCheckout(ctx))
	relay.turnOff("new-checkout")
	if err := relay.server.Start(ctx); err != nil {
		return err
	}
	if err := errors.Join(service.awaitState(ctx, openfeature.ReadyState), service.await(ctx, false)); err != nil {
		return err
	}
	fmt.Fprintf(out, "  the relay restarts: the provider is %s, and new-checkout, turned off meanwhile, is false\n",
		service.client.State())
	return nil
}

// showDaemonMode runs services that read flags from a Redis.
func showDaemonMode(ctx context.Context, out io.Writer, s settings) error {
	redisURL := s.redisURL
	if redisURL == "" {
		server, err := redisserver.Start(ctx)
		if errors.Is(err, redisserver.ErrNotInstalled) {
			fmt.Fprintf(out, "Daemon mode\n  skipped: %v, and no -redis is given\n", err)
			return nil
		}
		if err != nil {
			return err
		}
		defer server.Stop()
		redisURL = server.URL()
	}
	relay, err := startRelay(ctx, out, s, redisURL)
	if err != nil {
		return err
	}
	defer relay.close()
	fmt.Fprintln(out, "Daemon mode")

	readers := make([]*service, 2)
	for i := range readers {
		name := fmt.Sprintf("reader-%d", i+1)
		if readers[i], err = startService(ctx, name, relay.sdkKey, daemonMode(redisURL, relay.url)); err != nil {
			return err
		}
		defer readers[i].provider.Shutdown()
		fmt.Fprintf(out, "  %s evaluates new-checkout: %t\n", name, readers[i].newCheckout(ctx))
	}
	if !relay.ours() {
		return nil
	}

	relay.turnOff("new-checkout")
	fmt.Fprintln(out, "  new-checkout is turned off, and the relay writes the change to the Redis")
	for _, reader := range readers {
		if err := reader.await(ctx, false); err != nil {
			return err
		}
		fmt.Fprintf(out, "  %s evaluates new-checkout: false\n", reader.name)
	}

	relay.server.Stop()
	fmt.Fprintln(out, "  the relay goes down")
	late, err := startService(ctx, "reader-3", relay.sdkKey, daemonMode(redisURL, relay.url))
	if err != nil {
		return err
	}
	defer late.provider.Shutdown()
	details, err := late.client.BooleanValueDetails(ctx, "new-checkout", true, user())
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "  %s starts anyway, and evaluates new-checkout: %t (%s)\n",
		late.name, details.Value, details.Reason)
	return relay.server.Start(ctx) // to accept the events of the services at shutdown
}

// service is a service with its own provider. Several share the process, each with its own
// OpenFeature domain.
type service struct {
	name     string
	provider *launchdarkly.Provider
	client   *openfeature.Client
}

func startService(ctx context.Context, name, sdkKey string, config ld.Config) (*service, error) {
	provider, err := launchdarkly.NewProvider(sdkKey,
		launchdarkly.WithConfig(config),
		launchdarkly.WithLogger(slog.New(slog.DiscardHandler)), // print only the example's output
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

// await waits until the flag has the value. It polls, because a reader is not notified of changes.
func (s *service) await(ctx context.Context, want bool) error {
	return until(ctx, func() bool { return s.newCheckout(ctx) == want })
}

// awaitState waits until the provider has the state.
func (s *service) awaitState(ctx context.Context, want openfeature.State) error {
	return until(ctx, func() bool { return s.client.State() == want })
}

func until(ctx context.Context, done func() bool) error {
	for !done() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

func user() openfeature.EvaluationContext {
	return openfeature.NewEvaluationContext("user-42", map[string]any{"plan": "gold"})
}
