// Package redis runs whole programs whose flags are kept in a Redis: OpenFeature's SDK, the provider, LaunchDarkly's SDK
// with its layer for persistent data stores, LaunchDarkly in a box, and a real redis-server, which has to be in the PATH.
// The store under that layer is internal/redisstore: LaunchDarkly's integrations for Redis are not part of what is tested.
// It is a module of its own, for its dependencies.
package redis
