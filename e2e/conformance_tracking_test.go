package e2e

import (
	"context"
	"math"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"
)

var _ = Describe("OpenFeature 6, tracking", func() {
	It("6.1.1.1 tracking accepts an event name, and optionally an evaluation context and details", func() {
		p := start()
		p.api.SetEvaluationContext(sandy)
		p.client.Track(context.Background(), "visited", openfeature.EvaluationContext{}, openfeature.TrackingEventDetails{})
		p.client.Track(context.Background(), "checkout", user("kim"), details(99.77, "currency", "EUR"))
		p.flush()
		Expect(received(p.box, "visited")).To(MatchJSON(
			`{"kind": "custom", "key": "visited", "context": {"kind": "user", "key": "sandy"}}`))
		Expect(received(p.box, "checkout")).To(MatchJSON(`{"kind": "custom", "key": "checkout",
			"context": {"kind": "user", "key": "kim"}, "metricValue": 99.77, "data": {"currency": "EUR"}}`))
	})

	It("6.1.3 tracking merges the contexts of API, transaction, client and call: the last wins", func() {
		p := start()
		tracked := func(ctx context.Context, invocation openfeature.EvaluationContext) string {
			GinkgoHelper()
			p.box.ClearEvents()
			p.client.Track(ctx, "checkout", invocation, details(1))
			p.flush()
			events := p.box.CustomEvents()
			Expect(events).To(HaveLen(1))
			return events[0].Context.JSONString()
		}
		var none openfeature.EvaluationContext
		p.api.SetEvaluationContext(user("api", "winner", "api", "api", true))
		Expect(tracked(context.Background(), none)).To(MatchJSON(
			`{"kind": "user", "key": "api", "winner": "api", "api": true}`))
		ctx := openfeature.WithTransactionContext(context.Background(),
			user("transaction", "winner", "transaction", "transaction", true))
		Expect(tracked(ctx, none)).To(MatchJSON(`{"kind": "user", "key": "transaction", "winner": "transaction",
			"api": true, "transaction": true}`))
		p.client.SetEvaluationContext(user("client", "winner", "client", "client", true))
		Expect(tracked(ctx, none)).To(MatchJSON(`{"kind": "user", "key": "client", "winner": "client",
			"api": true, "transaction": true, "client": true}`))
		Expect(tracked(ctx, user("call", "winner", "call", "call", true))).To(MatchJSON(`{"kind": "user", "key": "call",
			"winner": "call", "api": true, "transaction": true, "client": true, "call": true}`))
	})

	DescribeTable("6.2.1 tracking sends the numeric value as the metric value, or none",
		func(d openfeature.TrackingEventDetails, metric string) {
			p := start()
			p.track("checkout", sandy, d)
			Expect(received(p.box, "checkout")).To(MatchJSON(
				`{"kind": "custom", "key": "checkout", "context": {"kind": "user", "key": "sandy"}` + metric + `}`))
		},
		Entry("a value", details(99.77), `, "metricValue": 99.77`),
		Entry("0", details(0), `, "metricValue": 0`),
		Entry("no value", openfeature.TrackingEventDetails{}, ``),
	)

	It("6.2.2 tracking sends custom fields of each type as the data", func() {
		p := start()
		p.track("checkout", sandy, details(math.NaN(), "new", true, "currency", "EUR", "items", 3, "discount", 0.25,
			"cart", map[string]any{"id": "c-1", "skus": []any{"a", "b"}}))
		Expect(received(p.box, "checkout")).To(MatchJSON(`{"kind": "custom", "key": "checkout",
			"context": {"kind": "user", "key": "sandy"},
			"data": {"new": true, "currency": "EUR", "items": 3, "discount": 0.25,
				"cart": {"id": "c-1", "skus": ["a", "b"]}}}`))
	})
})
