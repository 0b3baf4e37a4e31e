package e2e

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldattr"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

var _ = Describe("Values", func() {
	amsterdam := time.FixedZone("CEST", 2*60*60)
	noon := time.Date(2026, 7, 1, 12, 0, 0, 0, amsterdam)

	DescribeTable("are sent as JSON, in attributes and in tracked data",
		func(value any, want string) {
			p := start()
			p.track("event", user("sandy", "value", value), details(math.NaN(), "value", value))
			Expect(received(p.box, "event")).To(MatchJSON(`{"kind": "custom", "key": "event", "data": {"value": ` + want + `},
				"context": {"kind": "user", "key": "sandy", "value": ` + want + `}}`))
			Expect(p.problems.all()).To(BeEmpty())
		},
		Entry("time.Time in another zone", noon, `"2026-07-01T10:00:00Z"`),
		Entry("struct", cart{ID: "c1", Total: 9.5, Items: []string{"s"}}, `{"id": "c1", "Total": 9.5, "items": ["s"]}`),
		Entry("json.RawMessage", json.RawMessage(` {"a" : [1]} `), `{"a": [1]}`),
		Entry("openfeature.EvaluationContext", openfeature.NewEvaluationContext("k", map[string]any{"a": 1}),
			`{"targetingKey": "k", "a": 1}`),
		Entry("nesting as deep as allowed", nested(98), strings.Repeat("[", 98)+`"bottom"`+strings.Repeat("]", 98)),
	)

	DescribeTable("that JSON cannot represent are omitted, and reported by name",
		func(value any, path, rest string) {
			p := start()
			p.track("event", user("sandy", "bad", value, "good", true), details(1, "bad", value, "good", true))
			Expect(p.problems.all()).To(ConsistOf(unsupported(path), unsupported(path)), "in the context and in the data")
			Expect(received(p.box, "event")).To(MatchJSON(`{"kind": "custom", "key": "event", "metricValue": 1,
				"data": {` + rest + `"good": true}, "context": {"kind": "user", "key": "sandy", ` + rest + `"good": true}}`))
			Expect(p.log.String()).To(ContainSubstring("attribute=bad "))
		},
		Entry("NaN", math.NaN(), "bad", ``),
		Entry("invalid raw JSON", json.RawMessage(`{"broken`), "bad", ``),
		Entry("a cycle", cycle, "/bad/self", `"bad": {}, `),
	)

	DescribeTable("of integers that float64 cannot represent are rounded, and reported by name",
		func(value any, path string) {
			p := start()
			p.track("event", user("sandy", "id", value), details(1, "id", value))
			imprecise := attributeProblem(path, launchdarkly.ErrPrecision)
			Expect(p.problems.all()).To(ConsistOf(imprecise, imprecise), "in the context and in the data")
			Expect(received(p.box, "event")).To(And(
				ContainSubstring("9007199254740992"), Not(ContainSubstring("9007199254740993"))))
			Expect(p.log.String()).To(ContainSubstring("attribute=id "))

			// A rule for the rounded number matches, so IDs of this size should be strings.
			p.client.Boolean(context.Background(), "flag", false, user("sandy", "id", value))
			Expect(warningLines(p)).To(ContainElement(ContainSubstring("flag=flag")))
		},
		Entry("int64", int64(9007199254740993), "id"),
		Entry("in raw JSON", json.RawMessage(`{"order": 9007199254740993}`), "/id/order"),
	)

	DescribeTable("of type time.Time work with LaunchDarkly's operators",
		func(op ldmodel.Operator, limit string, attribute any) {
			p := start(given(func(box *launchdarklytest.Server) {
				box.SetFlags(ruled(ldbuilders.Clause("signedUp", op, ldvalue.String(limit))))
			}))
			Expect(p.client.Boolean(context.Background(), "flag", false, user("sandy", "signedUp", attribute))).To(BeTrue())
		},
		// Noon in Amsterdam is 10:00 UTC: without the zone, the comparisons would fail.
		Entry("before", ldmodel.OperatorBefore, "2026-07-01T11:00:00Z", noon),
		Entry("after, by less than a second", ldmodel.OperatorAfter, "2026-07-01T10:00:00.1Z",
			noon.Add(200*time.Millisecond)),
	)

	DescribeTable("can be used in targeting rules",
		func(clause ldmodel.Clause, attribute any) {
			p := start(given(func(box *launchdarklytest.Server) { box.SetFlags(ruled(clause)) }))
			Expect(p.client.Boolean(context.Background(), "flag", false, user("sandy", "attribute", attribute))).To(BeTrue())
			Expect(p.client.Boolean(context.Background(), "flag", true, user("sandy"))).To(BeFalse())
		},
		Entry("named string", ldbuilders.Clause("attribute", ldmodel.OperatorStartsWith, ldvalue.String("go")),
			namedString("gold")),
		Entry("part of a struct", ldbuilders.ClauseRefWithKind("user", ldattr.NewRef("/attribute/id"), ldmodel.OperatorIn,
			ldvalue.String("c1")), cart{ID: "c1"}),
		Entry("part of raw JSON", ldbuilders.ClauseRefWithKind("user", ldattr.NewRef("/attribute/a/b"),
			ldmodel.OperatorIn, ldvalue.Int(1)), json.RawMessage(`{"a": {"b": 1}}`)),
	)
})

// ruled returns a boolean flag that is true if the clause matches.
func ruled(clause ldmodel.Clause) ldmodel.FeatureFlag {
	return ldbuilders.NewFlagBuilder("flag").On(true).OffVariation(0).FallthroughVariation(0).
		Variations(ldvalue.Bool(false), ldvalue.Bool(true)).
		AddRule(ldbuilders.NewRuleBuilder().Variation(1).Clauses(clause)).Build()
}

type cart struct {
	ID    string `json:"id"`
	Total float64
	Items []string `json:"items,omitempty"`
}
