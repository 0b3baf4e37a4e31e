package main

import (
	ldredis "github.com/launchdarkly/go-server-sdk-redis-redigo/v3"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
)

// proxyMode is the configuration of a service that streams its flags from a Relay Proxy and sends its events to it.
//
// The Relay Proxy must have USE_EVENTS=true, and EVENTS_CAPACITY as large as the events of all its services within
// EVENTS_FLUSH_INTERVAL: it answers before it looks for room, and drops what it has none for. Where it doesn't forward
// events, ldcomponents.RelayProxyEndpointsWithoutEvents sends them to LaunchDarkly itself.
func proxyMode(relayURL string) ld.Config {
	return ld.Config{
		ServiceEndpoints: ldcomponents.RelayProxyEndpoints(relayURL),
	}
}

// daemonMode is the configuration of a service that reads its flags from a Redis, which a Relay Proxy fills, and sends its
// events to the Relay Proxy. The service opens no stream.
//
// The provider is ready at once, even while the Redis is empty, and reports no changes of flags: a service sees a change
// when its cache expires. Big segments need a store of their own; leave the line out if you have none.
func daemonMode(redisURL, relayURL string) ld.Config {
	return ld.Config{
		DataSource:       ldcomponents.ExternalUpdatesOnly(),
		DataStore:        ldcomponents.PersistentDataStore(ldredis.DataStore().URL(redisURL)).CacheSeconds(1),
		BigSegments:      ldcomponents.BigSegments(ldredis.BigSegmentStore().URL(redisURL)),
		ServiceEndpoints: ldcomponents.RelayProxyEndpoints(relayURL),
	}
}
