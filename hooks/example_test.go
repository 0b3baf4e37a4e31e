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

	"github.com/openfeature-launchdarkly/go-provider/hooks"
)

// demo returns a client of an in-memory provider with the flag "bool".
func demo() (client *openfeature.Client, shutdown func()) {
	api := isolated.NewAPI()
	if err := api.SetProviderAndWait(context.Background(), provider()); err != nil {
		fmt.Println(err)
	}
	return api.NewClient(), func() { _ = api.Shutdown(context.Background()) }
}

// The flag is another system's, and the exposure goes to the one that measures.
// A user who sees the same variant again is reported once.
func ExampleTrackerSink() {
	analytics := provider() // in an application, the LaunchDarkly provider
	client, shutdown := demo()
	defer shutdown()
	client.AddHooks(hooks.NewEvaluationHook(hooks.NewTrackerSink(analytics, hooks.WithTrackingName("exposure"))))

	for range 3 {
		client.Boolean(context.Background(), "bool", false, openfeature.NewEvaluationContext("anna", nil))
	}
	for _, event := range analytics.TrackingEvents("exposure") {
		fmt.Println(event.Data["feature_flag.key"], event.Data["feature_flag.result.variant"])
	}
	// Output:
	// bool on
}

func ExampleSlogSink() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, attr slog.Attr) slog.Attr {
			if attr.Key == slog.TimeKey { // for an output that stays the same
				return slog.Attr{}
			}
			return attr
		},
	}))
	client, shutdown := demo()
	defer shutdown()
	client.AddHooks(hooks.NewEvaluationHook(
		hooks.NewSlogSink(logger, slog.LevelInfo),
		hooks.WithoutContextID(),
		hooks.WithExcludedAttributes("feature_flag.provider.name"),
	))

	client.Boolean(context.Background(), "bool", false, openfeature.NewEvaluationContext("anna", nil))
	client.Boolean(context.Background(), "none", false, openfeature.NewEvaluationContext("anna", nil))
	// Output:
	// level=INFO msg=feature_flag.evaluation feature_flag.key=bool feature_flag.result.variant=on feature_flag.result.value=true feature_flag.result.reason=static
	// level=INFO msg=feature_flag.evaluation feature_flag.key=none feature_flag.result.value=false feature_flag.result.reason=error error.type=flag_not_found error.message="flag for key none not found"
}

// printing is a sink of an application's own.
type printing struct{}

func (printing) Enabled(context.Context) bool { return true }

func (printing) Emit(_ context.Context, event hooks.Event) {
	fmt.Println(event.FlagKey, event.Variant, event.EvaluationContext.TargetingKey())
}

// Each sink of a fan-out keeps its own default: the tracker gets the exposure
// once, the other sink every evaluation.
func ExampleMultiSink() {
	analytics := provider()
	client, shutdown := demo()
	defer shutdown()
	client.AddHooks(hooks.NewEvaluationHook(hooks.NewMultiSink(hooks.NewTrackerSink(analytics), printing{})))

	for range 2 {
		client.Boolean(context.Background(), "bool", false, openfeature.NewEvaluationContext("anna", nil))
	}
	fmt.Println(len(analytics.TrackingEvents("feature_flag.evaluation")), "tracked")
	// Output:
	// bool on anna
	// bool on anna
	// 1 tracked
}

// Attributes can be added, left out and changed before sinks get them.
func ExampleNewEvaluationHook() {
	client, shutdown := demo()
	defer shutdown()
	client.AddHooks(hooks.NewEvaluationHook(
		printingAttributes{},
		hooks.WithoutValues(),
		hooks.WithoutContextID(),
		hooks.WithFlagFilter(func(key string) bool { return key != "noisy" }),
		hooks.WithAttributeMapper(func(hc openfeature.HookContext, _ openfeature.InterfaceEvaluationDetails) []slog.Attr {
			return []slog.Attr{slog.Any("plan", hc.EvaluationContext().Attribute("plan"))}
		}),
		hooks.WithEventMutator(func(event *hooks.Event) {
			event.Remove("feature_flag.provider.name")
		}),
	))

	client.Boolean(context.Background(), "bool", false, openfeature.NewEvaluationContext("anna", map[string]any{"plan": "pro"}))
	// Output:
	// [feature_flag.key=bool feature_flag.result.variant=on feature_flag.result.reason=static plan=pro]
}

type printingAttributes struct{ printing }

func (printingAttributes) Emit(_ context.Context, event hooks.Event) {
	fmt.Println(event.Attributes)
}

// printEvaluation prints the attributes that a hook with the options sends for the flag, other than the provider's name.
func printEvaluation(flag string, opts ...hooks.Option) {
	client, shutdown := demo()
	defer shutdown()
	opts = append(opts, hooks.WithExcludedAttributes("feature_flag.provider.name"))
	client.AddHooks(hooks.NewEvaluationHook(printingAttributes{}, opts...))
	anna := openfeature.NewEvaluationContext("anna", map[string]any{"plan": "pro"})
	client.Object(context.Background(), flag, nil, anna)
}

func ExampleWithAttributeMapper() {
	printEvaluation("string", hooks.WithAttributeMapper(
		func(hook openfeature.HookContext, _ openfeature.InterfaceEvaluationDetails) []slog.Attr {
			plan, _ := hook.EvaluationContext().Attribute("plan").(string)
			return []slog.Attr{slog.String("plan", plan)}
		}))
	// Output:
	// [feature_flag.key=string feature_flag.result.variant=red feature_flag.result.value=#ff0000 feature_flag.result.reason=static feature_flag.context.id=anna plan=pro]
}

func ExampleWithEventMutator() {
	printEvaluation("string", hooks.WithEventMutator(func(event *hooks.Event) {
		if id, ok := event.Attribute("feature_flag.context.id"); ok {
			event.Set(slog.String("feature_flag.context.id", id.String()[:1]+"…")) // initials will do
		}
	}))
	// Output:
	// [feature_flag.key=string feature_flag.result.variant=red feature_flag.result.value=#ff0000 feature_flag.result.reason=static feature_flag.context.id=a…]
}

func ExampleWithExcludedAttributes() {
	printEvaluation("string", hooks.WithExcludedAttributes("feature_flag.context.id", "feature_flag.result.value"))
	// Output:
	// [feature_flag.key=string feature_flag.result.variant=red feature_flag.result.reason=static]
}

func ExampleWithMaxValueBytes() {
	printEvaluation("object", hooks.WithMaxValueBytes(10), hooks.WithoutContextID())
	// Output:
	// [feature_flag.key=object feature_flag.result.variant=full feature_flag.result.value={"a":nu… feature_flag.result.reason=static]
}

func ExampleWithVariantOverValue() {
	printEvaluation("string", hooks.WithVariantOverValue(), hooks.WithoutContextID()) // the variant says it
	printEvaluation("none", hooks.WithVariantOverValue(), hooks.WithoutContextID())   // there is none, because it failed
	// Output:
	// [feature_flag.key=string feature_flag.result.variant=red feature_flag.result.reason=static]
	// [feature_flag.key=none feature_flag.result.value=null feature_flag.result.reason=error error.type=flag_not_found error.message=flag for key none not found]
}

func ExampleWithoutValues() {
	printEvaluation("string", hooks.WithoutValues())
	// Output:
	// [feature_flag.key=string feature_flag.result.variant=red feature_flag.result.reason=static feature_flag.context.id=anna]
}

func ExampleWithoutContextID() {
	printEvaluation("string", hooks.WithoutContextID())
	// Output:
	// [feature_flag.key=string feature_flag.result.variant=red feature_flag.result.value=#ff0000 feature_flag.result.reason=static]
}

func ExampleWithFlagFilter() {
	onlyShop := hooks.WithFlagFilter(func(flagKey string) bool { return strings.HasPrefix(flagKey, "shop.") })
	printEvaluation("string", onlyShop)
	printEvaluation("shop.banner", onlyShop, hooks.WithoutContextID())
	// Output:
	// [feature_flag.key=shop.banner feature_flag.result.value=null feature_flag.result.reason=error error.type=flag_not_found error.message=flag for key shop.banner not found]
}

// A part of all evaluations is enough for a dashboard.
func ExampleWithSampling() {
	client, shutdown := demo()
	defer shutdown()
	analytics := provider()
	client.AddHooks(hooks.NewEvaluationHook(hooks.NewTrackerSink(analytics),
		hooks.WithSampling(0.1), hooks.WithoutDeduplication()))

	for range 10_000 {
		client.Boolean(context.Background(), "bool", false, openfeature.NewEvaluationContext("anna", nil))
	}
	sampled := len(analytics.TrackingEvents("feature_flag.evaluation"))
	fmt.Println("about a tenth:", sampled > 500 && sampled < 1500)
	// Output: about a tenth: true
}

// Any sink can have one event for each user, flag and variant.
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

// Events named after the flag, with a value to sum up, so that each flag can be a metric of its own.
func ExampleWithTrackingNameFunc() {
	analytics := provider()
	client, shutdown := demo()
	defer shutdown()
	client.AddHooks(hooks.NewEvaluationHook(hooks.NewTrackerSink(analytics,
		hooks.WithTrackingNameFunc(func(event hooks.Event) string { return "exposure." + event.FlagKey }),
		hooks.WithTrackingValue(1),
	)))

	client.Boolean(context.Background(), "bool", false, openfeature.NewEvaluationContext("anna", nil))
	for _, event := range analytics.TrackingEvents("exposure.bool") {
		fmt.Println(event.Value, event.Data["feature_flag.result.variant"])
	}
	// Output: 1 on
}

// collecting is a sink that looks at events later: the attributes of what it gets are used again once Emit has returned.
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
	client.AddHooks(hooks.NewEvaluationHook(&sink, hooks.WithoutContextID()))

	anna := openfeature.NewEvaluationContext("anna", nil)
	client.Boolean(context.Background(), "bool", false, anna)
	client.String(context.Background(), "string", "", anna)
	for _, event := range sink.events {
		fmt.Println(event.Attribute("feature_flag.result.value"))
	}
	// Output:
	// true true
	// #ff0000 true
}

// broken is a sink with a fault in it.
type broken struct{ printing }

func (broken) Emit(context.Context, hooks.Event) { panic("out of order") }

// A sink that panics costs its events, and one line in the log. Evaluations go on.
func ExampleWithLogger() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, attr slog.Attr) slog.Attr {
			if attr.Key == slog.TimeKey || attr.Key == "stack" { // for an output that stays the same
				return slog.Attr{}
			}
			return attr
		},
	}))
	client, shutdown := demo()
	defer shutdown()
	client.AddHooks(hooks.NewEvaluationHook(broken{}, hooks.WithLogger(logger)))

	for range 2 {
		fmt.Println(client.Boolean(context.Background(), "bool", false, openfeature.EvaluationContext{}))
	}
	// Output:
	// level=ERROR msg="feature flag evaluation event lost to a panic; further ones of this hook are not logged" sink=hooks_test.broken panic=string
	// true
	// true
}
