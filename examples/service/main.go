// The service example is an HTTP service with feature flags, to copy from: configuration from the
// environment, structured logs, health checks, metrics, each request's user as evaluation context,
// an experiment with tracked revenue, and graceful shutdown.
//
//	go run ./examples/service
//
// It serves http://localhost:8080 until it receives an interrupt (Ctrl+C) or SIGTERM. With
// LAUNCHDARKLY_SDK_KEY, it uses LaunchDarkly. Without it, it needs no account and no network: a
// launchdarklytest server in the same process replaces LaunchDarkly.
//
// Start reading at run. README.md has a walk-through and the list of files.
package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/open-feature/go-sdk/openfeature"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := run(ctx, os.Getenv, os.Stderr); err != nil {
		newLogger(os.Stderr, slog.LevelInfo).Error("service failed", slog.Any("error", err))
		os.Exit(1)
	}
}

// run serves until ctx is done, and then delivers the tracked events. It returns an error if the
// service cannot start, or if requests remain unfinished or events undelivered.
func run(ctx context.Context, getenv func(string) string, logs io.Writer) error {
	cfg, err := loadConfig(getenv)
	if err != nil {
		return err
	}
	logger := newLogger(logs, cfg.logLevel)

	if cfg.sdkKey == "" { // for trying it out: delete this in a service that always has a key
		logger.WarnContext(ctx, "LAUNCHDARKLY_SDK_KEY is not set: a test server replaces LaunchDarkly")
		testServer := startTestServer()
		defer closeTestServer(testServer, logger)
		cfg.sdkKey, cfg.launchDarkly = testServer.SDKKey(), testServer.Config()
	}

	listener, err := net.Listen("tcp", cfg.listenAddress)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // serve closes it, too

	m, err := newMetrics()
	if err != nil {
		return err
	}
	provider, err := newProvider(cfg, m, logger)
	if err != nil {
		return err
	}
	client := openfeature.NewDefaultClient()
	logFlagStates(client, logger)
	// The registration does not wait for flags, so that health checks work meanwhile: /readyz
	// reports when there are flags.
	if err := openfeature.SetProviderWithContext(ctx, provider); err != nil {
		return errors.Join(err, provider.ShutdownWithContext(ctx))
	}

	logger.InfoContext(ctx, "listening", slog.String("address", listener.Addr().String()))
	s := &service{client: client, provider: provider, metrics: m.handler, logger: logger}
	err = serve(ctx, listener, s)
	// Deliver after the last request, which may have tracked events.
	return errors.Join(err, deliver(ctx, provider, logger))
}

// newLogger returns a logger that writes a JSON object per line.
func newLogger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
}
