package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// shop reads orders, one per line, until the end of its input, and tracks them.
func shop(ctx context.Context, in io.Reader, out io.Writer, url, directory string) error {
	provider, err := launchdarkly.NewProvider(launchdarklytest.ValidSDKKey,
		launchdarkly.WithDelivery(delivery.WithSpool(directory)),
		launchdarkly.WithConfig(ld.Config{ // for the test server only
			Logging:          ldcomponents.NoLogging(),
			ServiceEndpoints: interfaces.ServiceEndpoints{Streaming: url, Polling: url, Events: url},
		}),
		launchdarkly.WithLogger(slog.New(slog.DiscardHandler)),
	)
	if err != nil {
		return err
	}
	if err := openfeature.SetProviderAndWait(provider); err != nil {
		return err
	}
	client := openfeature.NewDefaultClient()
	orders := bufio.NewScanner(in)
	for orders.Scan() {
		var customer string
		var value float64
		if _, err := fmt.Sscan(orders.Text(), &customer, &value); err != nil {
			return err
		}
		client.Track(ctx, "order", openfeature.NewEvaluationContext(customer, nil),
			openfeature.NewTrackingEventDetails(value))
		fmt.Fprintf(out, "%s orders for %.2f\n", customer, value)
	}
	if err := provider.ShutdownWithContext(ctx); err != nil {
		return err
	}
	stats := provider.Stats()
	fmt.Fprintf(out, "The shop has delivered %d of its own orders and %d of the previous shop.\n", stats.Tracked, stats.Adopted)
	return nil
}
