// Package sdkleaks names the goroutines that LaunchDarkly's SDK 7.15.5 leaves behind, for leak checks in tests.
package sdkleaks

import "go.uber.org/goleak"

// Ignore ignores what may outlive a closed client. Most of it comes by chance: a check that knew only some of it would fail
// now and then. A client that was not closed has other goroutines, too, which are found.
func Ignore() []goleak.Option {
	const (
		client       = "github.com/launchdarkly/go-server-sdk/v7."
		datasource   = "github.com/launchdarkly/go-server-sdk/v7/internal/datasource."
		datasourceV2 = "github.com/launchdarkly/go-server-sdk/v7/internal/datasourcev2."
		eventsource  = "github.com/launchdarkly/eventsource."
	)
	return []goleak.Option{
		// the timer that would warn about a long outage, after an interruption
		goleak.IgnoreTopFunction(datasource + "(*outageTracker).awaitTimeout"),
		// the tickers of polling
		goleak.IgnoreTopFunction(datasource + "newTickerWithInitialTick.func1"),
		goleak.IgnoreTopFunction(datasourceV2 + "newTickerWithInitialTick.func1"),
		// a synchronizer that polls, and was closed while it had something to tell
		goleak.IgnoreTopFunction(datasourceV2 + "(*PollingProcessor).Sync.func1"),
		// what waits for flag data, when none has ever come
		goleak.IgnoreTopFunction(client + "MakeCustomClient.func4"),
		// a stream that was closed while it had something to say: the event source waits for its reader to fail, the reader
		// waits for somebody to take what it has read, and the data source for the event source
		goleak.IgnoreTopFunction(eventsource + "newLineStreamChannel.func1"),
		goleak.IgnoreTopFunction(eventsource + "(*Stream).stream.func3"),
		goleak.IgnoreTopFunction(eventsource + "(*Stream).stream.func4"),
		goleak.IgnoreTopFunction(datasource + "(*StreamProcessor).consumeStream.func1"),
		goleak.IgnoreTopFunction(datasourceV2 + "(*StreamProcessor).consumeStream.func1"),
	}
}
