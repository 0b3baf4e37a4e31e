// The metrics example exports to Prometheus what happens to events, and shows it through an outage of
// LaunchDarkly's events service.
//
//	go run ./examples/metrics                        # ends by itself
//	go run ./examples/metrics -serve localhost:9464  # goes on until interrupted, for Prometheus
//
// It needs no account and no network: LaunchDarkly in a box takes LaunchDarkly's place on this
// machine. Start reading at metrics.go, which is what a service needs. The Grafana dashboard
// dashboard.json shows the metrics, and the alert rules in docs/alerts.yaml use them.
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

// run starts the service and lets customers use it. Without an address, it ends after an outage.
func run(ctx context.Context, out io.Writer, address string) (err error) {
	box := launchdarklytest.NewServer()
	defer box.Close()
	box.SetValue("new-checkout", true)

	metrics, err := newMetrics()
	if err != nil {
		return err
	}
	provider, err := launchdarkly.NewProvider(box.SDKKey(),
		launchdarkly.WithConfig(box.Config()),
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
		goOn(ctx, box, shop)
		return nil
	}
	return outage(ctx, out, box, provider, shop, server.url)
}

// outage shows the metrics before, during and after an outage of the events service.
func outage(
	ctx context.Context, out io.Writer, box *launchdarklytest.Server, provider *launchdarkly.Provider,
	shop shop, url string,
) error {
	shop.sell(ctx, 1000)
	if err := provider.Flush(ctx); err != nil {
		return err
	}
	if err := show(ctx, out, "1,000 purchases are delivered", url); err != nil {
		return err
	}

	box.RefuseEvents(http.StatusServiceUnavailable)
	shop.sell(ctx, 500)
	short, cancel := context.WithTimeout(ctx, 1500*time.Millisecond)
	defer cancel()
	if err := provider.Flush(short); err == nil {
		return errors.New("events were delivered although the events service fails")
	}
	if err := show(ctx, out, "The events service fails; 500 purchases wait", url); err != nil {
		return err
	}

	box.AcceptEvents()
	if err := provider.Flush(ctx); err != nil {
		return err
	}
	return show(ctx, out, "It is back: nothing is lost", url)
}

// goOn sells until ctx ends. The events service fails for 30 seconds of every two minutes.
func goOn(ctx context.Context, box *launchdarklytest.Server, shop shop) {
	seconds := time.NewTicker(time.Second)
	defer seconds.Stop()
	for second := 0; ; second++ {
		switch second % 120 {
		case 60:
			box.RefuseEvents(http.StatusServiceUnavailable)
		case 90:
			box.AcceptEvents()
		}
		shop.sell(ctx, 20)
		box.ClearEvents() // nobody reads them
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

// serve listens on address, or on a free port of this machine without one.
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
