package main

import (
	ldredis "github.com/launchdarkly/go-server-sdk-redis-redigo/v3"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
)

// viaRelay has flags streamed from a Relay Proxy, and sends events to it, which passes them on. The relay must be
// configured to do so; ldcomponents.RelayProxyEndpointsWithoutEvents leaves events to LaunchDarkly itself.
func viaRelay(relayURL string) ld.Config {
	return ld.Config{
		ServiceEndpoints: ldcomponents.RelayProxyEndpoints(relayURL),
	}
}

// inRedis returns LaunchDarkly's store of flags in Redis, with the default prefix of its keys.
func inRedis(url string) subsystems.ComponentConfigurer[subsystems.PersistentDataStore] {
	return ldredis.DataStore().URL(url)
}

// daemon reads flags from a store that somebody else fills, a Relay Proxy most often, and connects to nobody for them.
// Events go to LaunchDarkly, or to the endpoints given. In place of NoCaching, a service has CacheSeconds: it saves most
// look-ups, and a changed flag arrives so much later.
//
// In this mode, the provider is ready at once, also while the store is empty, and OpenFeature hears of no changed flags:
// nobody tells LaunchDarkly's SDK.
func daemon(
	store subsystems.ComponentConfigurer[subsystems.PersistentDataStore], endpoints interfaces.ServiceEndpoints,
) ld.Config {
	return ld.Config{
		DataSource:       ldcomponents.ExternalUpdatesOnly(),
		DataStore:        ldcomponents.PersistentDataStore(store).NoCaching(),
		ServiceEndpoints: endpoints,
	}
}

// feeder fills a store with the flags that it has streamed from the endpoints given, as a Relay Proxy does that has been
// told of the store.
func feeder(
	store subsystems.ComponentConfigurer[subsystems.PersistentDataStore], endpoints interfaces.ServiceEndpoints,
) ld.Config {
	return ld.Config{
		DataStore:        ldcomponents.PersistentDataStore(store),
		ServiceEndpoints: endpoints,
		Events:           ldcomponents.NoEvents(),
	}
}
