// The metrics example exports delivery metrics to Prometheus, and shows them before, during and
// after an outage of LaunchDarkly's events service.
//
//	go run ./examples/metrics                        # exits after the outage
//	go run ./examples/metrics -serve localhost:9464  # runs until interrupted, for Prometheus
//
// It needs no account and no network: a launchdarklytest server replaces LaunchDarkly. Start
// reading at metrics.go, the code for a service. The Grafana dashboard dashboard.json shows the
// metrics, and the alert rules in docs/alerts.yaml use them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

func main() {
	address := flag.String("serve", "", "serve /metrics on this address until interrupted")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *address); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run starts the service and simulates customers. Without an address, it returns after an outage.
func run(ctx context.Context, out io.Writer, address string) (err error) {
	testServer := launchdarklytest.NewServer()
	defer testServer.Close()
	testServer.SetValue("new-checkout", true)

	metrics, err := newMetrics()
	if err != nil {
		return err
	}
	provider, err := launchdarkly.NewProvider(testServer.SDKKey(),
		launchdarkly.WithConfig(testServer.Config()),
		launchdarkly.WithHooks(metrics.evaluations),
		launchdarkly.WithLogger(slog.New(slog.DiscardHandler)),
	)
	if err != nil {
		return err
	}
	if err := metrics.export(provider); err != nil {
		return err
	}
	if err := openfeature.SetProviderWithContextAndWait(ctx, provider); err != nil {
		return err
	}
	defer openfeature.Shutdown()

	server, err := serve(ctx, address, metrics.handler)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	shop := shop{client: openfeature.NewDefaultClient()}
	if address != "" {
		fmt.Fprintln(out, "serving", server.url)
		simulate(ctx, testServer, shop)
		return nil
	}
	return outage(ctx, out, testServer, provider, shop, server.url)
}

// outage shows the metrics before, during and after an outage of the events service.
func outage(
	ctx context.Context, out io.Writer, testServer *launchdarklytest.Server, provider *launchdarkly.Provider,
	shop shop, url string,
) error {
	shop.sell(ctx, 1000)
	if err := provider.Flush(ctx); err != nil {
		return err
	}
	if err := show(ctx, out, "1,000 purchases are delivered", url); err != nil {
		return err
	}

	testServer.RefuseEvents(http.StatusServiceUnavailable)
	shop.sell(ctx, 500)
	short, cancel := context.WithTimeout(ctx, 1500*time.Millisecond)
	defer cancel()
	if err := provider.Flush(short); err == nil {
		return errors.New("events were delivered although the events service fails")
	}
	if err := show(ctx, out, "The events service fails; 500 purchases wait", url); err != nil {
		return err
	}

	testServer.AcceptEvents()
	if err := provider.Flush(ctx); err != nil {
		return err
	}
	return show(ctx, out, "The events service recovers: no events are lost", url)
}

// simulate sells until ctx is done. The events service fails for 30 seconds of every two minutes.
func simulate(ctx context.Context, testServer *launchdarklytest.Server, shop shop) {
	seconds := time.NewTicker(time.Second)
	defer seconds.Stop()
	for second := 0; ; second++ {
		switch second % 120 {
		case 60:
			testServer.RefuseEvents(http.StatusServiceUnavailable)
		case 90:
			testServer.AcceptEvents()
		}
		shop.sell(ctx, 20)
		testServer.ClearEvents() // to bound the memory
		select {
		case <-ctx.Done():
			return
		case <-seconds.C:
		}
	}
}

// server serves /metrics.
type server struct {
	http *http.Server
	url  string
}

// serve listens on address, or on a free loopback port if it is empty.
func serve(ctx context.Context, address string, metrics http.Handler) (*server, error) {
	if address == "" {
		address = "localhost:0"
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	s := &server{
		http: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second},
		url:  "http://" + listener.Addr().String() + "/metrics",
	}
	go func() { _ = s.http.Serve(listener) }() // until stop
	return s, nil
}

func (s *server) stop() error { return s.http.Close() }
