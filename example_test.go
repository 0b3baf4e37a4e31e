package launchdarkly_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strings"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/hooks"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// A service registers the provider once, and uses only OpenFeature from then on. In this example, a
// test server replaces LaunchDarkly. Without WithConfig, the provider connects to LaunchDarkly.
func Example() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	server.SetValue("new-checkout", true)

	provider, err := launchdarkly.NewProvider(server.SDKKey(), launchdarkly.WithConfig(server.Config()))
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
	for _, event := range server.CustomEvents() {
		fmt.Println(event.Key, *event.MetricValue, event.Data, event.ContextKeys())
	}
	// Output:
	// new-checkout: true <nil>
	// checkout 99.9 {"currency":"EUR"} map[user:user-42]
}

// Evaluation contexts for a user with a private attribute, for an organization, and for both.
func Example_contexts() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	provider, err := launchdarkly.NewProvider(server.SDKKey(), launchdarkly.WithConfig(server.Config()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer provider.Shutdown()

	user := openfeature.NewEvaluationContext("user-42", map[string]any{
		"email":             "sandy@example.com",
		"privateAttributes": []string{"email"},
	})
	organization := openfeature.NewEvaluationContext("acme", map[string]any{"kind": "org"})
	both := openfeature.NewTargetlessEvaluationContext(map[string]any{
		"kind": "multi",
		"user": user,
		"org":  organization,
	})

	ctx := context.Background()
	for _, who := range []openfeature.EvaluationContext{user, organization, both} {
		provider.Track(ctx, "seen", who, openfeature.TrackingEventDetails{})
	}
	if err := provider.Flush(ctx); err != nil {
		fmt.Println(err)
	}
	for _, event := range server.CustomEvents("seen") {
		fmt.Println(event.ContextKeys(), "with the email address:", strings.Contains(event.String(), "sandy@example.com"))
	}
	// Output:
	// map[user:user-42] with the email address: false
	// map[org:acme] with the email address: false
	// map[org:acme user:user-42] with the email address: false
}

// An application handles flag changes and a lost connection with OpenFeature's event handlers.
func Example_events() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	server.SetValue("new-checkout", false)
	provider, err := launchdarkly.NewProvider(server.SDKKey(),
		launchdarkly.WithConfig(server.Config()), launchdarkly.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := openfeature.SetNamedProviderAndWait("with events", provider); err != nil {
		fmt.Println(err)
		return
	}
	defer provider.Shutdown()

	client := openfeature.NewClient("with events")
	changed, stale := make(chan []string), make(chan struct{})
	onChange := func(details openfeature.EventDetails) { changed <- details.FlagChanges }
	onStale := func(openfeature.EventDetails) { close(stale) }
	client.AddHandler(openfeature.ProviderConfigChange, &onChange)
	client.AddHandler(openfeature.ProviderStale, &onStale)

	server.SetValue("new-checkout", true)
	fmt.Println("changed:", <-changed)
	server.RefuseStreams(503)
	server.DropStreams()
	<-stale
	fmt.Println("stale, and still:", client.Boolean(context.Background(), "new-checkout", false,
		openfeature.NewEvaluationContext("user-42", nil)))
	// Output:
	// changed: [new-checkout]
	// stale, and still: true
}

// The provider connects to a Relay Proxy, never sends email addresses, and queues more events than
// by default.
func ExampleNewProvider() {
	relay := launchdarklytest.NewServer() // replaces a Relay Proxy, which has the same endpoints
	defer relay.Close()

	provider, err := launchdarkly.NewProvider(relay.SDKKey(),
		launchdarkly.WithConfig(ld.Config{
			ServiceEndpoints: ldcomponents.RelayProxyEndpoints(relay.URL()),
			Events:           ldcomponents.SendEvents().PrivateAttributes("email"),
		}),
		launchdarkly.WithDelivery(delivery.WithMaxEvents(500_000)),
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

// An application uses its own LaunchDarkly client. With lossless delivery in its configuration,
// Flush and Stats include the client's events.
func ExampleNewProviderWithClient() {
	server := launchdarklytest.NewServer()
	defer server.Close()

	config := server.Config()
	config.Events = delivery.Lossless(ldcomponents.SendEvents())
	client, err := ld.MakeCustomClient(server.SDKKey(), config, 5*time.Second)
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

// The number is the metric value, and the attributes are the event's data. NaN omits the metric
// value.
func ExampleProvider_Track() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	provider, err := launchdarkly.NewProvider(server.SDKKey(), launchdarkly.WithConfig(server.Config()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer provider.Shutdown()

	ctx, user := context.Background(), openfeature.NewEvaluationContext("user-42", nil)
	provider.Track(ctx, "opened", user, openfeature.TrackingEventDetails{})
	provider.Track(ctx, "retries", user, openfeature.NewTrackingEventDetails(0))
	provider.Track(ctx, "purchase", user, openfeature.NewTrackingEventDetails(99.90).Add("currency", "EUR"))
	provider.Track(ctx, "plan-changed", user, openfeature.NewTrackingEventDetails(math.NaN()).Add("to", "gold"))
	if err := provider.Flush(ctx); err != nil {
		fmt.Println(err)
	}

	for _, event := range server.CustomEvents() {
		metric := "none"
		if event.MetricValue != nil {
			metric = fmt.Sprint(*event.MetricValue)
		}
		fmt.Printf("%s: metric %s, data %v\n", event.Key, metric, event.Data)
	}
	// Output:
	// opened: metric none, data null
	// retries: metric 0, data null
	// purchase: metric 99.9, data {"currency":"EUR"}
	// plan-changed: metric none, data {"to":"gold"}
}

// LaunchDarkly refuses the SDK key. Newer versions of its SDK retry until the init timeout instead.
func ExampleProvider_InitWithContext() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	provider, err := launchdarkly.NewProvider("not-the-key",
		launchdarkly.WithConfig(server.Config()), launchdarkly.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer provider.Shutdown()

	err = provider.InitWithContext(context.Background(), openfeature.EvaluationContext{}) // OpenFeature does this
	if failed, ok := errors.AsType[*openfeature.ProviderInitError](err); ok {
		fmt.Println(failed.ErrorCode)
	}
	// Output: PROVIDER_FATAL
}

// A flag with a JSON object, and the flag metadata with the ID of the rule that matched.
func ExampleProvider_ObjectEvaluation() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	server.SetFlags(ldbuilders.NewFlagBuilder("theme").On(true).
		Variations(ldvalue.Parse([]byte(`{"color": "grey"}`)), ldvalue.Parse([]byte(`{"color": "gold"}`))).
		FallthroughVariation(0).
		AddRule(ldbuilders.NewRuleBuilder().ID("gold plan").Variation(1).
			Clauses(ldbuilders.Clause("plan", ldmodel.OperatorIn, ldvalue.String("gold")))).
		Build())
	provider, err := launchdarkly.NewProvider(server.SDKKey(), launchdarkly.WithConfig(server.Config()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer provider.Shutdown()
	if err := provider.Init(openfeature.EvaluationContext{}); err != nil {
		fmt.Println(err)
		return
	}

	detail := provider.ObjectEvaluation(context.Background(), "theme", nil,
		openfeature.FlattenedContext{"targetingKey": "user-42", "plan": "gold"})
	theme, _ := detail.Value.(map[string]any)
	fmt.Println(theme["color"], detail.Variant, detail.Reason, detail.FlagMetadata[launchdarkly.MetadataRuleID])
	// Output: gold 1 RULE_MATCH gold plan
}

// TrackingDataKey sets data that is not an object.
func ExampleProvider_Track_scalarData() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	provider, err := launchdarkly.NewProvider(server.SDKKey(), launchdarkly.WithConfig(server.Config()))
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
	for _, event := range server.CustomEvents() {
		fmt.Println(event.Key, *event.MetricValue, event.Data)
	}
	// Output: search 52.3 "my value"
}

// The error handler is called for every tracking error.
func ExampleWithErrorHandler() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	provider, err := launchdarkly.NewProvider(server.SDKKey(),
		launchdarkly.WithConfig(server.Config()),
		launchdarkly.WithLogger(slog.New(slog.DiscardHandler)),
		launchdarkly.WithErrorHandler(func(_ context.Context, err error) {
			switch {
			case errors.Is(err, launchdarkly.ErrTargetingKeyMissing):
				fmt.Println("no user:", err)
			case errors.Is(err, delivery.ErrQueueFull):
				fmt.Println("queue full:", err)
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
	// Output: no user: track "checkout": targeting key missing: the evaluation context has neither a targetingKey nor a key
}

// A function that is frozen after its response delivers its events first.
func ExampleProvider_Flush() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	provider, err := launchdarkly.NewProvider(server.SDKKey(), launchdarkly.WithConfig(server.Config()))
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
	fmt.Println(len(server.CustomEvents("invoked")), "received")
	// Output:
	// <nil>
	// 1 received
}

// Evaluation contexts have the context kind in another attribute than "kind".
func ExampleWithContextKindAttribute() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	server.SetValue("flag", "value")
	provider, err := launchdarkly.NewProvider(server.SDKKey(),
		launchdarkly.WithConfig(server.Config()), launchdarkly.WithContextKindAttribute("contextKind"))
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

// An offline provider connects to nothing, and evaluations return the defaults.
func ExampleWithConfig() {
	provider, err := launchdarkly.NewProvider("", launchdarkly.WithConfig(ld.Config{Offline: true}),
		launchdarkly.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer provider.Shutdown()

	detail := provider.BooleanEvaluation(context.Background(), "new-checkout", true,
		openfeature.FlattenedContext{"targetingKey": "user-42"})
	fmt.Println(detail.Value, detail.Reason, detail.Error())
	// Output: true DEFAULT <nil>
}

// A service that can work with defaults waits only briefly. The provider continues to connect.
func ExampleWithInitTimeout() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	server.HoldStreams() // LaunchDarkly accepts the connection but sends no flags

	provider, err := launchdarkly.NewProvider(server.SDKKey(),
		launchdarkly.WithConfig(server.Config()),
		launchdarkly.WithInitTimeout(50*time.Millisecond),
		launchdarkly.WithLogger(slog.New(slog.DiscardHandler)),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer provider.Shutdown()

	err = provider.Init(openfeature.EvaluationContext{}) // OpenFeature does this when a provider is registered
	fmt.Println(errors.Is(err, ld.ErrInitializationTimeout))

	server.ReleaseStreams()
	fmt.Println(provider.Init(openfeature.EvaluationContext{}))
	// Output:
	// true
	// <nil>
}

// The provider and LaunchDarkly's SDK log to the application's logger.
func ExampleWithLogger() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		Level: slog.LevelWarn,
		ReplaceAttr: func(_ []string, attr slog.Attr) slog.Attr {
			if attr.Key == slog.TimeKey { // for a deterministic output
				return slog.Attr{}
			}
			return attr
		},
	}))
	server := launchdarklytest.NewServer()
	defer server.Close()
	provider, err := launchdarkly.NewProvider(server.SDKKey(),
		launchdarkly.WithConfig(server.Config()), launchdarkly.WithLogger(logger.With(slog.String("service", "shop"))))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer provider.Shutdown()

	user := openfeature.NewEvaluationContext("user-42", map[string]any{"balance": math.Inf(1)})
	for range 3 { // the same line appears once a minute
		provider.Track(context.Background(), "checkout", user, openfeature.TrackingEventDetails{})
	}
	// Output:
	// level=WARN msg="tracking input left out" service=shop event=checkout attribute=balance problem="number is not finite"
}

// With standard reasons, the flag metadata still has LaunchDarkly's reason kind.
func ExampleWithStandardReasons() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	server.SetValue("new-checkout", true)

	for _, options := range [][]launchdarkly.Option{{}, {launchdarkly.WithStandardReasons()}} {
		provider, err := launchdarkly.NewProvider(server.SDKKey(), append(options, launchdarkly.WithConfig(server.Config()))...)
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := provider.Init(openfeature.EvaluationContext{}); err != nil {
			fmt.Println(err)
		}
		detail := provider.BooleanEvaluation(context.Background(), "new-checkout", false,
			openfeature.FlattenedContext{"targetingKey": "user-42"})
		fmt.Println(detail.Reason, detail.FlagMetadata[launchdarkly.MetadataReasonKind])
		provider.Shutdown()
	}
	// Output:
	// FALLTHROUGH FALLTHROUGH
	// DEFAULT FALLTHROUGH
}

// Provider hooks run for every evaluation by the provider, whichever client calls it.
func ExampleWithHooks() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	server.SetValue("new-checkout", true)
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, attr slog.Attr) slog.Attr {
			if attr.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return attr
		},
	}))
	provider, err := launchdarkly.NewProvider(server.SDKKey(),
		launchdarkly.WithConfig(server.Config()),
		launchdarkly.WithHooks(hooks.NewEvaluationHook(hooks.NewSlogSink(logger, slog.LevelInfo))),
		launchdarkly.WithLogger(slog.New(slog.DiscardHandler)),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := openfeature.SetNamedProviderAndWait("with hooks", provider); err != nil {
		fmt.Println(err)
		return
	}
	defer provider.Shutdown()

	openfeature.NewClient("with hooks").Boolean(context.Background(), "new-checkout", false,
		openfeature.NewEvaluationContext("user-42", nil))
	// Output:
	// level=INFO msg=feature_flag.evaluation feature_flag.key=new-checkout feature_flag.provider.name=LaunchDarkly feature_flag.result.variant=0 feature_flag.result.reason=default feature_flag.context.id=user-42 launchdarkly.reason.kind=fallthrough
}

// The counters account for every tracked event.
func ExampleProvider_Stats() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	provider, err := launchdarkly.NewProvider(server.SDKKey(),
		launchdarkly.WithConfig(server.Config()), launchdarkly.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer provider.Shutdown()

	ctx, user := context.Background(), openfeature.NewEvaluationContext("user-42", nil)
	provider.Track(ctx, "checkout", user, openfeature.NewTrackingEventDetails(99.90))
	provider.Track(ctx, "", user, openfeature.NewTrackingEventDetails(1))
	if err := provider.Flush(ctx); err != nil {
		fmt.Println(err)
	}

	stats := provider.Stats()
	fmt.Println(stats.Tracked, "tracked,", stats.Delivered, "delivered,", stats.Waiting, "waiting")
	fmt.Println(stats.Dropped.Total(), "dropped, of which without a name:", stats.Dropped.EmptyEventName)
	// Output:
	// 2 tracked, 1 delivered, 0 waiting
	// 1 dropped, of which without a name: 1
}

// The error of a shutdown contains the number of events that could not be delivered in time.
func ExampleProvider_ShutdownWithContext() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	server.RefuseEvents(503) // the events service is down
	provider, err := launchdarkly.NewProvider(server.SDKKey(),
		launchdarkly.WithConfig(server.Config()), launchdarkly.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		fmt.Println(err)
		return
	}
	provider.Track(context.Background(), "checkout", openfeature.NewEvaluationContext("user-42", nil),
		openfeature.NewTrackingEventDetails(99.90))

	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	err = provider.ShutdownWithContext(ctx)
	if undelivered, ok := errors.AsType[*delivery.UndeliveredError](err); ok {
		fmt.Println(undelivered.Events, "lost")
	}
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output:
	// 1 lost
	// true
}

// The error names the event and the attribute.
func ExampleAttributeError() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	provider, err := launchdarkly.NewProvider(server.SDKKey(),
		launchdarkly.WithConfig(server.Config()),
		launchdarkly.WithLogger(slog.New(slog.DiscardHandler)),
		launchdarkly.WithErrorHandler(func(_ context.Context, err error) {
			tracking, _ := errors.AsType[*launchdarkly.TrackingError](err)
			if attribute, ok := errors.AsType[*launchdarkly.AttributeError](err); ok {
				fmt.Println(tracking.EventName, "is sent:", tracking.Sent, "without", attribute.Attribute)
			}
			fmt.Println(errors.Is(err, launchdarkly.ErrUnsupportedValue))
		}),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer provider.Shutdown()

	provider.Track(context.Background(), "checkout", openfeature.NewEvaluationContext("user-42", nil),
		openfeature.NewTrackingEventDetails(1).Add("prices", []float64{9.99, math.NaN()}))
	// Output:
	// checkout is sent: true without /prices/1
	// true
}
