package main

import (
	ldredis "github.com/launchdarkly/go-server-sdk-redis-redigo/v3"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
)

// proxyMode returns the configuration of a service that streams flags from a Relay Proxy and sends
// events to it.
//
// The Relay Proxy must have USE_EVENTS=true, and an EVENTS_CAPACITY for the events of all its
// services within EVENTS_FLUSH_INTERVAL: it accepts requests even if its buffer is full, and drops
// the events. If it does not forward events, use ldcomponents.RelayProxyEndpointsWithoutEvents,
// which sends them to LaunchDarkly directly.
func proxyMode(relayURL string) ld.Config {
	return ld.Config{
		ServiceEndpoints: ldcomponents.RelayProxyEndpoints(relayURL),
	}
}

// daemonMode returns the configuration of a service that reads flags from a Redis that a Relay
// Proxy writes, and sends events to the Relay Proxy. The service opens no stream.
//
// The provider is ready at once, even if the Redis is empty, and emits no configuration change
// events: changes take effect when the cache expires. BigSegments is needed only for big segments.
func daemonMode(redisURL, relayURL string) ld.Config {
	return ld.Config{
		DataSource:       ldcomponents.ExternalUpdatesOnly(),
		DataStore:        ldcomponents.PersistentDataStore(ldredis.DataStore().URL(redisURL)).CacheSeconds(1),
		BigSegments:      ldcomponents.BigSegments(ldredis.BigSegmentStore().URL(redisURL)),
		ServiceEndpoints: ldcomponents.RelayProxyEndpoints(relayURL),
	}
}
