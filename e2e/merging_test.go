package e2e

import (
	"context"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

var _ = Describe("Context merging", func() {
	// level returns an evaluation context that names its level.
	level := func(name string) openfeature.EvaluationContext {
		return user(name, "winner", name, name, true)
	}
	// both returns the contexts of the evaluation event and of the tracked event.
	both := func(ctx context.Context, p *program, invocation openfeature.EvaluationContext) []string {
		GinkgoHelper()
		Expect(p.client.Boolean(ctx, "flag", false, invocation)).To(BeTrue())
		p.client.Track(ctx, "event", invocation, openfeature.TrackingEventDetails{})
		p.flush()
		var contexts []string
		for _, kind := range []string{launchdarklytest.KindFeature, launchdarklytest.KindCustom} {
			events := eventsOfKind(p.box, kind)
			Expect(events).To(HaveLen(1))
			contexts = append(contexts, events[0].Context.JSONString())
		}
		return contexts
	}

	DescribeTable("prefers the more specific level",
		func(levels []string, winner string) {
			p := start(given(trackedFlag))
			want := map[string]any{"kind": "user", "key": winner, "winner": winner}
			at := func(name string) openfeature.EvaluationContext {
				if !slices.Contains(levels, name) {
					return openfeature.EvaluationContext{}
				}
				want[name] = true
				return level(name)
			}
			p.api.SetEvaluationContext(at("api"))
			ctx := openfeature.WithTransactionContext(context.Background(), at("transaction"))
			p.client.SetEvaluationContext(at("client"))
			got := both(ctx, p, at("invocation"))
			Expect(got).To(HaveEach(MatchJSON(mustMarshal(want))))
		},
		Entry("API", []string{"api"}, "api"),
		Entry("transaction over API", []string{"api", "transaction"}, "transaction"),
		Entry("client over API", []string{"api", "client"}, "client"),
		Entry("client over transaction", []string{"api", "transaction", "client"}, "client"),
		Entry("invocation over API", []string{"api", "invocation"}, "invocation"),
		Entry("invocation over transaction", []string{"transaction", "invocation"}, "invocation"),
		Entry("invocation over client", []string{"client", "invocation"}, "invocation"),
		Entry("invocation over all", []string{"api", "transaction", "client", "invocation"}, "invocation"),
	)

	It("uses the targeting key of an outer level if the inner ones have none", func() {
		p := start(given(trackedFlag))
		p.api.SetEvaluationContext(user("sandy", "region", "eu"))
		Expect(both(context.Background(), p, user("", "plan", "gold"))).To(HaveEach(
			MatchJSON(`{"kind": "user", "key": "sandy", "region": "eu", "plan": "gold"}`)))
	})

	It("combines the kinds of several levels to a multi-context", func() {
		p := start(given(trackedFlag))
		p.api.SetEvaluationContext(user("", "kind", "multi", "service", pairs("key", "shop")))
		ctx := openfeature.WithTransactionContext(context.Background(), user("", "org", pairs("key", "acme")))
		Expect(both(ctx, p, user("", "user", pairs("key", "sandy")))).To(HaveEach(MatchJSON(
			`{"kind": "multi", "service": {"key": "shop"}, "org": {"key": "acme"}, "user": {"key": "sandy"}}`)))
	})

	It("keeps the private attributes of an outer level private", func() {
		p := start(given(trackedFlag))
		p.api.SetEvaluationContext(user("", "privateAttributes", []string{"email"}))
		Expect(both(context.Background(), p, user("sandy", "email", "s@example.com"))).To(HaveEach(
			MatchJSON(`{"kind": "user", "key": "sandy", "_meta": {"redactedAttributes": ["email"]}}`)))
	})

	It("includes attributes that a hook adds", func() {
		p := start(given(trackedFlag))
		p.client.AddHooks(addingHook{})
		Expect(p.client.Boolean(context.Background(), "flag", false, sandy)).To(BeTrue())
		p.flush()
		events := eventsOfKind(p.box, launchdarklytest.KindFeature)
		Expect(events).To(HaveLen(1))
		Expect(events[0].Context.JSONString()).To(MatchJSON(`{"kind": "user", "key": "sandy", "added": "by a hook"}`))
	})
})

// addingHook adds attributes to the evaluation context.
type addingHook struct{ openfeature.UnimplementedHook }

func (addingHook) Before(_ context.Context, _ openfeature.HookContext, _ openfeature.HookHints) (
	*openfeature.EvaluationContext, error,
) {
	added := user("", "added", "by a hook")
	return &added, nil
}
