package e2e

import (
	"context"
	"strings"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldattr"
	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// evaluatedWith evaluates the flag of trackedFlag and returns the context of its evaluation event.
func evaluatedWith(ctx context.Context, p *program, invocation openfeature.EvaluationContext) string {
	GinkgoHelper()
	p.box.ClearEvents()
	Expect(p.client.BooleanValue(ctx, "flag", false, invocation)).To(BeTrue())
	p.flush()
	events := eventsOfKind(p.box, launchdarklytest.KindFeature)
	Expect(events).To(HaveLen(1))
	return events[0].Context.JSONString()
}

var _ = Describe("OpenFeature 3, the evaluation context", func() {
	It("3.1.1 the evaluation context's targeting key is LaunchDarkly's context key, which is required", func() {
		p := start(given(trackedFlag))
		Expect(evaluatedWith(context.Background(), p, sandy)).To(MatchJSON(`{"kind": "user", "key": "sandy"}`))
		_, err := p.client.BooleanValue(context.Background(), "flag", false, user("", "plan", "gold"))
		Expect(err).To(MatchError(ContainSubstring(string(openfeature.TargetingKeyMissingCode))))
	})

	DescribeTable("3.1.2 the evaluation context has fields of each type that LaunchDarkly's rules support",
		func(attribute string, matching, other any, operator ldmodel.Operator, operand ldvalue.Value) {
			p := start(given(func(box *launchdarklytest.Server) {
				box.SetFlags(ldbuilders.NewFlagBuilder("flag").On(true).FallthroughVariation(0).
					Variations(ldvalue.String("no match"), ldvalue.String("match")).
					AddRule(ldbuilders.NewRuleBuilder().ID("rule").Variation(1).
						Clauses(ldbuilders.ClauseRefWithKind(ldcontext.DefaultKind, ldattr.NewRef(attribute), operator, operand))).Build())
			}))
			field := ldattr.NewRef(attribute).Component(0)
			Expect(decision(p, "flag", user("sandy", field, matching)).value).To(Equal("match"))
			Expect(decision(p, "flag", user("sandy", field, other)).value).To(Equal("no match"))
			Expect(value(p.client)).To(Equal("no match"), "without the field")
		},
		Entry("boolean", "beta", true, false, ldmodel.OperatorIn, ldvalue.Bool(true)),
		Entry("string", "email", "sandy@example.com", "sandy@example.org", ldmodel.OperatorEndsWith,
			ldvalue.String("example.com")),
		Entry("integer", "age", 17, 18, ldmodel.OperatorLessThan, ldvalue.Int(18)),
		Entry("float", "score", 0.75, 0.25, ldmodel.OperatorGreaterThan, ldvalue.Float64(0.5)),
		Entry("datetime", "signedUp", time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC),
			time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC), ldmodel.OperatorBefore, ldvalue.String("2024-03-01T00:00:00Z")),
		Entry("structure", "/address/city", map[string]any{"city": "Utrecht"}, map[string]any{"city": "Delft"},
			ldmodel.OperatorIn, ldvalue.String("Utrecht")),
		Entry("list", "groups", []any{"staff", "testers"}, []any{"guests"}, ldmodel.OperatorIn, ldvalue.String("testers")),
	)

	It("3.1.4 the evaluation context has one value for each field, however the field was set", func() {
		p := start(given(trackedFlag))
		p.api.SetEvaluationContext(user("sandy", "plan", "free"))
		evaluated := evaluatedWith(context.Background(), p, user("kim", openfeature.TargetingKey, "sandy", "plan", "gold"))
		Expect(evaluated).To(MatchJSON(`{"kind": "user", "key": "kim", "plan": "gold"}`))
		Expect(strings.Count(evaluated, `"key":`)).To(Equal(1))
		Expect(strings.Count(evaluated, `"plan":`)).To(Equal(1))
	})

	It("3.2.1.1 the evaluation context can be set on the API, the client and the call", func() {
		p := start(given(trackedFlag))
		p.api.SetEvaluationContext(user("", "region", "eu"))
		p.client.SetEvaluationContext(user("", "service", "shop"))
		Expect(evaluatedWith(context.Background(), p, user("sandy", "plan", "gold"))).To(MatchJSON(
			`{"kind": "user", "key": "sandy", "region": "eu", "service": "shop", "plan": "gold"}`))
	})

	It("3.2.3 the evaluation context merges API, transaction, client, call and before hooks: the last wins", func() {
		p := start(given(trackedFlag))
		ctx := context.Background()
		evaluated := func(invocation openfeature.EvaluationContext) string {
			return evaluatedWith(ctx, p, invocation)
		}
		p.api.SetEvaluationContext(user("api", "winner", "api"))
		Expect(evaluated(openfeature.EvaluationContext{})).To(MatchJSON(
			`{"kind": "user", "key": "api", "winner": "api"}`))
		ctx = openfeature.WithTransactionContext(ctx, user("transaction", "winner", "transaction"))
		Expect(evaluated(openfeature.EvaluationContext{})).To(MatchJSON(
			`{"kind": "user", "key": "transaction", "winner": "transaction"}`))
		p.client.SetEvaluationContext(user("client", "winner", "client"))
		Expect(evaluated(openfeature.EvaluationContext{})).To(MatchJSON(
			`{"kind": "user", "key": "client", "winner": "client"}`))
		invocation := user("call", "winner", "call")
		Expect(evaluated(invocation)).To(MatchJSON(`{"kind": "user", "key": "call", "winner": "call"}`))
		var notes journal
		p.client.AddHooks(notes.adding("hook", user("hook", "winner", "hook")))
		Expect(evaluated(invocation)).To(MatchJSON(`{"kind": "user", "key": "hook", "winner": "hook"}`))
	})

	It("3.3.1.2.1 the evaluation context includes that of the current transaction, and of no other", func() {
		p := start(given(trackedFlag))
		transaction := openfeature.WithTransactionContext(context.Background(), user("", "request", "r-1"))
		Expect(evaluatedWith(transaction, p, sandy)).To(MatchJSON(
			`{"kind": "user", "key": "sandy", "request": "r-1"}`))
		Expect(evaluatedWith(context.Background(), p, sandy)).To(MatchJSON(`{"kind": "user", "key": "sandy"}`))
	})
})
