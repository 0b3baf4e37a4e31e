package delivery_test

import (
	"context"
	"encoding/json"
	"errors"
	"expvar"
	"fmt"
	"log/slog"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// An application that creates its own LaunchDarkly client sets the Events field of its
// configuration.
func ExampleLossless() {
	box := launchdarklytest.NewServer() // stands in for LaunchDarkly
	defer box.Close()

	events := delivery.Lossless(
		ldcomponents.SendEvents().PrivateAttributes("email"),
		delivery.WithMaxEvents(500_000), // for a longer outage
		delivery.WithErrorHandler(func(err error) { fmt.Println(err) }),
		delivery.WithLogger(slog.New(slog.DiscardHandler)),
	)
	config := box.Config()
	config.Events = events
	client, err := ld.MakeCustomClient(box.SDKKey(), config, 5*time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close() // delivers the waiting events, with a timeout of 10s

	box.RefuseEvents(503, launchdarklytest.Times(1)) // an outage
	for range 3 {
		_ = client.TrackMetric("purchase", ldcontext.New("user-42"), 9.99, ldvalue.Null())
	}

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	fmt.Println(events.Processor().FlushContext(ctx))
	fmt.Println(len(box.CustomEvents("purchase")), "arrived")
	// Output:
	// <nil>
	// 3 arrived
}

// makeClient returns a client of LaunchDarkly's SDK that delivers its events as configured.
func makeClient(box *launchdarklytest.Server, events *delivery.Configuration) *ld.LDClient {
	config := box.Config()
	config.Events = events
	client, err := ld.MakeCustomClient(box.SDKKey(), config, 5*time.Second)
	if err != nil {
		panic(err)
	}
	return client
}

// A flush whose context is done returns the number of undelivered events. They remain queued.
func ExampleProcessor_FlushContext() {
	box := launchdarklytest.NewServer()
	defer box.Close()
	events := delivery.Lossless(nil, delivery.WithLogger(slog.New(slog.DiscardHandler)))
	client := makeClient(box, events)
	defer client.Close()

	box.RefuseEvents(503)
	_ = client.TrackEvent("signup", ldcontext.New("user-42"))

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	err := events.Processor().FlushContext(ctx)
	if undelivered, ok := errors.AsType[*delivery.UndeliveredError](err); ok {
		fmt.Println(undelivered.Events, "not delivered")
	}

	box.AcceptEvents()
	fmt.Println(events.Processor().FlushContext(context.Background()))
	// Output:
	// 1 not delivered
	// <nil>
}

// The counters can be published like other metrics of the application, such as at /debug/vars.
func ExampleProcessor_Stats() {
	box := launchdarklytest.NewServer()
	defer box.Close()
	events := delivery.Lossless(nil)
	client := makeClient(box, events)
	defer client.Close()

	const name = "launchdarkly.events"
	if expvar.Get(name) == nil { // a name can be published only once
		expvar.Publish(name, expvar.Func(func() any { return events.Processor().Stats() }))
	}

	_ = client.TrackEvent("signup", ldcontext.New("user-42"))
	_ = client.TrackEvent("signup", ldcontext.New("user-43"))
	client.FlushAndWait(5 * time.Second)
	var published struct{ Tracked, Delivered, Waiting int }
	_ = json.Unmarshal([]byte(expvar.Get(name).String()), &published)
	fmt.Printf("%+v\n", published)
	// Output:
	// {Tracked:2 Delivered:2 Waiting:0}
}

// WithDefaults adds options that the configuration does not set, such as the logger and the error
// handler of a platform.
func ExampleConfiguration_WithDefaults() {
	service := delivery.Lossless(nil, delivery.WithMaxEvents(1), delivery.WithMaxWait(0))
	events := service.WithDefaults(
		delivery.WithMaxEvents(1_000_000), // no effect: service sets it
		delivery.WithLogger(slog.New(slog.DiscardHandler)),
		delivery.WithErrorHandler(func(err error) { fmt.Println(err) }),
	)

	box := launchdarklytest.NewServer()
	defer box.Close()
	box.RefuseEvents(503)
	client := makeClient(box, events)
	defer client.Close()

	_ = client.TrackEvent("first", ldcontext.New("user-42"))
	_ = client.TrackEvent("second", ldcontext.New("user-42"))
	box.AcceptEvents()
	fmt.Println(events.Processor().FlushContext(context.Background()))
	// Output:
	// tracked event "second" dropped: the event queue is full
	// 1 tracked event not delivered: the event queue is full
}

// A serverless function has seconds until it is frozen, so it uses short timeouts and pauses. A
// service that must outlast a long outage uses long pauses, and a large queue.
func ExampleWithBackoff() {
	function := delivery.Lossless(nil,
		delivery.WithLogger(slog.New(slog.DiscardHandler)),
		delivery.WithRequestTimeout(2*time.Second),
		delivery.WithBackoff(20*time.Millisecond, 500*time.Millisecond),
		delivery.WithMaxEvents(1_000),
		delivery.WithMaxBytes(1<<20), // of little memory
	)
	_ = delivery.Lossless(nil, // the service
		delivery.WithBackoff(time.Second, time.Minute),
		delivery.WithMaxEvents(5_000_000),
		delivery.WithMaxBytes(2<<30),
		delivery.WithRequestEvents(10_000),
	)

	box := launchdarklytest.NewServer()
	defer box.Close()
	box.RefuseEvents(503, launchdarklytest.Times(3))
	client := makeClient(box, function)
	defer client.Close()

	_ = client.TrackEvent("signup", ldcontext.New("user-42"))
	fmt.Println(function.Processor().FlushContext(context.Background()))
	fmt.Println(function.Processor().Stats().Retries, "retries")
	// Output:
	// <nil>
	// 3 retries
}

// A job that tracks events faster than they can be delivered should block rather than drop events.
// A small queue is then enough.
func ExampleWithMaxWait() {
	events := delivery.Lossless(nil,
		delivery.WithMaxEvents(100),
		delivery.WithRequestEvents(50),
		delivery.WithMaxWait(time.Minute),
	)
	box := launchdarklytest.NewServer()
	defer box.Close()
	client := makeClient(box, events)
	defer client.Close()

	for range 1_000 {
		_ = client.TrackEvent("imported", ldcontext.New("user-42"))
	}
	fmt.Println(events.Processor().FlushContext(context.Background()))
	stats := events.Processor().Stats()
	fmt.Println(stats.Delivered, "delivered,", stats.Dropped.Total(), "dropped")
	// Output:
	// <nil>
	// 1000 delivered, 0 dropped
}

// The queue has room for three events while the service fails. The fourth is dropped and reported.
func ExampleWithErrorHandler() {
	box := launchdarklytest.NewServer()
	defer box.Close()
	box.RefuseEvents(503)
	events := delivery.Lossless(nil,
		delivery.WithMaxEvents(3),
		delivery.WithMaxWait(0),
		delivery.WithLogger(slog.New(slog.DiscardHandler)),
		delivery.WithErrorHandler(func(err error) {
			if dropped, ok := errors.AsType[*delivery.DropError](err); ok {
				fmt.Println(dropped.EventName, "is lost; the queue is full:", errors.Is(err, delivery.ErrQueueFull))
			}
		}),
	)
	client := makeClient(box, events)
	defer client.Close()

	for _, name := range []string{"first", "second", "third", "fourth"} {
		_ = client.TrackEvent(name, ldcontext.New("user-42"))
	}
	box.AcceptEvents()
	fmt.Println(events.Processor().FlushContext(context.Background()))
	fmt.Println(len(box.CustomEvents()), "arrived")
	// Output:
	// fourth is lost; the queue is full: true
	// 1 tracked event not delivered: the event queue is full
	// 3 arrived
}

// Events that cannot be delivered by the deadline are dropped, counted and reported.
func ExampleProcessor_Shutdown() {
	box := launchdarklytest.NewServer()
	defer box.Close()
	box.RefuseEvents(503)
	events := delivery.Lossless(nil, delivery.WithLogger(slog.New(slog.DiscardHandler)))
	client := makeClient(box, events)
	defer client.Close()
	_ = client.TrackEvent("signup", ldcontext.New("user-42"))

	ctx, cancel := context.WithTimeout(context.Background(), 250*time.Millisecond)
	defer cancel()
	fmt.Println(events.Processor().Shutdown(ctx))
	// Output: 1 tracked event and 1 evaluation event not delivered: context deadline exceeded
}
