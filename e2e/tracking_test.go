package e2e

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/lderrors"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest/ldmatchers"
)

var _ = Describe("Tracking", func() {
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
		Entry("an infinite value with data", details(math.Inf(-1), "a", 1),
			ldmatchers.CustomEvent("checkout").WithoutMetric().WithData(pairs("a", 1)),
			MatchError(launchdarkly.ErrMetricNotFinite)),
		Entry("several", details(math.Inf(1), "f", func() {}, "m", map[string]any{"x": math.Inf(1), "y": "ok"}),
			ldmatchers.CustomEvent("checkout").WithoutMetric().WithData(pairs("m", pairs("y", "ok"))),
			MatchError(launchdarkly.ErrMetricNotFinite), unsupported("f"), unsupported("/m/x")),
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
		Entry("an event without a key", "checkout", user("", "plan", "gold"),
			launchdarkly.ErrTargetingKeyMissing, invalidContexts),
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
