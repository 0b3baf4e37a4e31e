package e2e

import (
	"context"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// The scenarios of the evaluation suite in Appendix B of OpenFeature's specification, with flags in
// LaunchDarkly. The flags have the suite's keys. Scenarios that the specs of requirements cover are
// not repeated: values and their details (1.4.1.1, 2.2.3), a context without a key (3.1.1), missing
// flags (1.4.8), flags of another type (1.3.4), a provider that is not ready (1.7.6) or has a fatal
// error (1.7.7), concurrent evaluations (1.4.12), and hooks (4.3.6 to 4.4.2). LaunchDarkly requires
// these differences:
//
//   - Variants are indices of variations, not names.
//   - STATIC is DEFAULT: LaunchDarkly has one reason for flags without rules and for flags whose
//     rules do not match.
//   - Nothing is CACHED, and flags have no metadata of their own.
//   - A context requires a key.
//   - A flag without a default variant is a flag that is off and has no off variation.

// evaluationSuite sets the flags of the evaluation suite.
func evaluationSuite(box *launchdarklytest.Server) {
	flag := func(key string, on int, variations ...any) *ldbuilders.FlagBuilder {
		values := make([]ldvalue.Value, len(variations))
		for i, v := range variations {
			values[i] = ldvalue.CopyArbitraryValue(v)
		}
		return ldbuilders.NewFlagBuilder(key).On(true).Variations(values...).FallthroughVariation(on)
	}
	rule := func(attribute string, value ldvalue.Value) *ldbuilders.RuleBuilder {
		return ldbuilders.NewRuleBuilder().ID("rule").Variation(0).
			Clauses(ldbuilders.Clause(attribute, ldmodel.OperatorIn, value))
	}
	box.SetFlags(
		flag("context-aware", 1, "INTERNAL", "EXTERNAL").AddRule(rule("customer", ldvalue.Bool(false))).Build(),
		flag("boolean-disabled-flag", 0, true, false).On(false).Build(),
		flag("string-disabled-flag", 0, "hi", "bye").On(false).Build(),
	)
	for key, variations := range map[string][]any{
		"boolean": {false, true}, "string": {"", "str"}, "integer": {0, 1}, "float": {0.0, 1.0},
		"object": {map[string]any{}, map[string]any{"title": "Pictures"}},
	} {
		box.SetFlags(flag(key+"-targeted-zero-flag", 0, variations...).
			AddRule(rule("email", ldvalue.String("sandy@example.com"))).Build())
	}
}

// question evaluates a flag as one type, with a default.
type question func(*openfeature.Client, string, openfeature.EvaluationContext) outcome

func asBoolean(def bool) question {
	return func(c *openfeature.Client, flag string, who openfeature.EvaluationContext) outcome {
		return outcomeOf(c.BooleanValueDetails(context.Background(), flag, def, who))
	}
}

func asString(def string) question {
	return func(c *openfeature.Client, flag string, who openfeature.EvaluationContext) outcome {
		return outcomeOf(c.StringValueDetails(context.Background(), flag, def, who))
	}
}

func asInteger(def int64) question {
	return func(c *openfeature.Client, flag string, who openfeature.EvaluationContext) outcome {
		return outcomeOf(c.IntValueDetails(context.Background(), flag, def, who))
	}
}

func asFloat(def float64) question {
	return func(c *openfeature.Client, flag string, who openfeature.EvaluationContext) outcome {
		return outcomeOf(c.FloatValueDetails(context.Background(), flag, def, who))
	}
}

func asObject(def any) question {
	return func(c *openfeature.Client, flag string, who openfeature.EvaluationContext) outcome {
		return outcomeOf(c.ObjectValueDetails(context.Background(), flag, def, who))
	}
}

var _ = Describe("OpenFeature's Appendix B", func() {
	startSuite := func() *program {
		GinkgoHelper()
		return start(given(evaluationSuite), options(launchdarkly.WithStandardReasons()))
	}

	DescribeTable("resolves zero values for contexts that targeting matches, and for others",
		func(flag string, ask question, value any) {
			p := startSuite()
			for _, asked := range []struct {
				who    openfeature.EvaluationContext
				reason openfeature.Reason
			}{
				{user("sandy", "email", "sandy@example.com"), openfeature.TargetingMatchReason},
				{user("sandy", "email", "sandy@example.org"), openfeature.DefaultReason},
				{user("sandy", "email", nil), openfeature.DefaultReason},
				{sandy, openfeature.DefaultReason},
			} {
				o := ask(p.client, flag, asked.who)
				Expect(o.err).NotTo(HaveOccurred())
				Expect(o.value).To(Equal(value))
				Expect(o.Variant).To(Equal("0"))
				Expect(o.Reason).To(Equal(asked.reason))
			}
		},
		Entry("boolean", "boolean-targeted-zero-flag", asBoolean(true), false),
		Entry("string", "string-targeted-zero-flag", asString("hi"), ""),
		Entry("integer", "integer-targeted-zero-flag", asInteger(1), int64(0)),
		Entry("float", "float-targeted-zero-flag", asFloat(0.1), 0.0),
		Entry("object", "object-targeted-zero-flag", asObject(nil), map[string]any{}),
	)

	It("resolves by several attributes of the context", func() {
		p := startSuite()
		who := user("sandy", "fn", "Zoë", "ln", "Dvořák", "age", 29, "role", "admin", "customer", false)
		o := asString("EXTERNAL")(p.client, "context-aware", who)
		Expect(o.value).To(Equal("INTERNAL"))
		Expect(o.Reason).To(Equal(openfeature.TargetingMatchReason))
		Expect(asString("default")(p.client, "context-aware", sandy).value).To(Equal("EXTERNAL"))
	})

	DescribeTable("returns the default for a disabled flag",
		func(flag string, ask question, def any) {
			p := startSuite()
			o := ask(p.client, flag, sandy)
			Expect(o.err).NotTo(HaveOccurred())
			Expect(o.value).To(Equal(def))
			Expect(o.Reason).To(Equal(openfeature.DisabledReason))
			Expect(o.Variant).To(BeEmpty())
			Expect(o.ErrorCode).To(BeEmpty())
		},
		Entry("boolean", "boolean-disabled-flag", asBoolean(false), false),
		Entry("string", "string-disabled-flag", asString("default"), "default"),
	)

	It("does not change the evaluation context", func() {
		p := startSuite()
		address := map[string]any{"city": "Utrecht", "lines": []any{"a", "b"}}
		attributes := map[string]any{"email": "sandy@example.com", "address": address, "name": 7}
		who := openfeature.NewEvaluationContext("sandy", attributes)
		Expect(asBoolean(true)(p.client, "boolean-targeted-zero-flag", who).err).NotTo(HaveOccurred())
		want := map[string]any{"email": "sandy@example.com", "name": 7,
			"address": map[string]any{"city": "Utrecht", "lines": []any{"a", "b"}}}
		Expect(who.TargetingKey()).To(Equal("sandy"))
		Expect(who.Attributes()).To(Equal(want))
		Expect(attributes).To(Equal(want))
	})
})
