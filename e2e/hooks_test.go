package e2e

import (
	"context"
	"math"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/hooks"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest/ldmatchers"
)

var _ = Describe("A hook that tracks evaluations", func() {
	const exposure = "feature_flag.evaluation"

	It("reports an exposure to LaunchDarkly once, for the evaluated context", func() {
		p := start(serving("a"))
		p.api.AddHooks(hooks.NewEvaluationHook(hooks.NewTrackerSink(p.provider, hooks.WithTrackingValue(math.NaN()))))
		p.client.SetEvaluationContext(user("", "region", "eu"))
		var evaluations sync.WaitGroup
		for range 8 {
			evaluations.Go(func() {
				defer GinkgoRecover()
				for range 100 {
					Expect(p.client.StringValue(context.Background(), "flag", "", user("sandy", "plan", "gold"))).To(Equal("a"))
				}
			})
		}
		evaluations.Wait()
		p.flush()
		Expect(p.box.CustomEvents()).To(ConsistOf(ldmatchers.CustomEvent(exposure).
			WithoutMetric().
			WithData(map[string]any{
				"feature_flag.key":            "flag",
				"feature_flag.provider.name":  "LaunchDarkly",
				"feature_flag.result.variant": "0",
				"feature_flag.result.reason":  "default",
				"feature_flag.context.id":     "sandy",
				"launchdarkly.reason.kind":    "fallthrough",
			}).
			WithContext(map[string]any{"kind": "user", "key": "sandy", "plan": "gold", "region": "eu"})))
	})

	It("reports flags of another provider to LaunchDarkly, once for each context", func() {
		p := start()
		api, _ := newAPI()
		Expect(api.SetProviderAndWait(waiting(), remembered("Hello", "headline"))).To(Succeed())
		client := api.NewClient()
		client.AddHooks(hooks.NewEvaluationHook(hooks.NewTrackerSink(p.provider, hooks.WithTrackingName("exposure"))))
		for _, key := range []string{"sandy", "sandy", "alex"} {
			Expect(client.StringValue(context.Background(), "headline", "", user(key))).To(Equal("Hello"))
		}
		p.flush()
		reported := func(key string) *ldmatchers.EventMatcher {
			return ldmatchers.CustomEvent("exposure").ForContext("user", key).WithData(map[string]any{
				"feature_flag.key":            "headline",
				"feature_flag.provider.name":  "InMemoryProvider",
				"feature_flag.result.variant": "only",
				"feature_flag.result.reason":  "static",
				"feature_flag.context.id":     key,
			})
		}
		Expect(p.box.CustomEvents()).To(ConsistOf(reported("sandy"), reported("alex")))
	})

	It("works as a provider hook, and reports errors", func() {
		api, _ := newAPI()
		client := api.NewClient()
		p := newProgram(options(launchdarkly.WithHooks(
			hooks.NewEvaluationHook(hooks.NewTrackerSink(client), hooks.WithoutDeduplication()))))
		Expect(api.SetProviderAndWait(waiting(), p.provider)).To(Succeed())
		for range 2 {
			_, err := client.BooleanValue(context.Background(), "no-such-flag", true, sandy)
			Expect(err).To(HaveOccurred())
		}
		p.flush()
		Expect(p.box.CustomEvents()).To(HaveLen(2))
		Expect(p.box.CustomEvents()).To(HaveEach(ldmatchers.CustomEvent(exposure).WithData(And(
			HaveKeyWithValue("error.type", "flag_not_found"),
			HaveKeyWithValue("feature_flag.error.message", ContainSubstring("no-such-flag")),
			HaveKeyWithValue("feature_flag.result.value", true),
			HaveKeyWithValue("feature_flag.result.reason", "error"),
		))))
	})
})
