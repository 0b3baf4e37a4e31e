// Package relayproxy has no code. Its module pins LaunchDarkly's Relay Proxy, which tests and an
// example run. The module is not in go.work, so that the dependencies of the Relay Proxy are not
// downloaded for anything else. Package internal/relayserver builds it.
//
// The replace directive in go.mod selects the newest available version of the Stackdriver exporter.
// The version that the Relay Proxy requires cannot be downloaded. Only its Stackdriver metrics use
// it.
package relayproxy
