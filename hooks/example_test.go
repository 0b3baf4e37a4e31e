package hooks_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"
	"github.com/open-feature/go-sdk/openfeature/telemetry"

	"github.com/openfeature-launchdarkly/go-provider/hooks"
)

var anna = openfeature.NewEvaluationContext("anna", map[string]any{"plan": "pro"})

// demo returns a client of an in-memory provider with one flag of each type.
func demo() (client *openfeature.Client, shutdown func()) {
	api := isolated.NewAPI()
	if err := api.SetProviderAndWait(context.Background(), provider()); err != nil {
		fmt.Println(err)
	}
	return api.NewClient(), func() { _ = api.Shutdown(context.Background()) }
}

// logger returns a logger that prints lines without what changes with each run.
func logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, attr slog.Attr) slog.Attr {
			if attr.Key == slog.TimeKey || attr.Key == "stack" {
				return slog.Attr{}
			}
			return attr
		},
	}))
}

// printing is a sink that an application could have.
type printing struct{}

func (printing) Enabled(context.Context) bool { return true }

func (printing) Emit(_ context.Context, event hooks.Event) {
	fmt.Println(event.FlagKey, event.Variant, event.EvaluationContext.TargetingKey())
}

// printingAttributes is a sink that prints what other sinks would send.
type printingAttributes struct{ printing }

func (printingAttributes) Emit(_ context.Context, event hooks.Event) {
	for _, attr := range event.Attributes {
		fmt.Println(attr.Key, "=", attr.Value)
	}
}

// printEvaluation prints the attributes that a hook with the options sends for an evaluation.
func printEvaluation(flag string, opts ...hooks.Option) {
	client, shutdown := demo()
	defer shutdown()
	client.AddHooks(hooks.NewEvaluationHook(printingAttributes{}, opts...))
	client.Object(context.Background(), flag, nil, anna)
}

// The example combines the options: it sends the value, not who was evaluated, and the plan.
func ExampleNewEvaluationHook() {
	client, shutdown := demo()
	defer shutdown()
	client.AddHooks(hooks.NewEvaluationHook(
		printingAttributes{},
		hooks.WithFlagFilter(func(key string) bool { return key != "noisy" }),
		hooks.WithValues(),
		hooks.WithExcludedAttributes(telemetry.ContextIDKey),
		hooks.WithAttributeMapper(func(hc openfeature.HookContext, _ openfeature.InterfaceEvaluationDetails) []slog.Attr {
			return []slog.Attr{slog.Any("plan", hc.EvaluationContext().Attribute("plan"))}
		}),
		hooks.WithEventMutator(func(event *hooks.Event) {
			event.Remove("feature_flag.provider.name")
		}),
	))

	client.Boolean(context.Background(), "bool", false, anna)
	// Output:
	// feature_flag.key = bool
	// feature_flag.result.variant = on
	// feature_flag.result.value = true
	// feature_flag.result.reason = static
	// plan = pro
}

// The flag is served by another system, and the exposure goes to the system that measures. A user
// who gets the same variant again is reported once.
func ExampleTrackerSink() {
	analytics := provider() // in an application, the LaunchDarkly provider
	client, shutdown := demo()
	defer shutdown()
	client.AddHooks(hooks.NewEvaluationHook(hooks.NewTrackerSink(analytics, hooks.WithTrackingName("exposure"))))

	for range 3 {
		client.Boolean(context.Background(), "bool", false, anna)
	}
	for _, event := range analytics.TrackingEvents("exposure") {
		fmt.Println(event.Data["feature_flag.key"], event.Data["feature_flag.result.variant"])
	}
	// Output:
	// bool on
}

func ExampleSlogSink() {
	client, shutdown := demo()
	defer shutdown()
	client.AddHooks(hooks.NewEvaluationHook(
		hooks.NewSlogSink(logger(), slog.LevelInfo),
		hooks.WithExcludedAttributes(telemetry.ContextIDKey, telemetry.ProviderNameKey, telemetry.ErrorMessageKey),
	))

	client.Boolean(context.Background(), "bool", false, anna)
	client.Boolean(context.Background(), "none", false, anna)
	// Output:
	// level=INFO msg=feature_flag.evaluation feature_flag.key=bool feature_flag.result.variant=on feature_flag.result.reason=static
	// level=INFO msg=feature_flag.evaluation feature_flag.key=none feature_flag.result.value=false feature_flag.result.reason=error error.type=flag_not_found feature_flag.error.message="flag for key none not found"
}

// Each sink of a fan-out keeps its own default: the tracker receives an exposure once, the other
// sink receives every evaluation.
func ExampleMultiSink() {
	analytics := provider()
	client, shutdown := demo()
	defer shutdown()
	client.AddHooks(hooks.NewEvaluationHook(hooks.NewMultiSink(hooks.NewTrackerSink(analytics), printing{})))

	for range 2 {
		client.Boolean(context.Background(), "bool", false, anna)
	}
	fmt.Println(len(analytics.TrackingEvents("feature_flag.evaluation")), "tracked")
	// Output:
	// bool on anna
	// bool on anna
	// 1 tracked
}

func ExampleWithAttributeMapper() {
	printEvaluation("string", hooks.WithAttributeMapper(
		func(hook openfeature.HookContext, _ openfeature.InterfaceEvaluationDetails) []slog.Attr {
			plan, _ := hook.EvaluationContext().Attribute("plan").(string)
			return []slog.Attr{slog.String("plan", plan)}
		}))
	// Output:
	// feature_flag.key = string
	// feature_flag.provider.name = InMemoryProvider
	// feature_flag.result.variant = red
	// feature_flag.result.reason = static
	// feature_flag.context.id = anna
	// plan = pro
}

func ExampleWithEventMutator() {
	printEvaluation("string", hooks.WithEventMutator(func(event *hooks.Event) {
		if id, ok := event.Attribute("feature_flag.context.id"); ok {
			event.Set(slog.String("feature_flag.context.id", id.String()[:1]+"…")) // the initial is enough
		}
	}))
	// Output:
	// feature_flag.key = string
	// feature_flag.provider.name = InMemoryProvider
	// feature_flag.result.variant = red
	// feature_flag.result.reason = static
	// feature_flag.context.id = a…
}

// Package telemetry of OpenFeature's SDK has constants for the keys.
func ExampleWithExcludedAttributes() {
	printEvaluation("string", hooks.WithExcludedAttributes(telemetry.ContextIDKey, telemetry.ProviderNameKey))
	// Output:
	// feature_flag.key = string
	// feature_flag.result.variant = red
	// feature_flag.result.reason = static
}

func ExampleWithValues() {
	printEvaluation("string", hooks.WithValues())
	// Output:
	// feature_flag.key = string
	// feature_flag.provider.name = InMemoryProvider
	// feature_flag.result.variant = red
	// feature_flag.result.value = #ff0000
	// feature_flag.result.reason = static
	// feature_flag.context.id = anna
}

func ExampleWithMaxValueBytes() {
	printEvaluation("object", hooks.WithValues(), hooks.WithMaxValueBytes(10))
	// Output:
	// feature_flag.key = object
	// feature_flag.provider.name = InMemoryProvider
	// feature_flag.result.variant = full
	// feature_flag.result.value = {"a":nu…
	// feature_flag.result.reason = static
	// feature_flag.context.id = anna
}

// A failed evaluation has no variant, so its value, which is the default, is sent without
// WithValues.
func ExampleWithFlagFilter() {
	onlyShop := hooks.WithFlagFilter(func(flagKey string) bool { return strings.HasPrefix(flagKey, "shop.") })
	printEvaluation("string", onlyShop)
	printEvaluation("shop.banner", onlyShop)
	// Output:
	// feature_flag.key = shop.banner
	// feature_flag.provider.name = InMemoryProvider
	// feature_flag.result.value = null
	// feature_flag.result.reason = error
	// feature_flag.context.id = anna
	// error.type = flag_not_found
	// feature_flag.error.message = flag for key shop.banner not found
	// error.message = flag for key shop.banner not found
}

// A sample of all evaluations is enough for a dashboard.
func ExampleWithSampling() {
	client, shutdown := demo()
	defer shutdown()
	analytics := provider()
	client.AddHooks(hooks.NewEvaluationHook(hooks.NewTrackerSink(analytics),
		hooks.WithSampling(0.1), hooks.WithoutDeduplication()))

	for range 10_000 {
		client.Boolean(context.Background(), "bool", false, anna)
	}
	sampled := len(analytics.TrackingEvents("feature_flag.evaluation"))
	fmt.Println("about a tenth:", sampled > 500 && sampled < 1500)
	// Output: about a tenth: true
}

// Any sink can receive one event for each user, flag and variant.
func ExampleWithDeduplication() {
	client, shutdown := demo()
	defer shutdown()
	client.AddHooks(hooks.NewEvaluationHook(printing{}, hooks.WithDeduplication(time.Hour, 1000)))

	for _, user := range []string{"anna", "ben", "anna", "ben"} {
		client.Boolean(context.Background(), "bool", false, openfeature.NewEvaluationContext(user, nil))
	}
	// Output:
	// bool on anna
	// bool on ben
}

// The events are named after the flag and have a value to sum up: each flag can be a metric.
func ExampleWithTrackingNameFunc() {
	analytics := provider()
	client, shutdown := demo()
	defer shutdown()
	client.AddHooks(hooks.NewEvaluationHook(hooks.NewTrackerSink(analytics,
		hooks.WithTrackingNameFunc(func(event hooks.Event) string { return "exposure." + event.FlagKey }),
		hooks.WithTrackingValue(1),
	)))

	client.Boolean(context.Background(), "bool", false, anna)
	for _, event := range analytics.TrackingEvents("exposure.bool") {
		fmt.Println(event.Value, event.Data["feature_flag.result.variant"])
	}
	// Output: 1 on
}

// collecting is a sink that reads events later. The memory of their attributes is reused after Emit
// has returned, so it keeps clones.
type collecting struct {
	printing
	mu     sync.Mutex
	events []hooks.Event
}

func (c *collecting) Emit(_ context.Context, event hooks.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, event.Clone())
}

func ExampleEvent_Clone() {
	client, shutdown := demo()
	defer shutdown()
	var sink collecting
	client.AddHooks(hooks.NewEvaluationHook(&sink))

	client.Boolean(context.Background(), "bool", false, anna)
	client.String(context.Background(), "string", "", anna)
	for _, event := range sink.events {
		fmt.Println(event.Attribute("feature_flag.result.variant"))
	}
	// Output:
	// on true
	// red true
}

// broken is a sink with a bug.
type broken struct{ printing }

func (broken) Emit(context.Context, hooks.Event) { panic("out of order") }

// A sink that panics loses its events and logs one line. Evaluations are not affected.
func ExampleWithLogger() {
	client, shutdown := demo()
	defer shutdown()
	client.AddHooks(hooks.NewEvaluationHook(broken{}, hooks.WithLogger(logger())))

	for range 2 {
		fmt.Println(client.Boolean(context.Background(), "bool", false, anna))
	}
	// Output:
	// level=ERROR msg="feature flag evaluation event lost to a panic; further ones of this hook are not logged" sink=hooks_test.broken panic=string
	// true
	// true
}
