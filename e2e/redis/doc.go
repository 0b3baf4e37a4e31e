// Package redis tests whole programs that keep their flags in Redis: OpenFeature's SDK, the
// provider, LaunchDarkly's SDK with its Redis store, a launchdarklytest server, and a redis-server,
// which must be in the PATH.
package redis
