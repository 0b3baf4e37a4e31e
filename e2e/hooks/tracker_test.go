package hooks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"
	"github.com/open-feature/go-sdk/openfeature/memprovider"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/hooks"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest/ldmatchers"
)

const exposure = "feature_flag.evaluation"

var sandy = openfeature.NewEvaluationContext("sandy", map[string]any{"plan": "gold"})

func newBox() *launchdarklytest.Server {
	box := launchdarklytest.NewServer()
	DeferCleanup(box.Close)
	return box
}

// connect returns a provider for the box, which is not registered with OpenFeature. The box should
// have its flags already, because a flag that is set later arrives asynchronously.
func connect(box *launchdarklytest.Server, options ...launchdarkly.Option) *launchdarkly.Provider {
	GinkgoHelper()
	options = append([]launchdarkly.Option{
		launchdarkly.WithConfig(box.Config()), launchdarkly.WithLogger(slog.New(slog.DiscardHandler)),
	}, options...)
	provider, err := launchdarkly.NewProvider(box.SDKKey(), options...)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(provider.Shutdown)
	return provider
}

// register registers the provider with an isolated API.
func register(ctx context.Context, provider openfeature.FeatureProvider) (*openfeature.EvaluationAPI, *openfeature.Client) {
	GinkgoHelper()
	api := isolated.NewAPI()
	Expect(api.SetProviderAndWait(ctx, provider)).To(Succeed())
	return api, api.NewClient()
}

var _ = Describe("A hook that tracks evaluations", func() {
	It("reports an exposure to LaunchDarkly once, for the evaluated context", func(ctx SpecContext) {
		box := newBox()
		box.SetValue("new-checkout", ldvalue.Bool(true))
		provider := connect(box)
		api, client := register(ctx, provider)
		api.AddHooks(hooks.NewEvaluationHook(hooks.NewTrackerSink(provider, hooks.WithTrackingValue(math.NaN()))))
		client.SetEvaluationContext(openfeature.NewTargetlessEvaluationContext(map[string]any{"region": "eu"}))

		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				defer GinkgoRecover()
				for range 100 {
					Expect(client.BooleanValue(ctx, "new-checkout", false, sandy)).To(BeTrue())
				}
			})
		}
		wait.Wait()
		Expect(provider.Flush(ctx)).To(Succeed())

		Expect(box.CustomEvents()).To(HaveLen(1))
		Expect(box).To(ldmatchers.HaveReceived(ldmatchers.CustomEvent(exposure).
			WithoutMetric().
			WithData(map[string]any{
				"feature_flag.key":            "new-checkout",
				"feature_flag.provider.name":  "LaunchDarkly",
				"feature_flag.result.variant": "0",
				"feature_flag.result.reason":  "default",
				"feature_flag.context.id":     "sandy",
				"launchdarkly.reason.kind":    "fallthrough",
			}).
			WithContext(map[string]any{"kind": "user", "key": "sandy", "plan": "gold", "region": "eu"})))
	})

	It("reports each flag that is evaluated for a context", func(ctx SpecContext) {
		box := newBox()
		box.SetValue("header", ldvalue.Bool(true))
		box.SetValue("footer", ldvalue.Bool(true))
		provider := connect(box)
		_, client := register(ctx, provider)
		client.AddHooks(hooks.NewEvaluationHook(hooks.NewTrackerSink(provider)))
		for range 2 {
			for _, flag := range []string{"header", "footer"} {
				Expect(client.BooleanValue(ctx, flag, false, sandy)).To(BeTrue())
			}
		}
		Expect(provider.Flush(ctx)).To(Succeed())
		Expect(box.CustomEvents()).To(ConsistOf(
			ldmatchers.CustomEvent(exposure).WithData(HaveKeyWithValue("feature_flag.key", "header")),
			ldmatchers.CustomEvent(exposure).WithData(HaveKeyWithValue("feature_flag.key", "footer")),
		))
	})

	It("reports flags of another provider to LaunchDarkly", func(ctx SpecContext) {
		box := newBox()
		provider := connect(box)
		_, client := register(ctx, memprovider.NewInMemoryProvider(map[string]memprovider.InMemoryFlag{
			"headline": {
				State: memprovider.Enabled, DefaultVariant: "warm",
				Variants: map[string]any{"warm": "Hello", "cold": "Welcome"},
			},
		}))
		client.AddHooks(hooks.NewEvaluationHook(hooks.NewTrackerSink(provider, hooks.WithTrackingName("exposure"))))

		for range 3 {
			Expect(client.StringValue(ctx, "headline", "", sandy)).To(Equal("Hello"))
		}
		Expect(client.StringValue(ctx, "headline", "", openfeature.NewEvaluationContext("alex", nil))).To(Equal("Hello"))
		Expect(provider.Flush(ctx)).To(Succeed())

		Expect(box.CustomEvents("exposure")).To(HaveLen(2))
		for _, key := range []string{"sandy", "alex"} {
			Expect(box).To(ldmatchers.HaveReceived(ldmatchers.CustomEvent("exposure").
				ForContext("user", key).
				WithData(map[string]any{
					"feature_flag.key":            "headline",
					"feature_flag.provider.name":  "InMemoryProvider",
					"feature_flag.result.variant": "warm",
					"feature_flag.result.reason":  "static",
					"feature_flag.context.id":     key,
				})).Times(1))
		}
	})

	It("works as a provider hook, and reports errors", func(ctx SpecContext) {
		api := isolated.NewAPI()
		client := api.NewClient()
		box := newBox()
		provider := connect(box, launchdarkly.WithHooks(
			hooks.NewEvaluationHook(hooks.NewTrackerSink(client), hooks.WithoutDeduplication())))
		Expect(api.SetProviderAndWait(ctx, provider)).To(Succeed())

		for range 2 {
			_, err := client.BooleanValue(ctx, "no-such-flag", true, sandy)
			Expect(err).To(HaveOccurred())
		}
		Expect(provider.Flush(ctx)).To(Succeed())

		Expect(box.CustomEvents()).To(HaveLen(2))
		Expect(box).To(ldmatchers.HaveReceived(ldmatchers.CustomEvent(exposure).WithData(And(
			HaveKeyWithValue("error.type", "flag_not_found"),
			HaveKeyWithValue("feature_flag.error.message", ContainSubstring("no-such-flag")),
			HaveKeyWithValue("error.message", ContainSubstring("no-such-flag")),
			HaveKeyWithValue("feature_flag.result.value", true),
			HaveKeyWithValue("feature_flag.result.reason", "error"),
		))).Times(2))
	})

	It("reports an evaluation in which another hook failed", func(ctx SpecContext) {
		box := newBox()
		box.SetValue("flag", ldvalue.Bool(true))
		provider := connect(box)
		_, client := register(ctx, provider)
		client.AddHooks(failing{}, hooks.NewEvaluationHook(hooks.NewTrackerSink(provider)))

		_, err := client.BooleanValue(ctx, "flag", false, sandy)
		Expect(err).To(HaveOccurred())
		Expect(provider.Flush(ctx)).To(Succeed())

		Expect(box).To(ldmatchers.HaveReceived(ldmatchers.CustomEvent(exposure).WithData(And(
			HaveKeyWithValue("error.type", "general"),
			HaveKeyWithValue("feature_flag.error.message", ContainSubstring("not allowed")),
			HaveKeyWithValue("feature_flag.result.value", false),
			HaveKeyWithValue("feature_flag.result.reason", "error"),
		))).Times(1))
	})

	It("does not change evaluations if a sink panics", func(ctx SpecContext) {
		box := newBox()
		box.SetValue("flag", ldvalue.Int(7))
		provider := connect(box)
		api, client := register(ctx, provider)
		api.AddHooks(hooks.NewEvaluationHook(panicking{}, hooks.WithLogger(slog.New(slog.DiscardHandler))))
		Expect(client.IntValue(ctx, "flag", 0, sandy)).To(BeEquivalentTo(7))
	})
})

// failing is a hook whose before stage always fails.
type failing struct{ openfeature.UnimplementedHook }

func (failing) Before(context.Context, openfeature.HookContext, openfeature.HookHints) (*openfeature.EvaluationContext, error) {
	return nil, errors.New("not allowed")
}

type panicking struct{}

func (panicking) Enabled(context.Context) bool      { return true }
func (panicking) Emit(context.Context, hooks.Event) { panic("broken sink") }

var _ = Describe("A hook that logs evaluations", func() {
	It("writes typed attributes, without those that are excluded", func(ctx SpecContext) {
		box := newBox()
		box.SetValue("limit", ldvalue.Int(500))
		provider := connect(box)
		var out bytes.Buffer
		logger := slog.New(slog.NewJSONHandler(&out, nil))
		_, client := register(ctx, provider)
		client.AddHooks(hooks.NewEvaluationHook(hooks.NewMultiSink(
			hooks.NewSlogSink(logger, slog.LevelInfo),
			hooks.NewSlogSink(logger, slog.LevelDebug), // below the logger's level
		), hooks.WithExcludedAttributes("feature_flag.context.id")))

		Expect(client.IntValue(ctx, "limit", 0, sandy)).To(BeEquivalentTo(500))

		var record map[string]any
		decoder := json.NewDecoder(&out)
		Expect(decoder.Decode(&record)).To(Succeed())
		Expect(decoder.More()).To(BeFalse(), "one record")
		Expect(time.Parse(time.RFC3339, record["time"].(string))).NotTo(BeZero())
		delete(record, "time")
		Expect(record).To(Equal(map[string]any{
			"level":                       "INFO",
			"msg":                         exposure,
			"feature_flag.key":            "limit",
			"feature_flag.provider.name":  "LaunchDarkly",
			"feature_flag.result.variant": "0",
			"feature_flag.result.reason":  "default",
			"launchdarkly.reason.kind":    "fallthrough",
		}))
	})
})
