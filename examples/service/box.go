package main

import (
	"log/slog"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// startBox starts LaunchDarkly in a box, with this service's flags. A service that always has an
// SDK key does not need this file; its tests do.
func startBox() *launchdarklytest.Server {
	box := launchdarklytest.NewServer()
	box.SetValue("accept-orders", true)
	box.SetValue("banner", "Tableware, made slowly")

	// Half of the users are in one group of the experiment, half in the other. A user stays in a
	// group.
	half := 50_000 // thousandths of a percent
	box.SetFlags(ldbuilders.NewFlagBuilder("free-shipping-from").
		On(true).
		Variations(ldvalue.Int(50), ldvalue.Int(30)).
		OffVariation(0).
		Fallthrough(ldbuilders.Experiment(ldvalue.NewOptionalInt(1), ldbuilders.Bucket(0, half), ldbuilders.Bucket(1, half))).
		Build())
	return box
}

// closeBox logs what LaunchDarkly in a box has received, and ends it.
func closeBox(box *launchdarklytest.Server, logger *slog.Logger) {
	revenue := 0.0
	purchases := box.CustomEvents(purchaseEvent)
	for _, purchase := range purchases {
		if purchase.MetricValue != nil {
			revenue += *purchase.MetricValue
		}
	}
	logger.Info("LaunchDarkly in a box has received",
		slog.Int("exposures", box.EventCount(launchdarklytest.KindFeature)),
		slog.Int("purchases", len(purchases)),
		slog.Float64("revenue", revenue))
	box.Close()
}
