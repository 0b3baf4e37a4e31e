// Package relay tests whole programs behind LaunchDarkly's Relay Proxy: OpenFeature's SDK, the
// provider, LaunchDarkly's SDK, the Relay Proxy itself in a process of its own, and LaunchDarkly in
// a box.
//
// The Relay Proxy has to be built once, by `go run ./examples/relay`; otherwise the suite is
// skipped. Where the environment variable CI is set, the suite builds it.
package relay
