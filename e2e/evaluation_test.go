package e2e

import (
	"context"
	"errors"
	"math"
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

	It("returns an error for a string as a number, with a default of NaN", func() {
		p := start(serving("1"))
		o := asFloat(math.NaN())(p.client, "flag", sandy)
		Expect(o.err).To(HaveOccurred())
		Expect(o.ErrorCode).To(Equal(openfeature.TypeMismatchCode))
	})

	// If the provider reports an error, OpenFeature's SDK itself returns the default. Here, the
	// provider has to: the flag is off and has no off variation, which is not an error.
	Describe("of a flag without an off variation", func() {
		serveNothing := given(func(box *launchdarklytest.Server) {
			box.SetFlags(ldbuilders.NewFlagBuilder("flag").On(false).Variations(ldvalue.String("unused")).
				TrackEvents(true).Build())
		})

		DescribeTable("returns the default unchanged",
			func(ask question, same func(any) bool) {
				p := start(serveNothing)
				o := ask(p.client, "flag", sandy)
				Expect(o.err).NotTo(HaveOccurred())
				Expect(o.Reason).To(Equal(openfeature.DisabledReason))
				Expect(same(o.value)).To(BeTrue(), "got %v", o.value)
				p.flush()
				Expect(p.box).NotTo(ldmatchers.HaveAnswered(400))
				Expect(p.box).To(ldmatchers.HaveReceived(ldmatchers.FeatureEvent("flag")))
			},
			Entry("true", asBoolean(true), equals(true)),
			Entry("a string", asString("näh"), equals("näh")),
			Entry("a string that is not valid UTF-8", asString("\xff\xfe"), equals("\xff\xfe")),
			Entry("an int64 beyond 2^53", asInteger(9007199254740993), equals(int64(9007199254740993))),
			Entry("the largest int64", asInteger(math.MaxInt64), equals(int64(math.MaxInt64))),
			Entry("NaN", asFloat(math.NaN()), func(got any) bool { return math.IsNaN(got.(float64)) }),
			Entry("an infinity", asFloat(math.Inf(-1)), equals(math.Inf(-1))),
			Entry("an integer as an object", asObject(int64(9007199254740993)), equals(int64(9007199254740993))),
			Entry("an object of a struct type", asObject(theme), equals(theme)),
			Entry("nil", asObject(nil), equals(nil)),
			Entry("a channel", asObject(channel), equals(channel)),
			Entry("a map that contains itself", asObject(cycle), func(got any) bool {
				cycle["proof"] = true
				defer delete(cycle, "proof")
				return got.(map[string]any)["proof"] == true
			}),
		)
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
})

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
