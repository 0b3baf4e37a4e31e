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
// LaunchDarkly. The flags have the suite's keys. LaunchDarkly requires these differences:
//
//   - Variants are indices of variations, not names.
//   - STATIC is DEFAULT: LaunchDarkly has one reason for flags without rules and for flags whose
//     rules do not match.
//   - Nothing is CACHED, and flags have no metadata of their own.
//   - A context requires a key, so an empty context is an error.
//   - A structure is any JSON value, as in OpenFeature's Go SDK, so a string flag resolves as a
//     structure.
//   - A flag without a default variant is a flag that is off and has no off variation.

// template is the value of object-flag.
var template = map[string]any{"showImages": true, "title": "Pictures", "imagesPerPage": 100.0}

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
		flag("boolean-flag", 0, true, false).Build(),
		flag("string-flag", 0, "hi", "bye").Build(),
		flag("integer-flag", 1, 1, 10).Build(),
		flag("float-flag", 1, 0.1, 0.5).Build(),
		flag("object-flag", 1, map[string]any{}, template).Build(),
		flag("context-aware", 1, "INTERNAL", "EXTERNAL").AddRule(rule("customer", ldvalue.Bool(false))).Build(),
		flag("wrong-flag", 0, "uno", "dos").Build(),
		flag("boolean-disabled-flag", 0, true, false).On(false).Build(),
		flag("string-disabled-flag", 0, "hi", "bye").On(false).Build(),
	)
	for key, variations := range map[string][]any{
		"boolean": {false, true}, "string": {"", "str"}, "integer": {0, 1}, "float": {0.0, 1.0},
		"object": {map[string]any{}, template},
	} {
		box.SetFlags(
			flag(key+"-zero-flag", 0, variations...).Build(),
			flag(key+"-targeted-zero-flag", 0, variations...).
				AddRule(rule("email", ldvalue.String("sandy@example.com"))).Build(),
		)
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
	startSuite := func(choices ...func(*setup)) *program {
		GinkgoHelper()
		return start(append(choices, given(evaluationSuite), options(launchdarkly.WithStandardReasons()))...)
	}
	// expectFailure asserts that an evaluation returns the default and an error.
	expectFailure := func(o outcome, def any, code openfeature.ErrorCode) {
		GinkgoHelper()
		if def == nil {
			Expect(o.value).To(BeNil())
		} else {
			Expect(o.value).To(Equal(def))
		}
		Expect(o.Reason).To(Equal(openfeature.ErrorReason))
		Expect(o.ErrorCode).To(Equal(code))
		Expect(o.ErrorMessage).NotTo(BeEmpty())
		Expect(o.Variant).To(BeEmpty())
		Expect(o.err).To(HaveOccurred())
	}
	fallback := map[string]any{"a": 1}

	DescribeTable("resolves values, with their details",
		func(flag string, ask question, value any, variant string) {
			p := startSuite()
			o := ask(p.client, flag, sandy)
			Expect(o.err).NotTo(HaveOccurred())
			Expect(o.value).To(Equal(value))
			Expect(o.FlagKey).To(Equal(flag))
			Expect(o.Variant).To(Equal(variant))
			Expect(o.Reason).To(Equal(openfeature.DefaultReason))
			Expect(o.ErrorCode).To(BeEmpty())
			Expect(o.ErrorMessage).To(BeEmpty())
		},
		Entry("boolean", "boolean-flag", asBoolean(false), true, "0"),
		Entry("string", "string-flag", asString("bye"), "hi", "0"),
		Entry("integer", "integer-flag", asInteger(1), int64(10), "1"),
		Entry("float", "float-flag", asFloat(0.1), 0.5, "1"),
		Entry("object", "object-flag", asObject(nil), template, "1"),
		Entry("false", "boolean-zero-flag", asBoolean(true), false, "0"),
		Entry("empty string", "string-zero-flag", asString("hi"), "", "0"),
		Entry("integer 0", "integer-zero-flag", asInteger(1), int64(0), "0"),
		Entry("float 0", "float-zero-flag", asFloat(0.1), 0.0, "0"),
		Entry("empty object", "object-zero-flag", asObject(fallback), map[string]any{}, "0"),
	)

	It("resolves values without their details", func() {
		p := startSuite()
		ctx := context.Background()
		Expect(p.client.Boolean(ctx, "boolean-flag", false, sandy)).To(BeTrue())
		Expect(p.client.String(ctx, "string-flag", "bye", sandy)).To(Equal("hi"))
		Expect(p.client.Int(ctx, "integer-flag", 1, sandy)).To(Equal(int64(10)))
		Expect(p.client.Float(ctx, "float-flag", 0.1, sandy)).To(Equal(0.5))
		Expect(p.client.Object(ctx, "object-flag", nil, sandy)).To(Equal(template))
	})

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
		Entry("object", "object-targeted-zero-flag", asObject(fallback), map[string]any{}),
	)

	It("resolves by several attributes of the context", func() {
		p := startSuite()
		who := user("sandy", "fn", "Zoë", "ln", "Dvořák", "age", 29, "role", "admin", "customer", false)
		o := asString("EXTERNAL")(p.client, "context-aware", who)
		Expect(o.value).To(Equal("INTERNAL"))
		Expect(o.Reason).To(Equal(openfeature.TargetingMatchReason))
		Expect(asString("default")(p.client, "context-aware", sandy).value).To(Equal("EXTERNAL"))
	})

	It("returns the default for an empty context, because LaunchDarkly requires a key", func() {
		p := startSuite()
		expectFailure(asString("EXTERNAL")(p.client, "context-aware", openfeature.EvaluationContext{}), "EXTERNAL",
			openfeature.TargetingKeyMissingCode)
	})

	DescribeTable("returns the default for a missing flag",
		func(ask question, def any) {
			p := startSuite()
			o := ask(p.client, "missing-flag", sandy)
			expectFailure(o, def, openfeature.FlagNotFoundCode)
			Expect(o.ErrorMessage).To(ContainSubstring("missing-flag"))
		},
		Entry("boolean", asBoolean(true), true),
		Entry("string", asString("uh-oh"), "uh-oh"),
		Entry("integer", asInteger(1), int64(1)),
		Entry("float", asFloat(0.1), 0.1),
		Entry("object", asObject(fallback), fallback),
		Entry("object without a default", asObject(nil), nil),
	)

	DescribeTable("returns the default for a flag of another type",
		func(flag string, ask question, def any) {
			p := startSuite()
			expectFailure(ask(p.client, flag, sandy), def, openfeature.TypeMismatchCode)
		},
		Entry("string as integer", "wrong-flag", asInteger(13), int64(13)),
		Entry("string as boolean", "string-flag", asBoolean(true), true),
		Entry("string as float", "string-flag", asFloat(0.1), 0.1),
		Entry("boolean as string", "boolean-flag", asString("bye"), "bye"),
		Entry("boolean as integer", "boolean-flag", asInteger(1), int64(1)),
		Entry("boolean as float", "boolean-flag", asFloat(0.1), 0.1),
		Entry("object as string", "object-flag", asString("bye"), "bye"),
	)

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

	DescribeTable("returns the default while the provider",
		func(code openfeature.ErrorCode, choices ...func(*setup)) {
			p := newProgram(append(choices, given(evaluationSuite))...)
			p.registerInBackground()
			if code == openfeature.ProviderFatalCode {
				Eventually(p.client.State).Should(Equal(openfeature.FatalState))
			}
			expectFailure(asBoolean(false)(p.client, "boolean-flag", sandy), false, code)
			expectFailure(asString("bye")(p.client, "string-flag", sandy), "bye", code)
			expectFailure(asInteger(1)(p.client, "integer-flag", sandy), int64(1), code)
			expectFailure(asFloat(0.1)(p.client, "float-flag", sandy), 0.1, code)
			expectFailure(asObject(fallback)(p.client, "object-flag", sandy), fallback, code)
		},
		Entry("is not ready", openfeature.ProviderNotReadyCode, given((*launchdarklytest.Server).HoldStreams)),
		Entry("has a fatal error", openfeature.ProviderFatalCode, wrongKey),
	)

	It("runs the hooks of an evaluation in order", func() {
		var notes journal
		p := startSuite()
		p.client.Boolean(context.Background(), "boolean-flag", false, sandy,
			openfeature.WithHooks(notes.hook("first"), notes.hook("second")))
		Expect(notes.all()).To(Equal([]string{
			"before first", "before second", "after second", "after first", "finally second", "finally first",
		}))
	})

	DescribeTable("passes evaluation details to hooks",
		func(flag string, ask question, stages ...string) {
			var notes journal
			p := startSuite()
			p.client.AddHooks(notes.hook("hook"))
			o := ask(p.client, flag, sandy)
			Expect(notes.all()).To(Equal(stages))
			for _, stage := range []string{"after", "finally"} {
				for _, call := range notes.stage(stage) {
					Expect(call.details.Value).To(Equal(o.value))
					Expect(call.details.EvaluationDetails).To(Equal(o.EvaluationDetails))
				}
			}
		},
		Entry("that succeed", "boolean-flag", asBoolean(false), "before hook", "after hook", "finally hook"),
		Entry("of a missing flag", "missing-flag", asString("uh-oh"), "before hook", "error hook", "finally hook"),
		Entry("of a flag of another type", "wrong-flag", asInteger(13), "before hook", "error hook", "finally hook"),
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

	It("returns the same values to concurrent goroutines", func() {
		p := startSuite()
		here := asString("bye")(p.client, "string-flag", sandy)
		there := make(chan outcome, 1)
		go func() { there <- asString("bye")(p.client, "string-flag", sandy) }()
		Eventually(there).Should(Receive(Equal(here)))
	})
})
