// Package sdkleaks lists the goroutines that LaunchDarkly's SDK 7.15.5 leaks, for leak checks in
// tests.
package sdkleaks

import "go.uber.org/goleak"

// Ignore returns options that ignore goroutines which may outlive a closed client. Most of them
// leak only sometimes, so a check without the complete list would be flaky. A client that is not
// closed has further goroutines, which the check reports.
func Ignore() []goleak.Option {
	const (
		client       = "github.com/launchdarkly/go-server-sdk/v7."
		datasource   = "github.com/launchdarkly/go-server-sdk/v7/internal/datasource."
		datasourceV2 = "github.com/launchdarkly/go-server-sdk/v7/internal/datasourcev2."
		eventsource  = "github.com/launchdarkly/eventsource."
	)
	return []goleak.Option{
		// the outage timer, after an interruption
		goleak.IgnoreTopFunction(datasource + "(*outageTracker).awaitTimeout"),
		// tickers of polling
		goleak.IgnoreTopFunction(datasource + "newTickerWithInitialTick.func1"),
		goleak.IgnoreTopFunction(datasourceV2 + "newTickerWithInitialTick.func1"),
		// a polling synchronizer, if it is closed while it sends a result
		goleak.IgnoreTopFunction(datasourceV2 + "(*PollingProcessor).Sync.func1"),
		// the wait for flag data, if none arrives
		goleak.IgnoreTopFunction(client + "MakeCustomClient.func4"),
		// a stream, if it is closed while it sends an event: the event source waits for its reader,
		// the reader for its consumer, and the data source for the event source
		goleak.IgnoreTopFunction(eventsource + "newLineStreamChannel.func1"),
		goleak.IgnoreTopFunction(eventsource + "(*Stream).stream.func3"),
		goleak.IgnoreTopFunction(eventsource + "(*Stream).stream.func4"),
		goleak.IgnoreTopFunction(datasource + "(*StreamProcessor).consumeStream.func1"),
		goleak.IgnoreTopFunction(datasourceV2 + "(*StreamProcessor).consumeStream.func1"),
	}
}
