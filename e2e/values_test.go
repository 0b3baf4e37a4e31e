package e2e

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"math"
	"math/big"
	"net/netip"
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
		Entry("bool", true, `true`),
		Entry("string", "grün", `"grün"`),
		Entry("empty string", "", `""`),
		Entry("invalid UTF-8", "a\xffb", `"a�b"`),
		Entry("int", -7, `-7`),
		Entry("int8", int8(-8), `-8`),
		Entry("int16", int16(16), `16`),
		Entry("int32", int32(32), `32`),
		Entry("int64", int64(1)<<53, `9007199254740992`),
		Entry("uint", uint(7), `7`),
		Entry("uint8", uint8(8), `8`),
		Entry("uint64", uint64(64), `64`),
		Entry("float32", float32(0.1), `0.1`),
		Entry("float64", 1e-7, `1e-7`),
		Entry("json.Number", json.Number("12.50"), `12.5`),
		Entry("named bool", namedBool(true), `true`),
		Entry("named string", namedString("x"), `"x"`),
		Entry("named int", namedInt(3), `3`),
		Entry("time.Duration", time.Second, `1000000000`),
		Entry("pointer", new(7), `7`),
		Entry("pointer to a pointer", new(new("x")), `"x"`),
		Entry("time.Time in another zone", noon, `"2026-07-01T10:00:00Z"`),
		Entry("time.Time with milliseconds", noon.Add(250*time.Millisecond), `"2026-07-01T10:00:00.25Z"`),
		Entry("time.Time with nanoseconds", noon.Add(1), `"2026-07-01T10:00:00.000000001Z"`),
		Entry("pointer to a time.Time", &noon, `"2026-07-01T10:00:00Z"`),
		Entry("time.Time inside", map[string]any{"at": []time.Time{noon}}, `{"at": ["2026-07-01T10:00:00Z"]}`),
		Entry("slice", []int{1, 2}, `[1, 2]`),
		Entry("empty slice", []string{}, `[]`),
		Entry("array", [2]bool{true, false}, `[true, false]`),
		Entry("mixed slice", []any{1, "a", nil, []any{}}, `[1, "a", null, []]`),
		Entry("bytes, in base64", []byte("hi"), `"aGk="`),
		Entry("map", map[string]int{"a": 1}, `{"a": 1}`),
		Entry("map with keys of a named type", map[namedString]any{"a": nil}, `{"a": null}`),
		Entry("struct", cart{ID: "c1", Total: 9.5, hidden: 1, Items: []item{{SKU: "s", N: 2}}},
			`{"id": "c1", "Total": 9.5, "items": [{"sku": "s", "n": 2}]}`),
		Entry("json.Marshaler", marshaler(func() ([]byte, error) { return []byte(`{"made": ["by", "hand"]}`), nil }),
			`{"made": ["by", "hand"]}`),
		Entry("json.Marshaler of the standard library", big.NewInt(42), `42`),
		Entry("encoding.TextMarshaler", netip.MustParseAddr("127.0.0.1"), `"127.0.0.1"`),
		Entry("json.RawMessage", json.RawMessage(` {"a" : [1]} `), `{"a": [1]}`),
		Entry("ldvalue.Value", ldvalue.ObjectBuild().Set("a", ldvalue.Int(1)).Build(), `{"a": 1}`),
		Entry("ldvalue.Raw", ldvalue.Raw([]byte(`{"a": 1}`)), `{"a": 1}`),
		Entry("openfeature.EvaluationContext", openfeature.NewEvaluationContext("k", map[string]any{"a": 1}),
			`{"targetingKey": "k", "a": 1}`),
		Entry("error", errors.New("declined"), `"declined"`),
		Entry("error inside", map[string]error{"last": io.EOF}, `{"last": "EOF"}`),
		Entry("sql.NullString", sql.NullString{String: "x@example.com", Valid: true}, `"x@example.com"`),
		Entry("pointer to a sql.NullInt64", &sql.NullInt64{Int64: 7, Valid: true}, `7`),
		Entry("sql.Null", sql.Null[time.Time]{V: noon, Valid: true}, `"2026-07-01T10:00:00Z"`),
		Entry("protobuf timestamp", &timestamp{noon.Unix()}, `"2026-07-01T10:00:00Z"`),
		Entry("nesting as deep as allowed", nested(98), string(mustMarshal(nested(98)))),
	)

	DescribeTable("that are nil are null in data, and omitted from contexts, because LaunchDarkly ignores null attributes",
		func(value any) {
			p := start()
			p.track("event", user("sandy", "value", value, "name", value, "anonymous", value),
				details(math.NaN(), "value", value))
			Expect(received(p.box, "event")).To(MatchJSON(`{"kind": "custom", "key": "event", "data": {"value": null},
				"context": {"kind": "user", "key": "sandy"}}`))
			Expect(p.problems.all()).To(BeEmpty())
		},
		Entry("nil", nil),
		Entry("nil pointer", (*int)(nil)),
		Entry("nil pointer to a pointer", new((*int)(nil))),
		Entry("nil map", map[string]any(nil)),
		Entry("nil slice", []string(nil)),
		Entry("nil json.RawMessage", json.RawMessage(nil)),
		Entry("null ldvalue.Value", ldvalue.Null()),
		Entry("sql.NullString without a value", sql.NullString{}),
		Entry("nil pointer to a timestamp", (*timestamp)(nil)),
		Entry("null as raw JSON", json.RawMessage("null")),
	)

	DescribeTable("that JSON cannot represent are omitted, and reported by name",
		func(value any, path string) {
			p := start()
			p.track("event", user("sandy", "bad", value, "good", true), details(1, "bad", value, "good", true))
			Expect(p.problems.all()).To(ConsistOf(unsupported(path), unsupported(path)), "in the context and in the data")
			event := p.box.CustomEvents("event")[0]
			if path == "bad" {
				Expect(received(p.box, "event")).To(MatchJSON(`{"kind": "custom", "key": "event", "metricValue": 1,
					"data": {"good": true}, "context": {"kind": "user", "key": "sandy", "good": true}}`))
			} else {
				Expect(event.Data.Keys(nil)).To(ConsistOf("bad", "good"))
			}
			Expect(p.log.String()).To(ContainSubstring("attribute=bad "))
		},
		Entry("NaN", math.NaN(), "bad"),
		Entry("an infinity", math.Inf(1), "bad"),
		Entry("a channel", make(chan int), "bad"),
		Entry("a function", func() {}, "bad"),
		Entry("invalid raw JSON", json.RawMessage(`{"broken`), "bad"),
		Entry("an invalid raw ldvalue.Value", ldvalue.Raw([]byte(`{"a":`)), "bad"),
		Entry("NaN in a map", map[string]float64{"nan": math.NaN()}, "/bad/nan"),
		Entry("NaN in an array", []float64{1, math.NaN()}, "/bad/1"),
		Entry("NaN in a struct", cart{Total: math.NaN()}, "/bad/Total"),
		Entry("a cycle", cycle, "/bad/self"),
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
		Entry("uint64", uint64(9007199254740993), "id"),
		Entry("json.Number", json.Number("9007199254740993"), "id"),
		Entry("in a list", []int{1, 9007199254740993}, "/id/1"),
		Entry("in raw JSON", json.RawMessage(`{"order": 9007199254740993}`), "/id/order"),
	)

	It("nested beyond 100 levels are cut off", func() {
		p := start()
		p.track("event", user("sandy", "deep", nested(101), "good", true), details(1, "deep", nested(101), "good", true))
		Expect(p.problems.all()).To(HaveLen(2))
		Expect(p.problems.all()).To(HaveEach(MatchError(ContainSubstring(`"/deep/0/0`))))
		event := p.box.CustomEvents("event")[0]
		Expect(event.Data.GetByKey("good").BoolValue()).To(BeTrue())
		Expect(event.Context.GetByKey("good").BoolValue()).To(BeTrue())
		Expect(strings.Count(event.Data.GetByKey("deep").JSONString(), "[")).To(Equal(100))
		Expect(strings.Count(event.Context.GetByKey("deep").JSONString(), "[")).To(Equal(100))
	})

	DescribeTable("of type time.Time work with LaunchDarkly's operators",
		func(op ldmodel.Operator, limit string, attribute any, matches bool) {
			p := start(given(func(box *launchdarklytest.Server) {
				box.SetFlags(ruled(ldbuilders.Clause("signedUp", op, ldvalue.String(limit))))
			}))
			Expect(p.client.Boolean(context.Background(), "flag", !matches, user("sandy", "signedUp", attribute))).
				To(Equal(matches))
		},
		// Noon in Amsterdam is 10:00 UTC: without the zone, the comparisons would fail.
		Entry("before", ldmodel.OperatorBefore, "2026-07-01T11:00:00Z", noon, true),
		Entry("not before", ldmodel.OperatorBefore, "2026-07-01T09:00:00Z", noon, false),
		Entry("after", ldmodel.OperatorAfter, "2026-07-01T09:00:00Z", noon, true),
		Entry("not after", ldmodel.OperatorAfter, "2026-07-01T11:00:00Z", noon, false),
		Entry("after, by less than a second", ldmodel.OperatorAfter, "2026-07-01T10:00:00.1Z",
			noon.Add(200*time.Millisecond), true),
		Entry("by pointer", ldmodel.OperatorBefore, "2026-07-01T11:00:00Z", &noon, true),
	)

	DescribeTable("can be used in targeting rules",
		func(clause ldmodel.Clause, attribute any) {
			p := start(given(func(box *launchdarklytest.Server) { box.SetFlags(ruled(clause)) }))
			Expect(p.client.Boolean(context.Background(), "flag", false, user("sandy", "attribute", attribute))).To(BeTrue())
			Expect(p.client.Boolean(context.Background(), "flag", true, user("sandy"))).To(BeFalse())
		},
		Entry("named string", ldbuilders.Clause("attribute", ldmodel.OperatorStartsWith, ldvalue.String("go")),
			namedString("gold")),
		Entry("uint8", ldbuilders.Clause("attribute", ldmodel.OperatorGreaterThan, ldvalue.Int(5)), uint8(6)),
		Entry("list", ldbuilders.Clause("attribute", ldmodel.OperatorIn, ldvalue.String("beta")), []string{"alpha", "beta"}),
		Entry("part of a struct", ldbuilders.ClauseRefWithKind("user", ldattr.NewRef("/attribute/id"), ldmodel.OperatorIn,
			ldvalue.String("c1")), cart{ID: "c1"}),
		Entry("part of a map in a map", ldbuilders.ClauseRefWithKind("user", ldattr.NewRef("/attribute/a/b"),
			ldmodel.OperatorIn, ldvalue.Int(1)), map[string]map[string]int{"a": {"b": 1}}),
		Entry("part of raw JSON", ldbuilders.ClauseRefWithKind("user", ldattr.NewRef("/attribute/a/b"),
			ldmodel.OperatorIn, ldvalue.Int(1)), json.RawMessage(`{"a": {"b": 1}}`)),
		Entry("semantic version", ldbuilders.Clause("attribute", ldmodel.OperatorSemVerGreaterThan, ldvalue.String("1.9.0")),
			"1.10.0"),
	)
})

// ruled returns a boolean flag that is true if the clause matches.
func ruled(clause ldmodel.Clause) ldmodel.FeatureFlag {
	return ldbuilders.NewFlagBuilder("flag").On(true).OffVariation(0).FallthroughVariation(0).
		Variations(ldvalue.Bool(false), ldvalue.Bool(true)).
		AddRule(ldbuilders.NewRuleBuilder().Variation(1).Clauses(clause)).Build()
}

// timestamp imitates a protobuf timestamp.
type timestamp struct{ Seconds int64 }

func (t *timestamp) AsTime() time.Time { return time.Unix(t.Seconds, 0) }

type (
	namedBool bool
	namedInt  int
	cart      struct {
		ID     string `json:"id"`
		Total  float64
		Items  []item `json:"items,omitempty"`
		Note   string `json:"note,omitempty"`
		Secret string `json:"-"`
		hidden int
	}
	item struct {
		SKU string `json:"sku"`
		N   int    `json:"n"`
	}
)

func mustMarshal(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}
