package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/lderrors"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest/ldmatchers"
)

var _ = Describe("Tracking", func() {
	const sandyJSON = `{"kind": "user", "key": "sandy"}`

	DescribeTable("sends the details unchanged, including edge cases",
		func(details openfeature.TrackingEventDetails, data, metric string) {
			expectTracked(context.Background(), start(), sandy, details, sandyJSON, data, metric)
		},
		Entry("a value of 0", details(0), "", "0"),
		Entry("a value of minus 0", details(math.Copysign(0, -1)), "", "-0"),
		Entry("a negative value", details(-3), "", "-3"),
		Entry("the largest value", details(math.MaxFloat64), "", "1.7976931348623157e+308"),
		Entry("the smallest value", details(5e-324), "", "5e-324"),
		Entry("a value of 0 and attributes", details(0, "currency", "USD"), `{"currency": "USD"}`, "0"),
		Entry("no value, and no attributes either", details(math.NaN()), "", ""),
		Entry("an attribute that is null", details(math.NaN(), "coupon", nil), `{"coupon": null}`, ""),
		Entry("whole data: 0", details(math.NaN(), launchdarkly.TrackingDataKey, 0), `0`, ""),
		Entry("whole data: an empty string", details(math.NaN(), launchdarkly.TrackingDataKey, ""), `""`, ""),
		Entry("whole data: null, which is omitted", details(math.NaN(), launchdarkly.TrackingDataKey, nil), "", ""),
	)

	DescribeTable("omits and reports values that JSON cannot represent, and sends the rest",
		func(d openfeature.TrackingEventDetails, event *ldmatchers.EventMatcher, causes ...any) {
			p := start()
			p.track("checkout", sandy, d)
			Expect(p.box.CustomEvents()).To(ConsistOf(event))
			Expect(p.problems.all()).To(ConsistOf(causes...))
			Expect(p.problems.all()).To(HaveEach(MatchError(ContainSubstring(`"checkout"`))))
			Expect(p.provider.Stats().Delivered).To(Equal(uint64(1)))
			Expect(p.provider.Stats().Dropped.Total()).To(BeZero())
		},
		Entry("an infinite value", details(math.Inf(1)), ldmatchers.CustomEvent("checkout").WithoutMetric().WithoutData(),
			MatchError(launchdarkly.ErrMetricNotFinite)),
		Entry("an infinite value with data", details(math.Inf(-1), "a", 1),
			ldmatchers.CustomEvent("checkout").WithoutMetric().WithData(pairs("a", 1)),
			MatchError(launchdarkly.ErrMetricNotFinite)),
		Entry("NaN as an attribute", details(5, "a", 1, "b", math.NaN()),
			ldmatchers.CustomEvent("checkout").WithMetric(5).WithData(pairs("a", 1)), unsupported("b")),
		Entry("a channel in a list", details(5, "list", []any{1, make(chan int), 3}),
			ldmatchers.CustomEvent("checkout").WithMetric(5).WithData(pairs("list", []any{1, nil, 3})), unsupported("/list/1")),
		Entry("several", details(math.Inf(1), "f", func() {}, "m", map[string]any{"x": math.Inf(1), "y": "ok"}),
			ldmatchers.CustomEvent("checkout").WithoutMetric().WithData(pairs("m", pairs("y", "ok"))),
			MatchError(launchdarkly.ErrMetricNotFinite), unsupported("f"), unsupported("/m/x")),
		Entry("attributes in addition to whole data", details(1, launchdarkly.TrackingDataKey, "all", "other", 1),
			ldmatchers.CustomEvent("checkout").WithMetric(1).WithData("all"),
			attributeProblem("other", launchdarkly.ErrAttributeIgnored)),
		Entry("a part of whole data", details(1, launchdarkly.TrackingDataKey, []any{math.NaN()}),
			ldmatchers.CustomEvent("checkout").WithMetric(1).WithData([]any{nil}),
			unsupported("/"+launchdarkly.TrackingDataKey+"/0")),
	)

	DescribeTable("does not send",
		func(name string, evaluationContext openfeature.EvaluationContext, cause error,
			dropped func(launchdarkly.Stats) uint64,
		) {
			p := start()
			ctx := context.WithValue(context.Background(), spanKey{}, "span")
			p.client.Track(ctx, name, evaluationContext, details(1, "secret", "hunter2"))
			p.track("good", sandy, openfeature.TrackingEventDetails{})

			Expect(p.box.CustomEvents()).To(ConsistOf(ldmatchers.CustomEvent("good")))
			Expect(p.problems.all()).To(ConsistOf(MatchError(cause)))
			Expect(p.problems.contexts()[0].Value(spanKey{})).To(Equal("span"))
			_, ok := errors.AsType[*launchdarkly.TrackingError](p.problems.all()[0])
			Expect(ok).To(BeTrue())
			stats := p.provider.Stats()
			Expect(dropped(stats)).To(Equal(uint64(1)))
			Expect(stats.Dropped.Total()).To(Equal(uint64(1)))
			Expect(stats.Tracked).To(Equal(uint64(2)))
			Expect(p.log.String()).To(ContainSubstring(`level=ERROR msg="tracked event not sent"`))
			Expect(p.log.String()).NotTo(ContainSubstring("hunter2"))
		},
		Entry("an event without a name", "", sandy, launchdarkly.ErrEmptyEventName, emptyNames),
		Entry("an event with a name of 60 MiB", strings.Repeat("x", 60<<20), sandy, launchdarkly.ErrTooLarge, emptyNames),
		Entry("an event without a name for an invalid context", "", user(""), launchdarkly.ErrEmptyEventName, emptyNames),
		Entry("an event without a key", "checkout", user("", "plan", "gold"),
			launchdarkly.ErrTargetingKeyMissing, invalidContexts),
		Entry("an event of an invalid kind", "checkout", user("sandy", "kind", "a b"),
			launchdarkly.ErrInvalidContext, invalidContexts),
		Entry("an event of an invalid kind, with LaunchDarkly's error", "checkout", user("sandy", "kind", "a b"),
			lderrors.ErrContextKindInvalidChars{}, invalidContexts),
	)

	It("does not send events after the shutdown, and reports them", func() {
		p := start()
		p.client.Track(context.Background(), "before", sandy, details(1))
		Expect(p.provider.ShutdownWithContext(waiting())).To(Succeed())
		p.client.Track(context.Background(), "after", sandy, details(1))
		Expect(p.provider.Client().TrackEvent("native", ldcontext.New("sandy"))).To(Succeed())
		Expect(p.box.CustomEvents()).To(ConsistOf(ldmatchers.CustomEvent("before")))
		Expect(p.problems.all()).To(ConsistOf(MatchError(launchdarkly.ErrClosed), MatchError(delivery.ErrClosed)))
		Expect(p.log.String()).To(ContainSubstring(`event=after`))
		stats := p.provider.Stats()
		Expect(stats.Tracked).To(Equal(uint64(3)))
		Expect(stats.Delivered).To(Equal(uint64(1)))
		Expect(stats.Dropped.Closed).To(Equal(uint64(2)))
	})

	It("succeeds with a canceled context.Context", func() {
		p := start()
		cancelled, cancel := context.WithCancel(context.Background())
		cancel()
		p.client.Track(cancelled, "checkout", sandy, details(1))
		p.flush()
		Expect(p.box).To(ldmatchers.HaveReceived(ldmatchers.CustomEvent("checkout")))
	})

	It("does not include changes that the application makes afterwards", func() {
		p := start()
		list := []any{"as tracked"}
		nested := map[string]any{"list": list}
		address := map[string]any{"city": "Utrecht"}
		p.client.Track(context.Background(), "checkout", user("sandy", "address", address), details(1, "nested", nested))
		list[0], nested["more"], address["city"] = "changed", true, "changed"
		p.flush()
		Expect(received(p.box, "checkout")).To(MatchJSON(`{"kind": "custom", "key": "checkout", "metricValue": 1,
			"data": {"nested": {"list": ["as tracked"]}},
			"context": {"kind": "user", "key": "sandy", "address": {"city": "Utrecht"}}}`))
	})

	It("continues after a panic of the error handler", func() {
		p := start(options(launchdarkly.WithErrorHandler(func(context.Context, error) { panic("hunter2") })))
		p.client.Track(context.Background(), "", sandy, details(1))
		p.track("good", sandy, details(1))
		Expect(p.box).To(ldmatchers.HaveReceived(ldmatchers.CustomEvent("good")))
		Expect(p.log.String()).To(ContainSubstring("error handler panicked"))
		Expect(p.log.String()).NotTo(ContainSubstring("hunter2"))
	})

	It("counts events tracked with LaunchDarkly's client, too", func() {
		p := start()
		Expect(p.provider.Client().TrackEvent("native", ldcontext.New("sandy"))).To(Succeed())
		p.track("checkout", sandy, details(1))
		Expect(p.box.CustomEvents()).To(HaveLen(2))
		Expect(p.provider.Stats().Tracked).To(Equal(uint64(2)))
		Expect(p.provider.Stats().Delivered).To(Equal(uint64(2)))
	})

	It("keeps the order of events", func() {
		p := start()
		for i := range 500 {
			p.client.Track(context.Background(), strconv.Itoa(i), sandy, details(float64(i)))
		}
		p.flush()
		events := p.box.CustomEvents()
		Expect(events).To(HaveLen(500))
		for i, event := range events {
			Expect(event.Key).To(Equal(strconv.Itoa(i)))
		}
	})

	It("delivers a burst larger than the SDK's buffer", func() {
		p := start(configure(func(c *ld.Config) { c.Events = ldcomponents.SendEvents().Capacity(100) }))
		for range 5_000 {
			p.client.Track(context.Background(), "checkout", sandy, details(1))
		}
		p.flush()
		Expect(p.box.EventCount(launchdarklytest.KindCustom)).To(Equal(5_000))
		Expect(p.provider.Stats().Delivered).To(Equal(uint64(5_000)))
	})

	DescribeTable("delivers all events after an outage of the events service",
		func(status int) {
			p := start(fastRetries)
			p.box.RefuseEvents(status, launchdarklytest.Times(3))
			for range 10 {
				p.client.Track(context.Background(), "checkout", sandy, details(1))
			}
			p.flush()
			Expect(p.box.CustomEvents()).To(HaveLen(10))
			Expect(p.provider.Stats().Retries).To(Equal(uint64(3)))
			Expect(p.problems.all()).To(BeEmpty())
		},
		func(status int) string { return http.StatusText(status) },
		Entry(nil, 408), Entry(nil, 429), Entry(nil, 500), Entry(nil, 502), Entry(nil, 503), Entry(nil, 504),
	)

	It("waits for the duration of Retry-After", func() {
		p := start(fastRetries)
		p.box.RefuseEvents(429, launchdarklytest.RetryAfter(time.Hour), launchdarklytest.Times(1))
		p.client.Track(context.Background(), "checkout", sandy, details(1))
		ended, end := context.WithCancel(context.Background())
		end()
		Expect(p.provider.Flush(ended)).NotTo(Succeed())
		_, err := p.box.WaitForRequests(waiting(), 1, func(r launchdarklytest.Request) bool { return r.Status == 429 })
		Expect(err).NotTo(HaveOccurred())
		Consistently(p.box.CustomEvents).Should(BeEmpty())

		// A shutdown does not wait for Retry-After.
		var undelivered *delivery.UndeliveredError
		Expect(errors.As(p.provider.ShutdownWithContext(ended), &undelivered)).To(BeTrue())
		Expect(undelivered.Events).To(Equal(1))
	})

	It("delivers an event once if the response to its request is lost", func() {
		p := start(fastRetries)
		p.box.ResetEvents(1)
		p.track("checkout", sandy, details(1))
		Expect(p.box.CustomEvents()).To(HaveLen(1))
		Expect(p.provider.Stats().Delivered).To(Equal(uint64(1)))
	})

	DescribeTable("keeps events while the service refuses all requests",
		func(refuse func(*launchdarklytest.Server), cause error) {
			p := start(fastRetries)
			refuse(p.box)
			p.client.Track(context.Background(), "checkout", sandy, details(1))
			ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
			defer cancel()
			var undelivered *delivery.UndeliveredError
			err := p.provider.Flush(ctx)
			Expect(errors.As(err, &undelivered)).To(BeTrue(), "%v", err)
			Expect(undelivered.Events).To(Equal(1))
			Expect(err).To(MatchError(cause))
			Expect(p.problems.all()).To(BeEmpty())
			Expect(p.provider.Stats().Waiting).To(Equal(uint64(1)))

			p.box.AcceptEvents()
			p.box.LimitEventBytes(0)
			p.flush()
			Expect(p.box.CustomEvents("checkout")).To(HaveLen(1))
		},
		Entry("as a bad request", func(box *launchdarklytest.Server) { box.RefuseEvents(400) }, context.DeadlineExceeded),
		Entry("as too large", func(box *launchdarklytest.Server) { box.LimitEventBytes(10) }, context.DeadlineExceeded),
		Entry("as unauthorized", func(box *launchdarklytest.Server) { box.RefuseEvents(401) }, delivery.ErrUnauthorized),
	)

	It("divides large batches before the events service refuses them", func() {
		const large = 1 << 20
		p := start()
		p.client.Track(context.Background(), "other", sandy, details(1))
		for range 20 {
			p.client.Track(context.Background(), "checkout", sandy, details(1, "note", strings.Repeat("x", large)))
		}
		p.flush()
		Expect(p.box.CustomEvents("checkout")).To(HaveLen(20))
		Expect(p.box.Requests()).To(HaveEach(HaveField("Bytes", BeNumerically("<", 5*large))))
	})

	It("replaces invalid UTF-8 in names and defaults", func() {
		p := start()
		p.client.String(context.Background(), "flag", "\xfe", sandy)
		p.provider.StringEvaluation(context.Background(), "\xff", "", flat(sandy)) // OpenFeature's client does not pass on such a key
		p.client.Track(context.Background(), "\xff", sandy, details(1))
		p.track("good", sandy, details(1))
		Expect(p.box.CustomEvents("\uFFFD", "good")).To(HaveLen(2))
		Expect(p.box).To(ldmatchers.HaveReceived(ldmatchers.EventOfKind(launchdarklytest.KindSummary)))
		Expect(p.box.Requests()).To(HaveEach(HaveField("Problem", BeEmpty())))
	})

	It("omits values that are far too large, and nothing else", func() {
		p := start()
		for range 3 { // attributes are converted in random order
			d := details(1, "huge", strings.Repeat("x", 16<<20))
			want := make(map[string]any)
			for i := range 20 {
				name := fmt.Sprint("good-", i)
				d, want[name] = d.Add(name, "value"), "value"
			}
			p.box.ClearEvents()
			p.track("checkout", sandy, d)
			Expect(p.box).To(ldmatchers.HaveReceived(ldmatchers.CustomEvent("checkout").WithData(want)))
		}
		Expect(p.problems.all()).To(HaveEach(attributeProblem("huge", launchdarkly.ErrTooLarge)))
	})

	It("omits attributes beyond the first 1,000", func() {
		p := start()
		d := details(1)
		for i := range 1500 {
			d = d.Add(fmt.Sprintf("a%04d", i), i)
		}
		p.track("checkout", sandy, d)
		data := p.box.CustomEvents("checkout")[0].Data
		Expect(data.Count()).To(Equal(1000))
		Expect(data.GetByKey("a0999").IntValue()).To(Equal(999))
		Expect(p.problems.all()).To(ConsistOf(MatchError(launchdarkly.ErrTooLarge)))
	})

	Describe("with input that JSON cannot represent", func() {
		DescribeTable("delivers all valid events",
			func(poison any) {
				p := start()
				ctx := context.Background()
				p.client.Track(ctx, "first", sandy, details(1))
				p.client.Track(ctx, "in the data", sandy, details(2, "poison", poison, "good", "data"))
				p.client.Track(ctx, "as the data", sandy, details(3, launchdarkly.TrackingDataKey, poison))
				p.client.Track(ctx, "in the context", user("sandy", "poison", poison, "good", "attribute"), details(4))
				p.client.Track(ctx, "in the multi-context",
					user("", "kind", "multi", "user", pairs("key", "sandy", "poison", poison),
						"poison", []any{poison}), details(5))
				p.client.Track(ctx, "in the built-ins", user("sandy", "name", poison, "anonymous", poison,
					"privateAttributes", poison, "_meta", poison), details(6))
				p.client.Track(ctx, "in the kind", user("sandy", "kind", poison), details(7))
				p.client.Track(ctx, "in the key", user("", "key", poison), details(8))
				p.client.Boolean(ctx, "flag", true, user("sandy", "poison", poison))
				p.client.Object(ctx, "flag", poison, sandy)
				p.client.Track(ctx, "last", sandy, details(9))
				p.flush()

				for _, request := range p.box.Requests() {
					Expect(request.Problem).To(BeEmpty())
					Expect(request.Status).To(Equal(202))
				}
				Expect(p.box.CustomEvents("first", "last")).To(HaveLen(2))
				Expect(p.box.CustomEvents("in the data", "in the context")).To(ConsistOf(
					ldmatchers.CustomEvent("in the data").WithMetric(2).WithData(HaveKeyWithValue("good", "data")),
					ldmatchers.CustomEvent("in the context").WithMetric(4).WithContext(HaveKeyWithValue("good", "attribute")),
				))
				Expect(p.box.CustomEvents("as the data", "in the multi-context", "in the built-ins")).To(HaveLen(3))
				stats := p.provider.Stats()
				Expect(stats.Delivered + stats.Dropped.InvalidContext).To(Equal(stats.Tracked))
				Expect(stats.Tracked).To(Equal(uint64(9)))
			},
			Entry("NaN", math.NaN()),
			Entry("an infinity", math.Inf(1)),
			Entry("an infinite float32", float32(math.Inf(-1))),
			Entry("a channel", make(chan int)),
			Entry("a function", func() {}),
			Entry("a complex number", complex(1, 2)),
			Entry("a map with keys that are not strings", map[struct{ a int }]string{{1}: "x"}),
			Entry("invalid raw JSON", json.RawMessage(`{"broken`)),
			Entry("raw JSON with unbalanced brackets", json.RawMessage(`1}], "injected": true`)),
			Entry("an invalid raw ldvalue.Value", ldvalue.Raw([]byte(`{"a":`))),
			Entry("NaN in an ldvalue.Value", ldvalue.ArrayOf(ldvalue.Float64(math.NaN()))),
			Entry("an invalid json.Number", json.Number("1e")),
			Entry("a json.Number that is out of range", json.Number("1e999")),
			Entry("a map that contains itself", cycle),
			Entry("a value nested far too deep", nested(100_000)),
			Entry("a marshaler that fails", marshaler(func() ([]byte, error) { return nil, errors.New("no") })),
			Entry("a marshaler that panics", marshaler(func() ([]byte, error) { panic("hunter2") })),
			Entry("a marshaler that returns invalid JSON", marshaler(func() ([]byte, error) { return []byte(`{"a"`), nil })),
			Entry("a nil marshaler", (*pointerMarshaler)(nil)),
			Entry("a string that is not valid UTF-8", "\xff\xfe\x00\u2028</script>"),
			Entry("keys that are not valid UTF-8", map[string]any{"\xff": "\xfe", "": 1}),
			Entry("a typed nil", (*struct{ A int })(nil)),
		)
	})
})

// details returns tracking details; attributes are pairs of name and value.
func details(value float64, attributes ...any) openfeature.TrackingEventDetails {
	d := openfeature.NewTrackingEventDetails(value)
	for name, v := range pairs(attributes...) {
		d = d.Add(name, v)
	}
	return d
}

// unsupported matches the error about an attribute that JSON cannot represent.
func unsupported(attribute string) any {
	return attributeProblem(attribute, launchdarkly.ErrUnsupportedValue)
}

func attributeProblem(attribute string, cause error) any {
	return And(MatchError(cause), WithTransform(func(err error) string {
		problem, _ := errors.AsType[*launchdarkly.AttributeError](err)
		if problem == nil {
			return ""
		}
		return problem.Attribute
	}, Equal(attribute)))
}

func emptyNames(s launchdarkly.Stats) uint64 { return s.Dropped.EmptyEventName }

func invalidContexts(s launchdarkly.Stats) uint64 { return s.Dropped.InvalidContext }

// fastRetries shortens the backoff.
func fastRetries(s *setup) {
	s.config.Events = delivery.Lossless(nil, delivery.WithBackoff(1, 1), delivery.WithLogger(discard))
}

// nested returns arrays within arrays.
func nested(depth int) any {
	var v any = "bottom"
	for range depth {
		v = []any{v}
	}
	return v
}

type marshaler func() ([]byte, error)

func (m marshaler) MarshalJSON() ([]byte, error) { return m() }

type pointerMarshaler struct{ text string }

func (m *pointerMarshaler) MarshalJSON() ([]byte, error) { return []byte(m.text), nil }
