package launchdarkly_test

import (
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// The README's code, which is only compiled here.
var (
	_ = readmeConfigure
	_ = readmeTest
)

func readmeConfigure(
	sdkKey string, store subsystems.ComponentConfigurer[subsystems.PersistentDataStore],
) (*launchdarkly.Provider, error) {
	provider, err := launchdarkly.NewProvider(sdkKey,
		launchdarkly.WithConfig(ld.Config{
			ServiceEndpoints: ldcomponents.RelayProxyEndpoints("http://relay:8030"),
			DataStore:        ldcomponents.PersistentDataStore(store).CacheSeconds(30),
			Events:           ldcomponents.SendEvents().PrivateAttributes("email"),
		}),
		launchdarkly.WithDelivery(delivery.WithMaxEvents(500_000)), // for longer outages
	)
	return provider, err
}

func readmeTest() (*launchdarkly.Provider, error) {
	server := launchdarklytest.NewServer()
	defer server.Close()
	server.SetValue("new-checkout", true)

	provider, err := launchdarkly.NewProvider(server.SDKKey(), launchdarkly.WithConfig(server.Config()))
	return provider, err
}
