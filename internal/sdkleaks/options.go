// Package sdkleaks names the goroutines of LaunchDarkly's SDK 7.15.4 that outlive a closed client, for leak checks in
// tests: each check ignores just those that it has to.
package sdkleaks

import "go.uber.org/goleak"

const (
	datasource   = "github.com/launchdarkly/go-server-sdk/v7/internal/datasource."
	datasourceV2 = "github.com/launchdarkly/go-server-sdk/v7/internal/datasourcev2."
)

// OutageTimer ignores the timer that would warn about a long outage, after an interruption.
func OutageTimer() goleak.Option {
	return goleak.IgnoreTopFunction(datasource + "(*outageTracker).awaitTimeout")
}

// PollTicker ignores the ticker of the polling data source.
func PollTicker() goleak.Option {
	return goleak.IgnoreTopFunction(datasource + "newTickerWithInitialTick.func1")
}

// PollTickerV2 ignores the ticker of the polling data source of a DataSystem.
func PollTickerV2() goleak.Option {
	return goleak.IgnoreTopFunction(datasourceV2 + "newTickerWithInitialTick.func1")
}

// ReadyWaiter ignores what waits for flag data, when none has ever come.
func ReadyWaiter() goleak.Option {
	return goleak.IgnoreTopFunction("github.com/launchdarkly/go-server-sdk/v7.MakeCustomClient.func4")
}

// TalkingStream ignores what a stream leaves behind that was closed while it had something to say: the event source waits
// for its reader to fail, the reader waits for somebody to take what it has read, and the data source for the event source.
func TalkingStream() []goleak.Option {
	const eventsource = "github.com/launchdarkly/eventsource."
	return []goleak.Option{
		goleak.IgnoreTopFunction(eventsource + "newLineStreamChannel.func1"),
		goleak.IgnoreTopFunction(eventsource + "(*Stream).stream.func3"),
		goleak.IgnoreTopFunction(eventsource + "(*Stream).stream.func4"),
		goleak.IgnoreTopFunction(datasource + "(*StreamProcessor).consumeStream.func1"),
	}
}
