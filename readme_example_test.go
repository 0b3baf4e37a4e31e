package launchdarkly_test

import (
	"context"
	"errors"
	"log/slog"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/hooks"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// The code of the README. It is compiled here; what it does is tested elsewhere.
var (
	_ = readmeConfigure
	_ = readmeHooks
	_ = readmeTest
)

func readmeConfigure(
	sdkKey string, store subsystems.ComponentConfigurer[subsystems.PersistentDataStore], alert func(error),
) (*launchdarkly.Provider, error) {
	provider, err := launchdarkly.NewProvider(sdkKey,
		launchdarkly.WithConfig(ld.Config{
			ServiceEndpoints: ldcomponents.RelayProxyEndpoints("http://relay:8030"),
			DataStore:        ldcomponents.PersistentDataStore(store).CacheSeconds(30),
			Events:           ldcomponents.SendEvents().PrivateAttributes("email"),
		}),
		launchdarkly.WithDelivery(delivery.WithMaxEvents(500_000)), // through a longer outage
		launchdarkly.WithErrorHandler(func(_ context.Context, err error) {
			if errors.Is(err, delivery.ErrQueueFull) {
				alert(err)
			}
		}),
	)
	return provider, err
}

func readmeHooks() {
	openfeature.AddHooks(hooks.NewEvaluationHook(hooks.NewSlogSink(slog.Default(), slog.LevelInfo)))
}

func readmeTest() (*launchdarkly.Provider, error) {
	server := launchdarklytest.NewServer()
	defer server.Close()
	server.SetValue("new-checkout", true)

	provider, err := launchdarkly.NewProvider(server.SDKKey(), launchdarkly.WithConfig(server.Config()))
	return provider, err
}
