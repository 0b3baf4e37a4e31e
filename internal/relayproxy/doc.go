// Package relayproxy has no code: its module pins LaunchDarkly's Relay Proxy, which tests and an example run. The module is
// not in go.work, so that nobody else downloads what the Relay Proxy requires. Package internal/relayserver builds it.
//
// The replace directive in go.mod names the newest version of the exporter that can be had; the Relay Proxy requires one
// that cannot. Only its Stackdriver metrics use it.
package relayproxy
