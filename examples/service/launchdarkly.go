package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
)

// deliveryTimeout bounds the delivery of events at shutdown. Together with drainTimeout, it is less
// than the 30 seconds that Kubernetes allows between SIGTERM and SIGKILL.
const deliveryTimeout = 15 * time.Second

// newProvider returns the OpenFeature provider for LaunchDarkly, and adds its evaluations and its
// delivery of events to the metrics.
func newProvider(c config, m *metrics, logger *slog.Logger) (*launchdarkly.Provider, error) {
	provider, err := launchdarkly.NewProvider(c.sdkKey,
		launchdarkly.WithConfig(c.launchDarkly),
		launchdarkly.WithInitTimeout(c.initTimeout),
		launchdarkly.WithDelivery(delivery.WithSpool(c.spool)),
		launchdarkly.WithLogger(logger),
		launchdarkly.WithHooks(m.evaluations),
	)
	if err != nil {
		return nil, err
	}
	if err := m.export(provider); err != nil {
		provider.Shutdown()
		return nil, err
	}
	return provider, nil
}

// logFlagStates logs when flags become ready, stale or unavailable, with LaunchDarkly's reason.
func logFlagStates(client *openfeature.Client, logger *slog.Logger) {
	for event, level := range map[openfeature.EventType]slog.Level{
		openfeature.ProviderReady: slog.LevelInfo,
		openfeature.ProviderStale: slog.LevelWarn,
		openfeature.ProviderError: slog.LevelError,
	} {
		log := func(details openfeature.EventDetails) {
			logger.Log(context.Background(), level, "flag provider",
				slog.String("event", string(event)), slog.String("reason", details.Message))
		}
		client.AddHandler(event, &log)
	}
}

// deliver shuts OpenFeature down, which delivers the tracked events, and logs the result. It runs
// after ctx is done.
func deliver(ctx context.Context, provider *launchdarkly.Provider, logger *slog.Logger) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deliveryTimeout)
	defer cancel()
	err := openfeature.ShutdownWithContext(ctx)
	stats := provider.Stats()
	logger.InfoContext(ctx, "events",
		slog.Uint64("tracked", stats.Tracked),
		slog.Uint64("delivered", stats.Delivered),
		slog.Uint64("onDisk", stats.OnDisk),
		slog.Uint64("dropped", stats.Dropped.Total()))
	return err
}
