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

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
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

// A service registers the provider once, and speaks only OpenFeature after that. LaunchDarkly in a
// server takes the place of LaunchDarkly here; without WithConfig, the provider connects to the real
// one.
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

// Whom flags are evaluated for, and who does what is tracked: a user with an attribute that stays
// here, an organization, and both at once.
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

// An application reacts to flags that change, and to a connection that is lost, with OpenFeature's
// handlers.
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

// All of LaunchDarkly's own configuration goes through WithConfig: here, a Relay Proxy between the
// service and LaunchDarkly, and attributes that never leave the process.
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

// An application that has a LaunchDarkly client keeps it. With lossless delivery in its
// configuration, Flush and Stats include it.
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

// Features that OpenFeature does not cover use LaunchDarkly's client.
func ExampleProvider_Client() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	provider, err := launchdarkly.NewProvider(server.SDKKey(), launchdarkly.WithConfig(server.Config()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer provider.Shutdown()

	err = provider.Client().Identify(ldcontext.NewBuilder("user-42").Name("Sandy").Build())
	fmt.Println(err)
	// Output: <nil>
}

// Each row of the table in the package documentation: a number is the metric value, attributes are
// the data, and NaN is no number.
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

// A wrong SDK key is an error that no waiting will cure.
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

// A flag of any JSON value, and what OpenFeature has no field for: which rule it was that matched.
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

// The shapes of data that LaunchDarkly's own SDKs send, other than objects, are tracked under
// TrackingDataKey.
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
	fmt.Println(len(server.CustomEvents("invoked")), "arrived")
	// Output:
	// <nil>
	// 1 arrived
}

// A service whose attributes use "kind" for something else names another attribute for the context
// kind.
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

// A service that must not talk to anybody, such as a test of something else, works offline: with
// defaults.
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

// A service that can work with defaults does not wait long for its flags. They arrive later, with
// PROVIDER_READY.
func ExampleWithInitTimeout() {
	server := launchdarklytest.NewServer()
	defer server.Close()
	server.HoldStreams() // LaunchDarkly accepts the connection, and says nothing

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

// All lines go to a logger of the application's, those of LaunchDarkly's SDK too.
func ExampleWithLogger() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		Level: slog.LevelWarn,
		ReplaceAttr: func(_ []string, attr slog.Attr) slog.Attr {
			if attr.Key == slog.TimeKey { // for an output that stays the same
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

// Reasons in OpenFeature's vocabulary, for dashboards that span vendors. LaunchDarkly's own word
// stays in the metadata.
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

// Hooks that belong to the provider run for every evaluation with it, whichever client makes it.
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

// The counters say where every tracked event is.
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

// Shutdown delivers what was tracked. It returns an error that counts what it could not deliver in
// time.
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

// What is wrong, with which attribute of which event, can be taken from the error.
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
