// Package redis runs whole programs whose flags are kept in a Redis: OpenFeature's SDK, the provider, LaunchDarkly's SDK
// with its persistent data store, LaunchDarkly in a box, and a real redis-server, which has to be in the PATH. It is a
// module of its own, for its dependencies.
package redis
