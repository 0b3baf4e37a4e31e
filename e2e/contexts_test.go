package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest/ldmatchers"
)

// warning is an expected warning about a context, in evaluation and in tracking.
type warning struct {
	attribute string
	cause     error
}

// text returns the text that the log line must contain. The reasons why JSON cannot represent a
// value vary.
func (w warning) text() string {
	if errors.Is(w.cause, launchdarkly.ErrUnsupportedValue) {
		return ""
	}
	return w.cause.Error()
}

// logged returns the attribute's name as logged: without the path within its value, whose keys may
// be personal data.
func (w warning) logged() string {
	steps := strings.Split(w.attribute, "/")
	if len(steps) > 2 && steps[1] != "user" { // otherwise, the first step is a kind
		return steps[1]
	}
	return w.attribute
}

// trackedFlag adds a flag with an evaluation event, including the context, for each evaluation.
func trackedFlag(box *launchdarklytest.Server) {
	box.SetFlags(ldbuilders.NewFlagBuilder("flag").On(true).Variations(ldvalue.Bool(true)).FallthroughVariation(0).
		TrackEvents(true).Build())
}

var _ = Describe("Contexts", func() {
	check := func(evaluationContext openfeature.EvaluationContext, want string, warnings []warning,
		opts ...launchdarkly.Option,
	) {
		GinkgoHelper()
		p := start(given(trackedFlag), options(opts...))
		details, err := p.client.BooleanValueDetails(context.Background(), "flag", false, evaluationContext)
		Expect(err).NotTo(HaveOccurred())
		Expect(details.Value).To(BeTrue())
		lines := warningLines(p)
		causes := map[string]bool{} // each of which is logged once
		for _, w := range warnings {
			causes[w.logged()+w.cause.Error()] = true
		}
		Expect(lines).To(HaveLen(len(causes)), "warnings of the evaluation: %v", lines)
		for _, w := range warnings {
			Expect(lines).To(ContainElement(And(
				ContainSubstring("attribute=%s", w.logged()), ContainSubstring(w.text()), ContainSubstring("flag=flag"))))
			if w.logged() != w.attribute {
				Expect(lines).NotTo(ContainElement(ContainSubstring(w.attribute)))
			}
		}
		Expect(p.problems.all()).To(BeEmpty(), "the error handler is for tracking")

		p.track("event", evaluationContext, openfeature.TrackingEventDetails{})
		problems := make([]any, len(warnings))
		for i, w := range warnings {
			problems[i] = attributeProblem(w.attribute, w.cause)
		}
		Expect(p.problems.all()).To(ConsistOf(problems...))
		Expect(warningLines(p)).To(HaveLen(2 * len(causes)))
		Expect(p.log.String()).NotTo(ContainSubstring("hunter2"), "values must not be logged")

		for _, kind := range []string{launchdarklytest.KindCustom, launchdarklytest.KindFeature, launchdarklytest.KindIndex} {
			events := eventsOfKind(p.box, kind)
			Expect(events).NotTo(BeEmpty())
			for _, event := range events {
				Expect(normal(event.Context)).To(MatchJSON(want), "context of the %s event", kind)
			}
		}
	}

	DescribeTable("are converted to LaunchDarkly contexts",
		func(evaluationContext openfeature.EvaluationContext, want string, warnings ...warning) {
			check(evaluationContext, want, warnings)
		},
		Entry("without a kind: a user", user("sandy", "plan", "gold"), `{"kind": "user", "key": "sandy", "plan": "gold"}`),
		Entry("with a targeting key and a key: the targeting key is used", user("sandy", "key", "hunter2"),
			`{"kind": "user", "key": "sandy"}`, warning{"key", launchdarkly.ErrAttributeIgnored}),
		Entry("with attributes of all types", user("sandy", "s", "x", "n", 1.5, "b", false, "l", []int{1},
			"o", map[string]any{"a": nil}), `{"kind": "user", "key": "sandy", "s": "x", "n": 1.5, "b": false, "l": [1],
			"o": {"a": null}}`),
		Entry("with a part of an attribute that JSON cannot represent",
			user("sandy", "cart", map[string]any{"bad": math.NaN(), "list": []any{1, math.Inf(1)}}),
			`{"kind": "user", "key": "sandy", "cart": {"list": [1, null]}}`,
			warning{"/cart/bad", launchdarkly.ErrUnsupportedValue}, warning{"/cart/list/1", launchdarkly.ErrUnsupportedValue}),
		Entry("with private attributes", user("sandy", "email", "hunter2", "plan", "gold",
			"privateAttributes", []string{"email"}),
			`{"kind": "user", "key": "sandy", "plan": "gold", "_meta": {"redactedAttributes": ["email"]}}`),
		Entry("with a private part of an attribute",
			user("sandy", "address", map[string]any{"street": "hunter2", "city": "Utrecht"},
				"privateAttributes", []string{"/address/street"}),
			`{"kind": "user", "key": "sandy", "address": {"city": "Utrecht"},
				"_meta": {"redactedAttributes": ["/address/street"]}}`),
		Entry("with a private part of a list: the whole list is private",
			user("sandy", "cards", []any{pairs("number", "hunter2")}, "plan", "gold",
				"privateAttributes", []string{"/cards/0/number"}),
			`{"kind": "user", "key": "sandy", "plan": "gold", "_meta": {"redactedAttributes": ["cards"]}}`,
			warning{"cards", launchdarkly.ErrPrivateReference}),
		Entry("with a private attribute whose name begins with a slash", user("sandy", "/email", "hunter2", "email", "x@example.com",
			"privateAttributes", []string{"/~1email"}),
			`{"kind": "user", "key": "sandy", "email": "x@example.com", "_meta": {"redactedAttributes": ["/~1email"]}}`),
		Entry("with a reference that equals the name of another attribute", user("sandy", "/email", "sent", "email", "hunter2",
			"privateAttributes", []string{"/email"}),
			`{"kind": "user", "key": "sandy", "/email": "sent", "_meta": {"redactedAttributes": ["/email"]}}`),
	)

	DescribeTable("keep all attributes private if the private attributes cannot be read",
		func(private map[string]any, named string) {
			attributes := map[string]any{
				"email": "hunter2", "plan": "hunter2", "name": "hunter2",
				"address": map[string]any{"city": "hunter2"},
			}
			maps.Copy(attributes, private)
			check(openfeature.NewEvaluationContext("sandy", attributes), `{"kind": "user", "key": "sandy",
				"_meta": {"redactedAttributes": ["address", "email", "name", "plan"]}}`,
				[]warning{{named, launchdarkly.ErrPrivateAttributes}})
		},
		Entry("a string", pairs("privateAttributes", "email"), "privateAttributes"),
		Entry("a list under another name in _meta", pairs("_meta", map[string]any{"private": []string{"email"}}), "_meta"),
	)

	DescribeTable("are evaluated with private attributes",
		func(private any) {
			p := start(given(func(box *launchdarklytest.Server) {
				box.SetFlags(ldbuilders.NewFlagBuilder("flag").On(true).OffVariation(0).FallthroughVariation(0).
					Variations(ldvalue.Bool(false), ldvalue.Bool(true)).TrackEvents(true).
					AddRule(ldbuilders.NewRuleBuilder().Variation(1).
						Clauses(ldbuilders.Clause("plan", ldmodel.OperatorIn, ldvalue.String("gold")))).Build())
			}))
			evaluationContext := user("sandy", "plan", "gold", "privateAttributes", private)
			Expect(p.client.Boolean(context.Background(), "flag", false, evaluationContext)).To(BeTrue())
			p.flush()
			Expect(p.box.Events()).To(HaveEach(WithTransform(launchdarklytest.Event.String, Not(ContainSubstring("gold")))))
			Expect(p.box).To(ldmatchers.HaveReceived(ldmatchers.FeatureEvent("flag").WithValue(true)))
		},
		Entry("listed", []string{"plan"}),
		Entry("all of them, because the list cannot be read", 7),
	)

	It("use the current list of private attributes after the application changes it", func() {
		p := start()
		private := []string{"email"}
		evaluationContext := user("sandy", "email", "sandy@example.com", "plan", "gold", "privateAttributes", private)
		p.client.Track(context.Background(), "first", evaluationContext, details(1))
		private[0] = "plan"
		p.client.Track(context.Background(), "second", evaluationContext, details(1))
		p.flush()
		Expect(p.box.CustomEvents()).To(ConsistOf(
			ldmatchers.CustomEvent("first").WithContext(And(HaveKey("plan"), Not(HaveKey("email")))),
			ldmatchers.CustomEvent("second").WithContext(And(HaveKey("email"), Not(HaveKey("plan")))),
		))
	})

	DescribeTable("are converted to multi-contexts",
		func(attributes map[string]any, targetingKey, want string, warnings ...warning) {
			attributes["kind"] = "multi"
			check(openfeature.NewEvaluationContext(targetingKey, attributes), want, warnings)
		},
		Entry("of two kinds", pairs("user", pairs("key", "sandy", "plan", "gold"), "org", pairs("targetingKey", "acme")), "",
			`{"kind": "multi", "user": {"key": "sandy", "plan": "gold"}, "org": {"key": "acme"}}`),
		Entry("whose contexts have built-in and private attributes", pairs(
			"user", pairs("key", "sandy", "name", "Sandy", "email", "hunter2", "privateAttributes", []string{"email"}),
			"org", pairs("key", "acme", "email", "info@example.com")), "",
			`{"kind": "multi", "user": {"key": "sandy", "name": "Sandy", "_meta": {"redactedAttributes": ["email"]}},
				"org": {"key": "acme", "email": "info@example.com"}}`),
		Entry("with private attributes at the top level, which apply to each context", pairs(
			"user", pairs("key", "sandy", "email", "hunter2", "plan", "hunter2", "privateAttributes", []string{"plan"}),
			"org", pairs("key", "acme", "email", "hunter2", "plan", "gold"),
			"privateAttributes", []string{"email"}), "",
			`{"kind": "multi", "user": {"key": "sandy", "_meta": {"redactedAttributes": ["email", "plan"]}},
				"org": {"key": "acme", "plan": "gold", "_meta": {"redactedAttributes": ["email"]}}}`),
		Entry("with private attributes of one context at the top level", pairs(
			"user", pairs("key", "sandy", "email", "hunter2"), "org", pairs("key", "acme", "email", "info@example.com"),
			"privateAttributes", []string{"/user/email"}), "",
			`{"kind": "multi", "user": {"key": "sandy", "_meta": {"redactedAttributes": ["email"]}},
				"org": {"key": "acme", "email": "info@example.com"}}`,
			warning{"/user/email", launchdarkly.ErrPrivateReference}),
		Entry("whose contexts have invalid attributes", pairs(
			"user", pairs("key", "sandy", "name", 7, "bad", math.NaN(), "targetingKey", "sandy"), "org", pairs("key", "acme")),
			"", `{"kind": "multi", "user": {"key": "sandy"}, "org": {"key": "acme"}}`,
			warning{"/user/name", launchdarkly.ErrAttributeType}, warning{"/user/bad", launchdarkly.ErrUnsupportedValue},
			warning{"/user/key", launchdarkly.ErrAttributeIgnored}),
	)

	DescribeTable("that LaunchDarkly rejects make the evaluation return an error and the default",
		func(evaluationContext openfeature.EvaluationContext, code openfeature.ErrorCode, cause error, message string) {
			p := start(given(trackedFlag))
			details, err := p.client.ObjectValueDetails(context.Background(), "flag", theme, evaluationContext)
			Expect(err).To(HaveOccurred())
			Expect(details.Value).To(BeIdenticalTo(theme))
			Expect(details.ErrorCode).To(Equal(code))
			Expect(details.ErrorMessage).To(ContainSubstring(message))

			p.track("event", evaluationContext, openfeature.TrackingEventDetails{})
			Expect(p.problems.all()).To(ContainElement(And(MatchError(cause), MatchError(ContainSubstring(message)))))
			Expect(p.box).To(ldmatchers.HaveReceivedNothing())
		},
		Entry("no key", user("", "plan", "gold"), openfeature.TargetingKeyMissingCode,
			launchdarkly.ErrTargetingKeyMissing, "targeting key missing"),
		Entry("nothing at all", openfeature.EvaluationContext{}, openfeature.TargetingKeyMissingCode,
			launchdarkly.ErrTargetingKeyMissing, "targeting key missing"),
		Entry("an invalid kind", user("sandy", "kind", "a b"), openfeature.InvalidContextCode,
			launchdarkly.ErrInvalidContext, "context kind contains disallowed characters"),
		Entry("a multi-context with a context without a key",
			user("", "kind", "multi", "user", pairs("key", "sandy"), "org", pairs("name", "Acme")),
			openfeature.TargetingKeyMissingCode, launchdarkly.ErrTargetingKeyMissing, `"org"`),
	)

	It("are redacted by LaunchDarkly's rules if they are anonymous", func() {
		p := start(given(trackedFlag))
		anonymous := user("0a1b", "anonymous", true, "name", "Sandy", "email", "hunter2", "privateAttributes", 7)
		p.client.Boolean(context.Background(), "flag", false, anonymous)
		p.track("event", anonymous, openfeature.TrackingEventDetails{})
		Expect(p.box.Events()).NotTo(BeEmpty())
		for _, event := range p.box.Events() {
			Expect(event.String()).NotTo(Or(ContainSubstring("hunter2"), ContainSubstring("Sandy")))
		}
	})

	It("can have the kind in another attribute", func() {
		check(user("acme", "contextKind", "org", "kind", "hunter2"), `{"kind": "org", "key": "acme"}`,
			[]warning{{"kind", launchdarkly.ErrAttributeIgnored}}, launchdarkly.WithContextKindAttribute("contextKind"))
	})

	It("combine the kinds of several levels to a multi-context", func() {
		p := start(given(trackedFlag))
		p.api.SetEvaluationContext(user("", "kind", "multi", "service", pairs("key", "shop")))
		ctx := openfeature.WithTransactionContext(context.Background(), user("", "org", pairs("key", "acme")))
		Expect(evaluatedWith(ctx, p, user("", "user", pairs("key", "sandy")))).To(MatchJSON(
			`{"kind": "multi", "service": {"key": "shop"}, "org": {"key": "acme"}, "user": {"key": "sandy"}}`))
	})

	It("keep the private attributes of an outer level private", func() {
		p := start(given(trackedFlag))
		p.api.SetEvaluationContext(user("", "privateAttributes", []string{"email"}))
		Expect(evaluatedWith(context.Background(), p, user("sandy", "email", "hunter2"))).To(MatchJSON(
			`{"kind": "user", "key": "sandy", "_meta": {"redactedAttributes": ["email"]}}`))
	})

	It("are in the flag metadata of evaluations, by key", func() {
		p := start(given(trackedFlag))
		id := func(evaluationContext openfeature.EvaluationContext) any {
			details, err := p.client.BooleanValueDetails(context.Background(), "flag", false, evaluationContext)
			Expect(err).NotTo(HaveOccurred())
			return details.FlagMetadata[launchdarkly.MetadataContextID]
		}
		Expect(id(sandy)).To(BeNil())
		Expect(id(user("", "key", "sandy"))).To(Equal("sandy"))
		Expect(id(user("acme", "kind", "org"))).To(Equal("org:acme"))
		Expect(id(user("", "kind", "multi", "user", pairs("key", "sandy"), "org", pairs("key", "acme")))).
			To(Equal("org:acme:user:sandy"))
	})

	DescribeTable("are logged with a rate limit if many have invalid attributes",
		func(attribute func(i int) string, atMost int) {
			p := start(given(trackedFlag))
			const flood = 10_000
			for i := range flood {
				bad := user("sandy", attribute(i), math.NaN(), "name", 7)
				p.client.Boolean(context.Background(), "flag", false, bad)
				p.client.Track(context.Background(), "event", bad, openfeature.TrackingEventDetails{})
			}
			Expect(warningLines(p)).NotTo(BeEmpty())
			Expect(len(warningLines(p))).To(BeNumerically("<=", atMost))
			Expect(p.problems.all()).To(HaveLen(2*flood), "the error handler receives all errors")
		},
		Entry("all alike", func(int) string { return "bad" }, 4),
		Entry("each with a different attribute", func(i int) string { return fmt.Sprint("bad-", i) }, 300),
	)

	It("are logged with a rate limit if many are rejected", func() {
		p := start(given(trackedFlag))
		for i := range 10_000 {
			p.client.Track(context.Background(), fmt.Sprint("event-", i), user(""), openfeature.TrackingEventDetails{})
		}
		Expect(strings.Count(p.log.String(), "tracked event not sent")).To(Equal(1))
		Expect(p.provider.Stats().Dropped.InvalidContext).To(Equal(uint64(10_000)))
	})
})

type namedString string

// warningLines returns the log's lines of level WARN.
func warningLines(p *program) []string {
	return p.log.Lines("level=WARN")
}

func eventsOfKind(box *launchdarklytest.Server, kind string) []launchdarklytest.Event {
	return slices.DeleteFunc(box.Events(), func(e launchdarklytest.Event) bool { return e.Kind != kind })
}

// normal returns a context's JSON with sorted redacted attributes, whose order LaunchDarkly does
// not specify.
func normal(context ldvalue.Value) string {
	GinkgoHelper()
	var parsed map[string]any
	Expect(json.Unmarshal([]byte(context.JSONString()), &parsed)).To(Succeed())
	var sort func(object map[string]any)
	sort = func(object map[string]any) {
		for name, v := range object {
			if list, ok := v.([]any); ok && name == "redactedAttributes" {
				slices.SortFunc(list, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
			} else if inner, ok := v.(map[string]any); ok {
				sort(inner)
			}
		}
	}
	sort(parsed)
	sorted, err := json.Marshal(parsed)
	Expect(err).NotTo(HaveOccurred())
	return string(sorted)
}
