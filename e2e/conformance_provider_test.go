package e2e

import (
	"context"
	"errors"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest/ldmatchers"
)

// onlyFor adds a flag that serves one context another value than all others.
func onlyFor(box *launchdarklytest.Server, key string) {
	box.SetFlags(ldbuilders.NewFlagBuilder("targeted").On(true).FallthroughVariation(0).AddTarget(1, key).
		Variations(ldvalue.String("for others"), ldvalue.String("for "+key)).Build())
}

// normalDecisions evaluates all flags of decisions that LaunchDarkly evaluates without an error.
func normalDecisions(p *program) map[string]outcome {
	GinkgoHelper()
	outcomes := make(map[string]outcome)
	dutch := user("sandy", "country", "NL")
	for flag, who := range map[string]openfeature.EvaluationContext{
		"plain": sandy, "off": sandy, "off-for-nothing": sandy, "targeted": sandy, "segment": sandy, "needs-off": sandy,
		"needs-plain": sandy, "rollout": sandy, "experiment": sandy, "second-rule": dutch, "experiment-rule": dutch,
		"org-targeted": user("acme", "kind", "org"),
	} {
		outcomes[flag] = decision(p, flag, who)
		Expect(outcomes[flag].err).NotTo(HaveOccurred())
	}
	return outcomes
}

var _ = Describe("OpenFeature 2, the provider", func() {
	It("2.1.1 the provider is named LaunchDarkly", func() {
		p := start()
		Expect(p.provider.Metadata()).To(Equal(openfeature.Metadata{Name: "LaunchDarkly"}))
		Eventually(p.events.counter(openfeature.ProviderReady)).Should(Equal(1))
		Expect(p.events.of(openfeature.ProviderReady)[0].ProviderName).To(Equal("LaunchDarkly"))
	})

	Describe("flag resolution", func() {
		It("2.2.1 resolution takes a flag key, a default and an evaluation context, and returns details", func() {
			p := start(given(decisions))
			resolve := func(flag string, flat openfeature.FlattenedContext) openfeature.StringResolutionDetail {
				return p.provider.StringEvaluation(context.Background(), flag, "default", flat)
			}
			found := resolve("targeted", openfeature.FlattenedContext{openfeature.TargetingKey: "sandy"})
			Expect(found.Value).To(Equal("b"))
			Expect(found.ResolutionDetail()).To(Equal(openfeature.ResolutionDetail{
				Variant: "1", Reason: openfeature.TargetingMatchReason,
				FlagMetadata: openfeature.FlagMetadata{"reasonKind": "TARGET_MATCH", "variationIndex": 1},
			}))
			Expect(resolve("unknown", openfeature.FlattenedContext{openfeature.TargetingKey: "sandy"}).Value).
				To(Equal("default"))
			Expect(p.provider.ObjectEvaluation(context.Background(), "unknown", theme, nil).Value).To(BeIdenticalTo(theme))
			Expect(resolve("targeted", nil).ResolutionDetail().ErrorCode).To(Equal(openfeature.TargetingKeyMissingCode))
		})

		It("2.2.2.1 resolution supports booleans, strings, integers, floats and structures", func() {
			p := start(given(typed))
			ctx, flat := context.Background(), openfeature.FlattenedContext{openfeature.TargetingKey: "sandy"}
			Expect(p.provider.BooleanEvaluation(ctx, "boolean", false, flat).Value).To(BeTrue())
			Expect(p.provider.StringEvaluation(ctx, "string", "default", flat).Value).To(Equal("green"))
			Expect(p.provider.IntEvaluation(ctx, "integer", 7, flat).Value).To(Equal(int64(42)))
			Expect(p.provider.FloatEvaluation(ctx, "float", 7.5, flat).Value).To(Equal(2.5))
			Expect(p.provider.ObjectEvaluation(ctx, "object", nil, flat).Value).To(Equal(map[string]any{"color": "green"}))
		})

		It("2.2.3 resolution returns LaunchDarkly's value, including false, the empty string and 0", func() {
			p := start(given(func(box *launchdarklytest.Server) {
				box.SetValue("boolean", ldvalue.Bool(false))
				box.SetValue("string", ldvalue.String(""))
				box.SetValue("integer", ldvalue.Int(0))
				box.SetValue("float", ldvalue.Float64(0))
				box.SetValue("object", ldvalue.ObjectBuild().Build())
			}))
			ctx := context.Background()
			Expect(p.client.BooleanValue(ctx, "boolean", true, sandy)).To(BeFalse())
			Expect(p.client.StringValue(ctx, "string", "default", sandy)).To(BeEmpty())
			Expect(p.client.IntValue(ctx, "integer", 7, sandy)).To(BeZero())
			Expect(p.client.FloatValue(ctx, "float", 7.5, sandy)).To(BeZero())
			Expect(p.client.ObjectValue(ctx, "object", theme, sandy)).To(Equal(map[string]any{}))
		})

		It("2.2.4 resolution returns the variation index as the variant for each type", func() {
			p := start(given(func(box *launchdarklytest.Server) {
				for name, values := range map[string][]any{
					"boolean": {true, false}, "string": {"a", "b"}, "integer": {1, 2}, "float": {0.5, 1.5}, "object": {nil, []any{}},
				} {
					box.SetFlags(ldbuilders.NewFlagBuilder(name).On(true).FallthroughVariation(1).
						Variations(ldvalue.CopyArbitraryValue(values[0]), ldvalue.CopyArbitraryValue(values[1])).Build())
				}
			}))
			for _, o := range eachType(p.client, "", sandy) {
				Expect(o.Variant).To(Equal("1"), o.FlagKey)
			}
		})

		It("2.2.5 resolution returns LaunchDarkly's reason or, with standard reasons, one of the specification's", func() {
			reasons := func(opts ...launchdarkly.Option) map[string]openfeature.Reason {
				reasons := make(map[string]openfeature.Reason)
				for flag, o := range normalDecisions(start(given(decisions), options(opts...))) {
					reasons[flag] = o.Reason
				}
				return reasons
			}
			Expect(reasons()).To(Equal(map[string]openfeature.Reason{
				"plain": "FALLTHROUGH", "needs-plain": "FALLTHROUGH", "rollout": "FALLTHROUGH", "experiment": "FALLTHROUGH",
				"off": "DISABLED", "off-for-nothing": "DISABLED", "targeted": "TARGETING_MATCH",
				"org-targeted": "TARGETING_MATCH", "needs-off": "PREREQUISITE_FAILED", "segment": "RULE_MATCH",
				"second-rule": "RULE_MATCH", "experiment-rule": "RULE_MATCH",
			}))
			Expect(reasons(launchdarkly.WithStandardReasons())).To(Equal(map[string]openfeature.Reason{
				"plain": "DEFAULT", "needs-plain": "DEFAULT", "rollout": "DEFAULT", "experiment": "SPLIT",
				"off": "DISABLED", "off-for-nothing": "DISABLED", "targeted": "TARGETING_MATCH",
				"org-targeted": "TARGETING_MATCH", "needs-off": "DEFAULT", "segment": "TARGETING_MATCH",
				"second-rule": "TARGETING_MATCH", "experiment-rule": "SPLIT",
			}))
		})

		It("2.2.6 resolution returns no error code if it succeeds", func() {
			for flag, o := range normalDecisions(start(given(decisions))) {
				Expect(o.ErrorCode).To(BeEmpty(), flag)
			}
		})

		DescribeTable("2.2.7 resolution returns an error with an error code if it fails",
			func(choices []func(*setup), flag string, evaluationContext openfeature.EvaluationContext,
				code openfeature.ErrorCode, kind, message string,
			) {
				p := newProgram(choices...)
				_ = p.register()
				details, err := p.client.BooleanValueDetails(context.Background(), flag, true, evaluationContext)
				Expect(err).To(HaveOccurred())
				Expect(details.Value).To(BeTrue())
				Expect(details.Reason).To(Equal(openfeature.ErrorReason))
				Expect(details.ErrorCode).To(Equal(code))
				Expect(details.ErrorMessage).To(ContainSubstring(message))
				Expect(details.Variant).To(BeEmpty())
				Expect(details.FlagMetadata).To(Equal(openfeature.FlagMetadata{"reasonKind": "ERROR", "errorKind": kind}))

				// The multi-provider uses the provider's detail directly.
				direct := p.provider.BooleanEvaluation(
					context.Background(), flag, true, openfeature.FlattenedContext(flat(evaluationContext)))
				Expect(direct.Value).To(BeTrue())
				Expect(direct.Reason).To(Equal(openfeature.ErrorReason))
				Expect(direct.ResolutionDetail().ErrorCode).To(Equal(code))
			},
			Entry("because no flags have arrived yet", []func(*setup){
				given((*launchdarklytest.Server).HoldStreams), options(launchdarkly.WithInitTimeout(1)),
			}, "plain", sandy, openfeature.ProviderNotReadyCode, "CLIENT_NOT_READY", "before LaunchDarkly client initialization"),
			Entry("because the flag does not exist", []func(*setup){given(decisions)},
				"unknown", sandy, openfeature.FlagNotFoundCode, "FLAG_NOT_FOUND", "unknown feature key: unknown"),
			Entry("because the flag is malformed", []func(*setup){given(decisions)},
				"broken", sandy, openfeature.ParseErrorCode, "MALFORMED_FLAG", "MALFORMED_FLAG"),
			Entry("because the flag has another type", []func(*setup){given(decisions)},
				"plain", sandy, openfeature.TypeMismatchCode, "WRONG_TYPE", "WRONG_TYPE"),
			Entry("because there is no key", []func(*setup){given(decisions)},
				"plain", user(""), openfeature.TargetingKeyMissingCode, "USER_NOT_SPECIFIED", "targeting key missing"),
			Entry("because the context is invalid", []func(*setup){given(decisions)},
				"plain", user("sandy", "kind", "a b"), openfeature.InvalidContextCode, "USER_NOT_SPECIFIED", "kind"),
			Entry("because the store of flags fails", []func(*setup){given(decisions), configure(func(c *ld.Config) {
				c.DataStore = brokenStore{}
			})}, "plain", sandy, openfeature.GeneralCode, "EXCEPTION", "the store is broken"),
		)

		It("2.2.9 resolution returns flag metadata, whether it succeeds or fails", func() {
			p := start(given(decisions))
			for flag, o := range normalDecisions(p) {
				Expect(o.FlagMetadata).To(HaveKey(launchdarkly.MetadataReasonKind), flag)
			}
			Expect(decision(p, "unknown", sandy).FlagMetadata).To(HaveKeyWithValue(
				launchdarkly.MetadataErrorKind, "FLAG_NOT_FOUND"))
		})

		It("2.2.10 resolution returns flag metadata of booleans, strings and numbers", func() {
			p := start(given(decisions))
			metadata := normalDecisions(p)["experiment-rule"].FlagMetadata
			Expect(metadata.GetString(launchdarkly.MetadataReasonKind)).To(Equal("RULE_MATCH"))
			Expect(metadata.GetString(launchdarkly.MetadataRuleID)).To(Equal("dutch"))
			Expect(metadata.GetInt(launchdarkly.MetadataRuleIndex)).To(Equal(int64(0)))
			Expect(metadata.GetBool(launchdarkly.MetadataInExperiment)).To(BeTrue())
			for flag, o := range normalDecisions(p) {
				for key, v := range o.FlagMetadata {
					Expect(v).To(Or(BeAssignableToTypeOf(""), BeAssignableToTypeOf(0), BeAssignableToTypeOf(true)), flag+" "+key)
				}
			}
		})
	})

	Describe("hooks and messages", func() {
		It("2.3.1 the provider's hooks run in each evaluation", func() {
			var notes journal
			p := start(serving("a"), options(launchdarkly.WithHooks(notes.hook("first"), notes.hook("second"))))
			value(p.client)
			Expect(notes.all()).To(Equal([]string{
				"before first", "before second", "after second", "after first", "finally second", "finally first",
			}))
		})

		It("2.3.2 resolution returns no error message if it succeeds", func() {
			for flag, o := range normalDecisions(start(given(decisions))) {
				Expect(o.ErrorMessage).To(BeEmpty(), flag)
			}
		})

		It("2.3.3 resolution returns an error message that names the cause if it fails", func() {
			p := start(given(decisions))
			Expect(decision(p, "unknown", sandy).ErrorMessage).To(ContainSubstring("unknown feature key: unknown"))
			Expect(outcomeOf(p.client.BooleanValueDetails(context.Background(), "plain", true, sandy)).ErrorMessage).
				To(ContainSubstring("WRONG_TYPE"))
			keyless := user("", "kind", "multi", "user", pairs("key", "sandy"), "org", pairs("name", "Acme"))
			Expect(decision(p, "plain", keyless).ErrorMessage).To(ContainSubstring(`"org"`))
		})
	})

	Describe("lifecycle", func() {
		It("2.4.1 the provider is initialized with the API's evaluation context, and evaluations follow its changes", func() {
			p := newProgram(given(decisions))
			p.api.SetEvaluationContext(sandy)
			Expect(p.register()).To(Succeed())
			Expect(decision(p, "targeted", openfeature.EvaluationContext{}).value).To(Equal("b"))
			p.api.SetEvaluationContext(user("kim"))
			Expect(decision(p, "targeted", openfeature.EvaluationContext{}).value).To(Equal("a"), "and a new one at once")
		})

		It("2.4.2.1 initialization fails permanently with an invalid SDK key, and temporarily without a response", func() {
			fatal, ok := errors.AsType[*openfeature.ProviderInitError](newProgram(wrongKey).register())
			Expect(ok).To(BeTrue())
			Expect(fatal.ErrorCode).To(Equal(openfeature.ProviderFatalCode))

			late := newProgram(serving("a"), given((*launchdarklytest.Server).HoldStreams), impatient)
			err := late.register()
			Expect(err).To(MatchError(ld.ErrInitializationTimeout))
			_, ok = errors.AsType[*openfeature.ProviderInitError](err)
			Expect(ok).To(BeFalse())
			late.box.ReleaseStreams()
			Eventually(value).WithArguments(late.client).Should(Equal("a"))
		})

		It("2.5.1 the provider's shutdown delivers tracked and evaluation events, and closes connections", func() {
			p := start(serving("a"))
			value(p.client)
			for range 10 {
				p.client.Track(context.Background(), "checkout", sandy, details(1))
			}
			Expect(p.provider.ShutdownWithContext(waiting())).To(Succeed())
			Expect(p.box.CustomEvents("checkout")).To(HaveLen(10))
			Expect(p.box.EventCount(launchdarklytest.KindSummary)).To(Equal(1))
			Eventually(p.box.Streams).Should(BeZero())
		})

		It("2.5.2 the provider is not ready after a shutdown until it is initialized again", func() {
			p := start(serving("a"))
			Expect(p.api.Shutdown(waiting())).To(Succeed())
			failed := decision(p, "flag", sandy)
			Expect(failed.value).To(Equal("default"))
			Expect(failed.ErrorCode).To(Equal(openfeature.ProviderNotReadyCode))

			p.useNewAPI()
			Expect(p.register()).To(Succeed())
			Expect(value(p.client)).To(Equal("a"))
			p.track("checkout", sandy, details(1))
			Expect(p.box).To(ldmatchers.HaveReceived(ldmatchers.CustomEvent("checkout")))
		})

		It("2.5.3 a second shutdown of the provider does nothing", func() {
			p := start(serving("a"))
			value(p.client)
			p.client.Track(context.Background(), "checkout", sandy, details(1))
			Expect(p.provider.ShutdownWithContext(waiting())).To(Succeed())
			requests, stats := len(p.box.Requests()), p.provider.Stats()
			Expect(p.provider.ShutdownWithContext(waiting())).To(Succeed())
			p.provider.Shutdown()
			Expect(p.api.Shutdown(waiting())).To(Succeed())
			Expect(p.box.Requests()).To(HaveLen(requests))
			Expect(p.provider.Stats()).To(Equal(stats))
			Expect(p.problems.all()).To(BeEmpty())
		})
	})

	It("2.7.1 tracking does not wait for delivery", func() {
		p := start(fastRetries)
		p.box.RefuseEvents(503)
		for range 10 {
			p.client.Track(context.Background(), "checkout", sandy, details(99.77, "currency", "EUR"))
		}
		Expect(p.provider.Stats().Tracked).To(Equal(uint64(10)))
		Expect(p.box.CustomEvents()).To(BeEmpty())
		p.box.AcceptEvents()
		p.flush()
		Expect(p.box).To(ldmatchers.HaveReceived(
			ldmatchers.CustomEvent("checkout").WithMetric(99.77).WithData(pairs("currency", "EUR"))).Times(10))
	})
})
