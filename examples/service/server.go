package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
)

const (
	// drainTimeout bounds the end of active requests at shutdown. See deliveryTimeout.
	drainTimeout = 10 * time.Second
	maxBodyBytes = 64 << 10
)

// service holds what request handlers need.
type service struct {
	client   *openfeature.Client
	provider *launchdarkly.Provider
	metrics  http.Handler
	logger   *slog.Logger
}

// handler returns the routes of the service. Health checks and metrics need no user and are not
// logged.
func (s *service) handler() http.Handler {
	api := http.NewServeMux()
	api.Handle("GET /products", withUser(s.listProducts))
	api.Handle("POST /orders", withUser(s.placeOrder))

	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", s.live)
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("GET /metrics", s.metrics)
	mux.Handle("/", withFlags(s.client, logRequests(s.logger, api)))
	return http.MaxBytesHandler(mux, maxBodyBytes)
}

// serve handles requests until ctx is done. It then accepts no more, and returns when the active
// ones are finished, or with an error after drainTimeout.
func serve(ctx context.Context, listener net.Listener, s *service) error {
	server := &http.Server{
		Handler:           s.handler(),
		ErrorLog:          slog.NewLogLogger(s.logger.Handler(), slog.LevelError),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       time.Minute,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	return server.Shutdown(ctx)
}
