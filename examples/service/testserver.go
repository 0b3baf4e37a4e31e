package main

import (
	"log/slog"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// startTestServer starts a LaunchDarkly test server with the flags of this service. A service that
// always has an SDK key needs this file for its tests only.
func startTestServer() *launchdarklytest.Server {
	testServer := launchdarklytest.NewServer()
	testServer.SetValue("accept-orders", true)
	testServer.SetValue("banner", "Tableware, made slowly")

	// Half of the users are in one group of the experiment, half in the other. A user stays in a
	// group.
	half := 50_000 // thousandths of a percent
	testServer.SetFlags(ldbuilders.NewFlagBuilder("free-shipping-from").
		On(true).
		Variations(ldvalue.Int(50), ldvalue.Int(30)).
		OffVariation(0).
		Fallthrough(ldbuilders.Experiment(ldvalue.NewOptionalInt(1), ldbuilders.Bucket(0, half), ldbuilders.Bucket(1, half))).
		Build())
	return testServer
}

// closeTestServer logs what the test server has received, and closes it.
func closeTestServer(testServer *launchdarklytest.Server, logger *slog.Logger) {
	revenue := 0.0
	purchases := testServer.CustomEvents(purchaseEvent)
	for _, purchase := range purchases {
		if purchase.MetricValue != nil {
			revenue += *purchase.MetricValue
		}
	}
	logger.Info("LaunchDarkly test server: events received",
		slog.Int("exposures", testServer.EventCount(launchdarklytest.KindFeature)),
		slog.Int("purchases", len(purchases)),
		slog.Float64("revenue", revenue))
	testServer.Close()
}
