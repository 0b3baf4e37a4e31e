package e2e

import (
	"context"
	"errors"
	"maps"
	"math"
	"strconv"
	"sync"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/ldhooks"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoretypes"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest/ldmatchers"
)

// decisions sets flags that LaunchDarkly evaluates with each of its reasons.
func decisions(box *launchdarklytest.Server) {
	flag := func(key string) *ldbuilders.FlagBuilder {
		return ldbuilders.NewFlagBuilder(key).On(true).
			Variations(ldvalue.String("a"), ldvalue.String("b"), ldvalue.String("c")).
			FallthroughVariation(0).OffVariation(2).Salt("salt")
	}
	dutch := ldbuilders.NewRuleBuilder().ID("dutch").Variation(1).
		Clauses(ldbuilders.Clause("country", ldmodel.OperatorIn, ldvalue.String("NL")))
	box.SetSegments(ldbuilders.NewSegmentBuilder("friends").Included("sandy").Build())
	box.SetFlags(
		flag("plain").Build(),
		flag("off").On(false).Build(),
		ldbuilders.NewFlagBuilder("off-for-nothing").On(false).Variations(ldvalue.String("unused")).Build(),
		flag("targeted").AddTarget(1, "sandy").Build(),
		flag("org-targeted").AddContextTarget("org", 1, "acme").Build(),
		flag("second-rule").
			AddRule(ldbuilders.NewRuleBuilder().ID("never").Variation(2).
				Clauses(ldbuilders.Clause("country", ldmodel.OperatorIn, ldvalue.String("XX")))).
			AddRule(dutch).Build(),
		flag("segment").
			AddRule(ldbuilders.NewRuleBuilder().ID("friends").Variation(1).Clauses(ldbuilders.SegmentMatchClause("friends"))).
			Build(),
		flag("needs-off").AddPrerequisite("off", 0).Build(),
		flag("needs-plain").AddPrerequisite("plain", 0).Build(),
		flag("rollout").Fallthrough(ldbuilders.Rollout(ldbuilders.Bucket(1, 100_000))).Build(),
		flag("experiment").
			Fallthrough(ldbuilders.Experiment(ldvalue.NewOptionalInt(1), ldbuilders.Bucket(1, 100_000))).Build(),
		flag("experiment-rule").AddRule(ldbuilders.NewRuleBuilder().ID("dutch").
			Clauses(ldbuilders.Clause("country", ldmodel.OperatorIn, ldvalue.String("NL"))).
			VariationOrRollout(ldbuilders.Experiment(ldvalue.NewOptionalInt(1), ldbuilders.Bucket(1, 100_000)))).Build(),
		flag("broken").FallthroughVariation(7).Build(),
	)
}

var _ = Describe("Evaluation", func() {
	DescribeTable("returns the value of each type",
		func(define ldvalue.Value, evaluate func(*openfeature.Client) (any, openfeature.ResolutionDetail, error), want any) {
			p := start(given(func(box *launchdarklytest.Server) { box.SetValue("flag", define) }))
			value, detail, err := evaluate(p.client)
			Expect(err).NotTo(HaveOccurred())
			Expect(value).To(Equal(want))
			Expect(detail.Variant).To(Equal("0"))
			Expect(detail.Reason).To(Equal(openfeature.Reason("FALLTHROUGH")))
			Expect(detail.ErrorCode).To(BeEmpty())
			Expect(detail.FlagMetadata).To(Equal(openfeature.FlagMetadata{"reasonKind": "FALLTHROUGH", "variationIndex": 0}))
		},
		Entry("boolean", ldvalue.Bool(true), boolean(false), true),
		Entry("string", ldvalue.String("green"), text("red"), "green"),
		Entry("number", ldvalue.Float64(2.5), float(1), 2.5),
		Entry("whole number", ldvalue.Int(42), integer(1), int64(42)),
		Entry("object", ldvalue.ObjectBuild().Set("a", ldvalue.Int(1)).Build(), object(nil), map[string]any{"a": 1.0}),
	)

	DescribeTable("returns LaunchDarkly's reason and, with standard reasons, OpenFeature's",
		func(flag string, evaluationContext openfeature.EvaluationContext, value, variant string,
			reason, standard openfeature.Reason, metadata openfeature.FlagMetadata,
		) {
			for _, expected := range []struct {
				options []launchdarkly.Option
				reason  openfeature.Reason
			}{
				{nil, reason},
				{[]launchdarkly.Option{launchdarkly.WithStandardReasons()}, standard},
			} {
				p := start(given(decisions), options(expected.options...))
				details, err := p.client.StringValueDetails(context.Background(), flag, "default", evaluationContext)
				Expect(err).NotTo(HaveOccurred())
				Expect(details.Value).To(Equal(value))
				Expect(details.Variant).To(Equal(variant))
				Expect(details.Reason).To(Equal(expected.reason))
				want := maps.Clone(metadata)
				if index, err := strconv.Atoi(variant); err == nil {
					want["variationIndex"] = index
				}
				Expect(details.FlagMetadata).To(Equal(want))
			}
		},
		Entry("fallthrough", "plain", sandy, "a", "0", openfeature.Reason("FALLTHROUGH"), openfeature.DefaultReason,
			openfeature.FlagMetadata{"reasonKind": "FALLTHROUGH"}),
		Entry("off", "off", sandy, "c", "2", openfeature.DisabledReason, openfeature.DisabledReason,
			openfeature.FlagMetadata{"reasonKind": "OFF"}),
		Entry("target", "targeted", sandy, "b", "1", openfeature.TargetingMatchReason, openfeature.TargetingMatchReason,
			openfeature.FlagMetadata{"reasonKind": "TARGET_MATCH"}),
		Entry("target of another kind", "org-targeted", user("acme", "kind", "org"), "b", "1",
			openfeature.TargetingMatchReason, openfeature.TargetingMatchReason,
			openfeature.FlagMetadata{"reasonKind": "TARGET_MATCH", "contextId": "org:acme"}),
		Entry("rule", "second-rule", user("sandy", "country", "NL"), "b", "1",
			openfeature.Reason("RULE_MATCH"), openfeature.TargetingMatchReason,
			openfeature.FlagMetadata{"reasonKind": "RULE_MATCH", "ruleIndex": 1, "ruleId": "dutch"}),
		Entry("rule on a segment", "segment", sandy, "b", "1",
			openfeature.Reason("RULE_MATCH"), openfeature.TargetingMatchReason,
			openfeature.FlagMetadata{"reasonKind": "RULE_MATCH", "ruleIndex": 0, "ruleId": "friends"}),
		Entry("failed prerequisite", "needs-off", sandy, "c", "2",
			openfeature.Reason("PREREQUISITE_FAILED"), openfeature.DefaultReason,
			openfeature.FlagMetadata{"reasonKind": "PREREQUISITE_FAILED", "prerequisiteKey": "off"}),
		Entry("satisfied prerequisite", "needs-plain", sandy, "a", "0",
			openfeature.Reason("FALLTHROUGH"), openfeature.DefaultReason,
			openfeature.FlagMetadata{"reasonKind": "FALLTHROUGH"}),
		Entry("rollout", "rollout", sandy, "b", "1", openfeature.Reason("FALLTHROUGH"), openfeature.DefaultReason,
			openfeature.FlagMetadata{"reasonKind": "FALLTHROUGH"}),
		Entry("experiment", "experiment", sandy, "b", "1", openfeature.Reason("FALLTHROUGH"), openfeature.SplitReason,
			openfeature.FlagMetadata{"reasonKind": "FALLTHROUGH", "inExperiment": true}),
		Entry("experiment in a rule", "experiment-rule", user("sandy", "country", "NL"), "b", "1",
			openfeature.Reason("RULE_MATCH"), openfeature.SplitReason,
			openfeature.FlagMetadata{"reasonKind": "RULE_MATCH", "ruleIndex": 0, "ruleId": "dutch", "inExperiment": true}),
		Entry("off without a value", "off-for-nothing", sandy, "default", "",
			openfeature.DisabledReason, openfeature.DisabledReason, openfeature.FlagMetadata{"reasonKind": "OFF"}),
	)

	DescribeTable("returns an object for any JSON value",
		func(json string, want any) {
			p := start(given(func(box *launchdarklytest.Server) { box.SetValue("flag", ldvalue.Parse([]byte(json))) }))
			details, err := p.client.ObjectValueDetails(context.Background(), "flag", "default", sandy)
			Expect(err).NotTo(HaveOccurred())
			if want == nil {
				Expect(details.Value).To(BeNil())
			} else {
				Expect(details.Value).To(Equal(want))
			}
			Expect(details.Variant).To(Equal("0"))
		},
		Entry("object", `{"a": {"b": [1, null]}}`, map[string]any{"a": map[string]any{"b": []any{1.0, nil}}}),
		Entry("empty object", `{}`, map[string]any{}),
		Entry("array", `[1, "two", true]`, []any{1.0, "two", true}),
		Entry("empty array", `[]`, []any{}),
		Entry("string", `"s"`, "s"),
		Entry("number", `1.5`, 1.5),
		Entry("true", `true`, true),
		Entry("false", `false`, false),
		Entry("null", `null`, nil),
	)

	It("returns a separate object to each caller", func() {
		p := start(given(func(box *launchdarklytest.Server) {
			box.SetValue("flag", ldvalue.Parse([]byte(`{"list": [1], "map": {"a": 1}}`)))
		}))
		first, err := p.client.ObjectValue(context.Background(), "flag", nil, sandy)
		Expect(err).NotTo(HaveOccurred())
		first.(map[string]any)["list"].([]any)[0] = "changed"
		first.(map[string]any)["map"].(map[string]any)["a"] = "changed"
		second, err := p.client.ObjectValue(context.Background(), "flag", nil, sandy)
		Expect(err).NotTo(HaveOccurred())
		Expect(second).To(Equal(map[string]any{"list": []any{1.0}, "map": map[string]any{"a": 1.0}}))
	})

	DescribeTable("converts a number to an integer",
		func(number float64, want int64) {
			p := start(given(func(box *launchdarklytest.Server) { box.SetValue("flag", ldvalue.Float64(number)) }))
			details, err := p.client.IntValueDetails(context.Background(), "flag", -7, sandy)
			Expect(err).NotTo(HaveOccurred())
			Expect(details.Value).To(Equal(want))
		},
		Entry("whole", 3.0, int64(3)),
		Entry("with a fraction", 3.9, int64(3)),
		Entry("negative, with a fraction", -3.9, int64(-3)),
		Entry("beyond 32 bits", 4294967297.0, int64(4294967297)),
		Entry("the largest float64 below 2^63", 9223372036854774784.0, int64(9223372036854774784)),
		Entry("the smallest int64", -9223372036854775808.0, int64(math.MinInt64)),
	)

	DescribeTable("returns an error for a number outside the range of int64",
		func(number float64) {
			p := start(given(func(box *launchdarklytest.Server) { box.SetValue("flag", ldvalue.Float64(number)) }))
			details, err := p.client.IntValueDetails(context.Background(), "flag", 9007199254740993, sandy)
			Expect(err).To(HaveOccurred())
			Expect(details.Value).To(Equal(int64(9007199254740993)))
			Expect(details.ErrorCode).To(Equal(openfeature.TypeMismatchCode))
			Expect(details.Variant).To(BeEmpty())
		},
		Entry("2^63", 9223372036854775808.0),
		Entry("far too large", 1e300),
		Entry("far too small", -1e300),
	)

	// If the provider reports an error, OpenFeature's SDK itself returns the default. Here, the
	// provider has to: the flag is off and has no off variation, which is not an error.
	Describe("of a flag without an off variation", func() {
		serveNothing := given(func(box *launchdarklytest.Server) {
			box.SetFlags(ldbuilders.NewFlagBuilder("flag").On(false).Variations(ldvalue.String("unused")).
				TrackEvents(true).Build())
		})

		DescribeTable("returns the default unchanged",
			func(evaluate func(*openfeature.Client) (any, openfeature.ResolutionDetail, error), same func(any) bool) {
				p := start(serveNothing)
				value, detail, err := evaluate(p.client)
				Expect(err).NotTo(HaveOccurred())
				Expect(detail.Reason).To(Equal(openfeature.DisabledReason))
				Expect(same(value)).To(BeTrue(), "got %v", value)
				p.flush()
				Expect(p.box).NotTo(ldmatchers.HaveAnswered(400))
				Expect(p.box).To(ldmatchers.HaveReceived(ldmatchers.FeatureEvent("flag")))
			},
			Entry("true", boolean(true), equals(true)),
			Entry("a string", text("näh"), equals("näh")),
			Entry("a string that is not valid UTF-8", text("\xff\xfe"), equals("\xff\xfe")),
			Entry("an int64 beyond 2^53", integer(9007199254740993), equals(int64(9007199254740993))),
			Entry("the largest int64", integer(math.MaxInt64), equals(int64(math.MaxInt64))),
			Entry("NaN", float(math.NaN()), func(got any) bool { return math.IsNaN(got.(float64)) }),
			Entry("an infinity", float(math.Inf(-1)), equals(math.Inf(-1))),
			Entry("an integer as an object", object(int64(9007199254740993)), equals(int64(9007199254740993))),
			Entry("an object of a struct type", object(theme), equals(theme)),
			Entry("nil", object(nil), equals(nil)),
			Entry("a channel", object(channel), equals(channel)),
			Entry("a map that contains itself", object(cycle), func(got any) bool {
				cycle["proof"] = true
				defer delete(cycle, "proof")
				return got.(map[string]any)["proof"] == true
			}),
		)
	})

	Describe("that fails", func() {
		DescribeTable("returns an error and the default",
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

		DescribeTable("returns the default of each type",
			func(evaluate func(*openfeature.Client) (any, openfeature.ResolutionDetail, error), same func(any) bool) {
				p := start()
				value, detail, err := evaluate(p.client)
				Expect(err).To(HaveOccurred())
				Expect(detail.ErrorCode).To(Equal(openfeature.FlagNotFoundCode))
				Expect(same(value)).To(BeTrue(), "got %v", value)
			},
			Entry("boolean", boolean(true), equals(true)),
			Entry("string", text("\xff"), equals("\xff")),
			Entry("number", float(math.NaN()), func(got any) bool { return math.IsNaN(got.(float64)) }),
			Entry("integer", integer(9007199254740993), equals(int64(9007199254740993))),
			Entry("object", object(theme), equals(theme)),
		)

		DescribeTable("does not convert between types",
			func(value ldvalue.Value, evaluate func(*openfeature.Client) (any, openfeature.ResolutionDetail, error)) {
				p := start(given(func(box *launchdarklytest.Server) { box.SetValue("flag", value) }))
				_, detail, err := evaluate(p.client)
				Expect(err).To(HaveOccurred())
				Expect(detail.ErrorCode).To(Equal(openfeature.TypeMismatchCode))
			},
			Entry("string as boolean", ldvalue.String("true"), boolean(false)),
			Entry("number as boolean", ldvalue.Int(1), boolean(false)),
			Entry("boolean as string", ldvalue.Bool(true), text("")),
			Entry("string as number", ldvalue.String("1"), float(1)),
			Entry("string as number, with a default of NaN", ldvalue.String("1"), float(math.NaN())),
			Entry("string as integer", ldvalue.String("1"), integer(1)),
			Entry("object as string", ldvalue.ObjectBuild().Build(), text("")),
		)

		It("returns PROVIDER_NOT_READY after a shutdown", func() {
			p := start(given(decisions))
			Expect(p.provider.ShutdownWithContext(waiting())).To(Succeed())
			details, err := p.client.StringValueDetails(context.Background(), "plain", "default", sandy)
			Expect(err).To(HaveOccurred())
			Expect(details.Value).To(Equal("default"))
			Expect(details.ErrorCode).To(Equal(openfeature.ProviderNotReadyCode))
		})
	})

	It("succeeds with a canceled context.Context", func() {
		p := start(given(decisions))
		cancelled, cancel := context.WithCancel(context.Background())
		cancel()
		details, err := p.client.StringValueDetails(cancelled, "targeted", "default", sandy)
		Expect(err).NotTo(HaveOccurred())
		Expect(details.Value).To(Equal("b"))
	})

	It("returns changed values", func() {
		p := start(given(func(box *launchdarklytest.Server) { box.SetValue("flag", ldvalue.Int(1)) }))
		value := func() int64 { return p.client.Int(context.Background(), "flag", 0, sandy) }
		Expect(value()).To(Equal(int64(1)))
		p.box.SetValue("flag", ldvalue.Int(2))
		Eventually(value).Should(Equal(int64(2)))
		p.box.DeleteFlags("flag")
		Eventually(value).Should(Equal(int64(0)))
	})

	It("is counted in LaunchDarkly's summaries", func() {
		p := start(given(decisions))
		for range 3 {
			p.client.String(context.Background(), "targeted", "default", sandy)
		}
		p.flush()
		Expect(p.box.EventCount(launchdarklytest.KindSummary)).To(Equal(1))
		for event := range p.box.AllEvents() {
			if event.Kind == launchdarklytest.KindSummary {
				Expect(event.Features.GetByKey("targeted").GetByKey("counters").JSONString()).To(
					MatchJSON(`[{"variation": 1, "value": "b", "version": 1, "count": 3}]`))
			}
		}
		Expect(p.provider.Stats().Evaluations).To(Equal(uint64(3)))
	})

	It("passes the caller's context.Context to LaunchDarkly's hooks", func() {
		hook := new(ldHook)
		p := start(given(decisions), configure(func(c *ld.Config) { c.Hooks = []ldhooks.Hook{hook} }))
		ctx := context.WithValue(context.Background(), spanKey{}, "span")
		for _, evaluate := range []func(*openfeature.Client, context.Context){
			func(c *openfeature.Client, ctx context.Context) { c.Boolean(ctx, "plain", true, sandy) },
			func(c *openfeature.Client, ctx context.Context) { c.String(ctx, "plain", "", sandy) },
			func(c *openfeature.Client, ctx context.Context) { c.Int(ctx, "plain", 0, sandy) },
			func(c *openfeature.Client, ctx context.Context) { c.Float(ctx, "plain", 0, sandy) },
			func(c *openfeature.Client, ctx context.Context) { c.Float(ctx, "plain", math.NaN(), sandy) },
			func(c *openfeature.Client, ctx context.Context) { c.Object(ctx, "plain", nil, sandy) },
			func(c *openfeature.Client, ctx context.Context) {
				c.Track(ctx, "event", sandy, openfeature.TrackingEventDetails{})
			},
			func(c *openfeature.Client, ctx context.Context) {
				c.Track(ctx, "metric", sandy, openfeature.NewTrackingEventDetails(1))
			},
			func(c *openfeature.Client, ctx context.Context) {
				c.Track(ctx, "data", sandy, openfeature.NewTrackingEventDetails(math.NaN()).Add("a", 1))
			},
		} {
			hook.forget()
			evaluate(p.client, ctx)
			Expect(hook.spans()).NotTo(BeEmpty())
			Expect(hook.spans()).To(HaveEach("span"))
		}
	})

	It("runs the provider's hooks", func() {
		var hook providerHook
		p := start(given(decisions), options(launchdarkly.WithHooks(&hook)))
		Expect(p.client.String(context.Background(), "plain", "default", sandy)).To(Equal("a"))
		Expect(p.client.String(context.Background(), "unknown", "default", sandy)).To(Equal("default"))
		Expect(hook.stages).To(Equal([]string{
			"before plain of LaunchDarkly", "after plain: a", "finally plain",
			"before unknown of LaunchDarkly", "error unknown", "finally unknown",
		}))
	})
})

// The five evaluations of a flag named flag, for tables.

func boolean(def bool) func(*openfeature.Client) (any, openfeature.ResolutionDetail, error) {
	return func(c *openfeature.Client) (any, openfeature.ResolutionDetail, error) {
		d, err := c.BooleanValueDetails(context.Background(), "flag", def, sandy)
		return d.Value, d.ResolutionDetail, err
	}
}

func text(def string) func(*openfeature.Client) (any, openfeature.ResolutionDetail, error) {
	return func(c *openfeature.Client) (any, openfeature.ResolutionDetail, error) {
		d, err := c.StringValueDetails(context.Background(), "flag", def, sandy)
		return d.Value, d.ResolutionDetail, err
	}
}

func float(def float64) func(*openfeature.Client) (any, openfeature.ResolutionDetail, error) {
	return func(c *openfeature.Client) (any, openfeature.ResolutionDetail, error) {
		d, err := c.FloatValueDetails(context.Background(), "flag", def, sandy)
		return d.Value, d.ResolutionDetail, err
	}
}

func integer(def int64) func(*openfeature.Client) (any, openfeature.ResolutionDetail, error) {
	return func(c *openfeature.Client) (any, openfeature.ResolutionDetail, error) {
		d, err := c.IntValueDetails(context.Background(), "flag", def, sandy)
		return d.Value, d.ResolutionDetail, err
	}
}

func object(def any) func(*openfeature.Client) (any, openfeature.ResolutionDetail, error) {
	return func(c *openfeature.Client) (any, openfeature.ResolutionDetail, error) {
		d, err := c.ObjectValueDetails(context.Background(), "flag", def, sandy)
		return d.Value, d.ResolutionDetail, err
	}
}

// equals compares with Go's operator ==, so pointers must be identical.
func equals(want any) func(any) bool { return func(got any) bool { return got == want } }

// flat returns an evaluation context in the form that providers receive.
func flat(c openfeature.EvaluationContext) map[string]any {
	attributes := c.Attributes()
	if key := c.TargetingKey(); key != "" {
		attributes[openfeature.TargetingKey] = key
	}
	return attributes
}

// Defaults that a conversion to JSON and back would change.
var (
	theme   = &struct{ Color string }{"green"}
	channel = make(chan int)
	cycle   = func() map[string]any {
		m := make(map[string]any)
		m["self"] = m
		return m
	}()
)

// brokenStore is a data store that accepts all writes and fails all reads.
type brokenStore struct{ subsystems.DataStore }

func (brokenStore) Build(client subsystems.ClientContext) (subsystems.DataStore, error) {
	store, err := ldcomponents.InMemoryDataStore().Build(client)
	return brokenStore{store}, err
}

func (brokenStore) Get(ldstoretypes.DataKind, string) (ldstoretypes.ItemDescriptor, error) {
	return ldstoretypes.ItemDescriptor{}, errors.New("the store is broken")
}

type spanKey struct{}

// ldHook is a hook of LaunchDarkly's SDK, such as its tracing hook.
type ldHook struct {
	ldhooks.Unimplemented
	mu   sync.Mutex
	seen []any
}

func (h *ldHook) Metadata() ldhooks.Metadata { return ldhooks.NewMetadata("e2e") }

func (h *ldHook) BeforeEvaluation(
	ctx context.Context, _ ldhooks.EvaluationSeriesContext, data ldhooks.EvaluationSeriesData,
) (ldhooks.EvaluationSeriesData, error) {
	h.see(ctx)
	return data, nil
}

func (h *ldHook) AfterTrack(ctx context.Context, _ ldhooks.TrackSeriesContext) error {
	h.see(ctx)
	return nil
}

func (h *ldHook) see(ctx context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen = append(h.seen, ctx.Value(spanKey{}))
}

func (h *ldHook) spans() []any {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen
}

func (h *ldHook) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen = nil
}

// providerHook records its calls.
type providerHook struct{ stages []string }

func (h *providerHook) Before(_ context.Context, c openfeature.HookContext, _ openfeature.HookHints) (
	*openfeature.EvaluationContext, error,
) {
	h.stages = append(h.stages, "before "+c.FlagKey()+" of "+c.ProviderMetadata().Name)
	return nil, nil
}

func (h *providerHook) After(_ context.Context, c openfeature.HookContext, d openfeature.InterfaceEvaluationDetails,
	_ openfeature.HookHints,
) error {
	h.stages = append(h.stages, "after "+c.FlagKey()+": "+d.Value.(string))
	return nil
}

func (h *providerHook) Error(_ context.Context, c openfeature.HookContext, _ error, _ openfeature.HookHints) {
	h.stages = append(h.stages, "error "+c.FlagKey())
}

func (h *providerHook) Finally(_ context.Context, c openfeature.HookContext, _ openfeature.InterfaceEvaluationDetails,
	_ openfeature.HookHints,
) {
	h.stages = append(h.stages, "finally "+c.FlagKey())
}
