package launchdarkly_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// A service registers the provider once, and speaks only OpenFeature after that. LaunchDarkly in a box takes the place
// of LaunchDarkly here; without WithConfig, the provider connects to the real one.
func Example() {
	box := launchdarklytest.NewServer()
	defer box.Close()
	box.SetValue("new-checkout", ldvalue.Bool(true))

	provider, err := launchdarkly.NewProvider(box.SDKKey(), launchdarkly.WithConfig(box.Config()))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := openfeature.SetNamedProviderAndWait("shop", provider); err != nil {
		fmt.Println(err)
		return
	}
	defer provider.Shutdown()

	ctx := context.Background()
	client := openfeature.NewClient("shop")
	user := openfeature.NewEvaluationContext("user-42", map[string]any{"plan": "gold"})

	enabled, err := client.BooleanValue(ctx, "new-checkout", false, user)
	fmt.Println("new-checkout:", enabled, err)

	client.Track(ctx, "checkout", user, openfeature.NewTrackingEventDetails(99.90).Add("currency", "EUR"))
	if err := provider.Flush(ctx); err != nil {
		fmt.Println(err)
	}
	for _, event := range box.CustomEvents() {
		fmt.Println(event.Key, *event.MetricValue, event.Data, event.ContextKeys())
	}
	// Output:
	// new-checkout: true <nil>
	// checkout 99.9 {"currency":"EUR"} map[user:user-42]
}

// All of LaunchDarkly's own configuration goes through WithConfig: here, a Relay Proxy between the service and
// LaunchDarkly, and attributes that never leave the process.
func ExampleNewProvider() {
	relay := launchdarklytest.NewServer() // a Relay Proxy looks the same to its clients
	defer relay.Close()

	provider, err := launchdarkly.NewProvider(relay.SDKKey(),
		launchdarkly.WithConfig(ld.Config{
			ServiceEndpoints: ldcomponents.RelayProxyEndpoints(relay.URL()),
			Events:           ldcomponents.SendEvents().PrivateAttributes("email"),
		}),
		launchdarkly.WithInitTimeout(5*time.Second),
		launchdarkly.WithLogger(slog.New(slog.DiscardHandler)),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer provider.Shutdown()

	fmt.Println(provider.Init(openfeature.EvaluationContext{})) // OpenFeature does this when a provider is registered
	// Output: <nil>
}

// An application that has a LaunchDarkly client keeps it. With lossless delivery in its configuration, Flush and Stats
// tell about it.
func ExampleNewProviderWithClient() {
	box := launchdarklytest.NewServer()
	defer box.Close()

	config := box.Config()
	config.Events = delivery.Lossless(ldcomponents.SendEvents())
	client, err := ld.MakeCustomClient(box.SDKKey(), config, 5*time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	provider, err := launchdarkly.NewProviderWithClient(client, launchdarkly.WithConfig(config))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer provider.Shutdown() // leaves the client open

	ctx := context.Background()
	provider.Track(ctx, "signup", openfeature.NewEvaluationContext("user-42", nil), openfeature.TrackingEventDetails{})
	fmt.Println(provider.Flush(ctx), provider.Stats().Delivered)
	// Output: <nil> 1
}

// What OpenFeature has no word for is done with LaunchDarkly's client.
func ExampleProvider_Client() {
	box := launchdarklytest.NewServer()
	defer box.Close()
	provider, err := launchdarkly.NewProvider(box.SDKKey(), launchdarkly.WithConfig(box.Config()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer provider.Shutdown()

	err = provider.Client().Identify(ldcontext.NewBuilder("user-42").Name("Sandy").Build())
	fmt.Println(err)
	// Output: <nil>
}

// The shapes of data that LaunchDarkly's own SDKs send, other than objects, are tracked under TrackingDataKey.
func ExampleProvider_Track_scalarData() {
	box := launchdarklytest.NewServer()
	defer box.Close()
	provider, err := launchdarkly.NewProvider(box.SDKKey(), launchdarkly.WithConfig(box.Config()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer provider.Shutdown()

	ctx := context.Background()
	user := openfeature.NewEvaluationContext("user-42", nil)
	details := openfeature.NewTrackingEventDetails(52.3).Add(launchdarkly.TrackingDataKey, "my value")
	provider.Track(ctx, "search", user, details)

	if err := provider.Flush(ctx); err != nil {
		fmt.Println(err)
	}
	for _, event := range box.CustomEvents() {
		fmt.Println(event.Key, *event.MetricValue, event.Data)
	}
	// Output: search 52.3 "my value"
}

// The error handler hears of everything about tracking that is not as it should be.
func ExampleWithErrorHandler() {
	box := launchdarklytest.NewServer()
	defer box.Close()
	provider, err := launchdarkly.NewProvider(box.SDKKey(),
		launchdarkly.WithConfig(box.Config()),
		launchdarkly.WithLogger(slog.New(slog.DiscardHandler)),
		launchdarkly.WithErrorHandler(func(_ context.Context, err error) {
			switch {
			case errors.Is(err, launchdarkly.ErrTargetingKeyMissing):
				fmt.Println("who was it?", err)
			case errors.Is(err, delivery.ErrQueueFull):
				fmt.Println("alert!", err)
			default:
				fmt.Println(err)
			}
		}),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer provider.Shutdown()

	nobody := openfeature.NewTargetlessEvaluationContext(nil)
	provider.Track(context.Background(), "checkout", nobody, openfeature.NewTrackingEventDetails(1))
	// Output: who was it? track "checkout": targeting key missing: the evaluation context has neither a targetingKey nor a key
}

// A function that is frozen after its answer delivers what it tracked before that.
func ExampleProvider_Flush() {
	box := launchdarklytest.NewServer()
	defer box.Close()
	provider, err := launchdarkly.NewProvider(box.SDKKey(), launchdarkly.WithConfig(box.Config()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer provider.Shutdown()

	handle := func(ctx context.Context) error {
		provider.Track(ctx, "invoked", openfeature.NewEvaluationContext("user-42", nil), openfeature.TrackingEventDetails{})

		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		return provider.Flush(ctx)
	}
	fmt.Println(handle(context.Background()))
	fmt.Println(len(box.CustomEvents("invoked")), "arrived")
	// Output:
	// <nil>
	// 1 arrived
}

// A service whose attributes use "kind" for something else names another attribute for the context kind.
func ExampleWithContextKindAttribute() {
	box := launchdarklytest.NewServer()
	defer box.Close()
	box.SetValue("flag", ldvalue.String("value"))
	provider, err := launchdarkly.NewProvider(box.SDKKey(),
		launchdarkly.WithConfig(box.Config()), launchdarkly.WithContextKindAttribute("contextKind"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer provider.Shutdown()
	if err := provider.Init(openfeature.EvaluationContext{}); err != nil {
		fmt.Println(err)
		return
	}

	detail := provider.StringEvaluation(context.Background(), "flag", "default", openfeature.FlattenedContext{
		"targetingKey": "acme", "contextKind": "org",
	})
	fmt.Println(detail.Value, detail.FlagMetadata[launchdarkly.MetadataContextID])
	// Output: value org:acme
}
