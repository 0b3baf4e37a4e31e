package launchdarklytest_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

func ExampleNewServer() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	server.SetValue("new-checkout", true)

	client, err := ld.MakeCustomClient(server.SDKKey(), server.Config(), 10*time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Close() }()

	sandy := ldcontext.New("sandy")
	enabled, _ := client.BoolVariation("new-checkout", sandy, false)
	fmt.Println("new-checkout:", enabled)

	_ = client.TrackMetric("checkout", sandy, 99.9, ldvalue.Null())
	client.Flush()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	events, err := server.WaitForEvents(ctx, 1, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(events[0].Key, *events[0].MetricValue, events[0].ContextKeys())
	// Output:
	// new-checkout: true
	// checkout 99.9 map[user:sandy]
}

// connect returns a client of the SDK, as the example of NewServer makes one.
func connect(server *launchdarklytest.Server) (client *ld.LDClient, closeClient func()) {
	client, err := ld.MakeCustomClient(server.SDKKey(), server.Config(), 10*time.Second)
	if err != nil {
		fmt.Println(err)
	}
	return client, func() { _ = client.Close() }
}

func ExampleServer_SetFlags() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	server.SetFlags(ldbuilders.NewFlagBuilder("greeting").
		On(true).
		Variations(ldvalue.String("Hello"), ldvalue.String("Moin")).
		FallthroughVariation(0).
		AddTarget(1, "sandy").
		Build())

	client, closeClient := connect(server)
	defer closeClient()

	for _, key := range []string{"sandy", "alex"} {
		greeting, detail, _ := client.StringVariationDetail("greeting", ldcontext.New(key), "")
		fmt.Println(greeting, detail.Reason)
	}
	// Output:
	// Moin TARGET_MATCH
	// Hello FALLTHROUGH
}

func ExampleServer_RefuseEvents() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	client, closeClient := connect(server)
	defer closeClient()

	server.RefuseEvents(503, launchdarklytest.Times(1))
	_ = client.TrackEvent("checkout", ldcontext.New("sandy"))
	client.Flush()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	requests, err := server.WaitForRequests(ctx, 2, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, request := range requests {
		fmt.Println(request.Status, request.Accepted)
	}
	// Output:
	// 503 false
	// 202 true
}

// Flags can be set and changed while clients are connected.
func ExampleServer_SetValue() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	server.SetValue("theme", ldvalue.Parse([]byte(`{"color": "green"}`)))
	client, closeClient := connect(server)
	defer closeClient()
	changes := client.GetFlagTracker().AddFlagChangeListener()

	server.SetValue("theme", ldvalue.Parse([]byte(`{"color": "teal"}`)))
	change := <-changes // received asynchronously
	theme, _ := client.JSONVariation(change.Key, ldcontext.New("sandy"), ldvalue.Null())
	fmt.Println(change.Key, theme)
	// Output: theme {"color":"teal"}
}

// Flags can be set from LaunchDarkly's JSON. Invalid flags are rejected.
func ExampleServer_SetFlagsJSON() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	fmt.Println(server.SetFlagsJSON(`{"key": "limit", "on": false, "offVariation": 0, "variations": [10, 20]}`))
	fmt.Println(server.SetFlagsJSON(`{"on": true}`) != nil)

	client, closeClient := connect(server)
	defer closeClient()
	limit, detail, _ := client.IntVariationDetail("limit", ldcontext.New("sandy"), 0)
	fmt.Println(limit, detail.Reason)
	// Output:
	// <nil>
	// true
	// 10 OFF
}

// Flag rules can refer to segments.
func ExampleServer_SetSegments() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	server.SetSegments(ldbuilders.NewSegmentBuilder("testers").Included("sandy").Build())
	server.SetFlags(ldbuilders.NewFlagBuilder("new-checkout").
		On(true).
		Variations(ldvalue.Bool(false), ldvalue.Bool(true)).
		FallthroughVariation(0).
		AddRule(ldbuilders.NewRuleBuilder().ID("testers").Variation(1).Clauses(ldbuilders.SegmentMatchClause("testers"))).
		Build())

	client, closeClient := connect(server)
	defer closeClient()
	for _, key := range []string{"sandy", "alex"} {
		enabled, _ := client.BoolVariation("new-checkout", ldcontext.New(key), false)
		fmt.Println(key, enabled)
	}
	// Output:
	// sandy true
	// alex false
}

// A client with a DataSystem receives flags by the second version of LaunchDarkly's protocol.
func ExampleServer_DataSystem() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	server.SetValue("new-checkout", true)
	config := server.Config()
	config.DataSystem = server.DataSystem().Streaming()

	client, err := ld.MakeCustomClient(server.SDKKey(), config, 10*time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Close() }()
	enabled, _ := client.BoolVariation("new-checkout", ldcontext.New("sandy"), false)
	fmt.Println(enabled, server.StreamRequests()[0].Path)
	// Output: true /sdk/stream
}

// LaunchDarkly is overloaded when a client starts, and sends Retry-After.
func ExampleServer_RefuseStreams() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	server.RefuseStreams(429, launchdarklytest.RetryAfter(time.Second), launchdarklytest.Times(1))

	_, closeClient := connect(server)
	defer closeClient()
	for _, request := range server.StreamRequests() {
		fmt.Println(request.Path, request.Status)
	}
	// Output:
	// /all 429
	// /all 200
}

// A test waits until a client has reconnected, and until a closed client has disconnected.
func ExampleServer_WaitForStreams() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	_, closeClient := connect(server)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	server.DropStreams()
	fmt.Println(server.WaitForStreams(ctx, 1), server.Streams())
	closeClient()
	fmt.Println(server.WaitForStreams(ctx, 0), server.Streams())
	// Output:
	// <nil> 1
	// <nil> 0
}

// A client loses its connection and reconnects.
func ExampleServer_DropStreams() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	client, closeClient := connect(server)
	defer closeClient()
	status := client.GetDataSourceStatusProvider()

	server.RefuseStreams(503)
	server.DropStreams()
	fmt.Println(status.WaitFor(interfaces.DataSourceStateInterrupted, 10*time.Second))

	server.AcceptStreams()
	fmt.Println(status.WaitFor(interfaces.DataSourceStateValid, 10*time.Second))
	// Output:
	// true
	// true
}

// The SDK key was revoked.
func ExampleServer_RefuseSDKKey() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	server.RefuseSDKKey()
	client, err := ld.MakeCustomClient(server.SDKKey(), server.Config(), time.Second)
	if client != nil {
		defer func() { _ = client.Close() }()
	}
	fmt.Println(err != nil, server.StreamRequests()[0].Status)
	// Output: true 401
}

// A client connects but receives no flag data.
func ExampleServer_HoldStreams() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	server.HoldStreams()
	client, err := ld.MakeCustomClient(server.SDKKey(), server.Config(), 10*time.Millisecond)
	fmt.Println(err)
	defer func() { _ = client.Close() }()

	server.ReleaseStreams()
	fmt.Println(client.GetDataSourceStatusProvider().WaitFor(interfaces.DataSourceStateValid, 10*time.Second))
	// Output:
	// timeout encountered waiting for LaunchDarkly client initialization
	// true
}

// The events service limits the events per request. LaunchDarkly's event processor would drop a
// larger request; package delivery splits it.
func ExampleServer_LimitEvents() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	server.LimitEvents(20)
	server.LimitEventBytes(8 << 10)
	client, events := lossless(server)
	defer func() { _ = client.Close() }()

	for range 100 {
		_ = client.TrackData("note", ldcontext.New("sandy"), ldvalue.String("something short"))
	}
	fmt.Println(events.FlushContext(context.Background()), server.EventCount(launchdarklytest.KindCustom))
	first := server.Requests()[0]
	fmt.Println(first.Status, first.Accepted)
	// Output:
	// <nil> 100
	// 413 false
}

// lossless returns a client that delivers events with package delivery.
func lossless(server *launchdarklytest.Server) (*ld.LDClient, *delivery.Processor) {
	events := delivery.Lossless(nil, delivery.WithLogger(slog.New(slog.DiscardHandler)))
	config := server.Config()
	config.Events = events
	client, err := ld.MakeCustomClient(server.SDKKey(), config, 10*time.Second)
	if err != nil {
		fmt.Println(err)
	}
	return client, events.Processor()
}

// The events service is slow. A flush with a deadline returns before the response, but the event is
// accepted.
func ExampleServer_DelayEvents() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	client, events := lossless(server)
	defer func() { _ = client.Close() }()

	server.DelayEvents(time.Hour)
	_ = client.TrackEvent("checkout", ldcontext.New("sandy"))
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	fmt.Println(events.FlushContext(ctx))

	server.DelayEvents(0) // sends the delayed response
	fmt.Println(events.FlushContext(context.Background()), len(server.CustomEvents("checkout")))
	// Output:
	// 1 tracked event and 1 evaluation event not delivered: context deadline exceeded
	// <nil> 1
}

// Very many events are counted without parsing, and decoded one at a time.
func ExampleServer_AllEvents() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	client, _ := lossless(server)
	defer func() { _ = client.Close() }()

	const purchases = 5_000
	for range purchases {
		_ = client.TrackMetric("purchase", ldcontext.New("sandy"), 0.5, ldvalue.Null())
	}
	client.Flush()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := server.WaitForEventCount(ctx, purchases, launchdarklytest.KindCustom); err != nil {
		fmt.Println(err)
		return
	}
	revenue := 0.0
	for event := range server.AllEvents() {
		if event.MetricValue != nil {
			revenue += *event.MetricValue
		}
	}
	fmt.Println(revenue)
	// Output: 2500
}

// The events are accepted but the response is lost. The client retries with the same payload ID,
// and the server ignores the duplicate.
func ExampleServer_ResetEvents() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	client, closeClient := connect(server)
	defer closeClient()

	server.ResetEvents(1)
	_ = client.TrackEvent("checkout", ldcontext.New("sandy"))
	client.Flush()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	requests, err := server.WaitForRequests(ctx, 2, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(requests[0].PayloadID() == requests[1].PayloadID(), requests[1].Duplicate)
	fmt.Println(len(server.CustomEvents("checkout")), "taken")
	// Output:
	// true true
	// 1 taken
}
