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
		Entry("of a kind", user("acme", "kind", "org"), `{"kind": "org", "key": "acme"}`),
		Entry("with a kind of a named string type", user("acme", "kind", namedString("org")), `{"kind": "org", "key": "acme"}`),
		Entry("with a kind that is not a string", user("sandy", "kind", 7),
			`{"kind": "user", "key": "sandy"}`, warning{"kind", launchdarkly.ErrAttributeType}),
		Entry("with a null kind", user("sandy", "kind", nil),
			`{"kind": "user", "key": "sandy"}`, warning{"kind", launchdarkly.ErrAttributeType}),

		Entry("with a key", user("", "key", "sandy"), `{"kind": "user", "key": "sandy"}`),
		Entry("with a targeting key among the attributes", user("", "targetingKey", "sandy"),
			`{"kind": "user", "key": "sandy"}`),
		Entry("with a targeting key and a key: the targeting key is used", user("sandy", "key", "hunter2"),
			`{"kind": "user", "key": "sandy"}`, warning{"key", launchdarkly.ErrAttributeIgnored}),
		Entry("with a targeting key that is not a string, and a key", user("", "targetingKey", 7, "key", "sandy"),
			`{"kind": "user", "key": "sandy"}`),
		Entry("with a targeting key and an empty key", user("sandy", "key", ""), `{"kind": "user", "key": "sandy"}`),
		Entry("with a key that is not valid UTF-8", user("s\xffy"), `{"kind": "user", "key": "s�y"}`),

		Entry("with a name", user("sandy", "name", "Sandy"), `{"kind": "user", "key": "sandy", "name": "Sandy"}`),
		Entry("with a name of a named string type", user("sandy", "name", namedString("Sandy")),
			`{"kind": "user", "key": "sandy", "name": "Sandy"}`),
		Entry("anonymous", user("sandy", "anonymous", true), `{"kind": "user", "key": "sandy", "anonymous": true}`),
		Entry("with a pointer to a bool as anonymous", user("sandy", "anonymous", new(true)),
			`{"kind": "user", "key": "sandy", "anonymous": true}`),
		Entry("not anonymous", user("sandy", "anonymous", false), `{"kind": "user", "key": "sandy"}`),
		Entry("with a name that is not a string", user("sandy", "name", []string{"hunter2"}),
			`{"kind": "user", "key": "sandy"}`, warning{"name", launchdarkly.ErrAttributeType}),
		Entry("anonymous in a word", user("sandy", "anonymous", "hunter2"),
			`{"kind": "user", "key": "sandy"}`, warning{"anonymous", launchdarkly.ErrAttributeType}),

		Entry("with attributes of all types", user("sandy", "s", "x", "n", 1.5, "b", false, "l", []int{1},
			"o", map[string]any{"a": nil}), `{"kind": "user", "key": "sandy", "s": "x", "n": 1.5, "b": false, "l": [1],
			"o": {"a": null}}`),
		Entry("with an attribute that JSON cannot represent", user("sandy", "bad", math.NaN(), "good", 1),
			`{"kind": "user", "key": "sandy", "good": 1}`, warning{"bad", launchdarkly.ErrUnsupportedValue}),
		Entry("with a part of an attribute that JSON cannot represent",
			user("sandy", "cart", map[string]any{"bad": math.NaN(), "list": []any{1, math.Inf(1)}}),
			`{"kind": "user", "key": "sandy", "cart": {"list": [1, null]}}`,
			warning{"/cart/bad", launchdarkly.ErrUnsupportedValue}, warning{"/cart/list/1", launchdarkly.ErrUnsupportedValue}),
		Entry("with an attribute without a name", user("sandy", "", "hunter2"),
			`{"kind": "user", "key": "sandy"}`, warning{"", launchdarkly.ErrAttributeIgnored}),

		Entry("with private attributes", user("sandy", "email", "hunter2", "plan", "gold",
			"privateAttributes", []string{"email"}),
			`{"kind": "user", "key": "sandy", "plan": "gold", "_meta": {"redactedAttributes": ["email"]}}`),
		Entry("with private attributes in a []any", user("sandy", "email", "hunter2", "name", "hunter2",
			"privateAttributes", []any{"email", "name"}),
			`{"kind": "user", "key": "sandy", "_meta": {"redactedAttributes": ["email", "name"]}}`),
		Entry("with a private part of an attribute",
			user("sandy", "address", map[string]any{"street": "hunter2", "city": "Utrecht"},
				"privateAttributes", []string{"/address/street"}),
			`{"kind": "user", "key": "sandy", "address": {"city": "Utrecht"},
				"_meta": {"redactedAttributes": ["/address/street"]}}`),
		Entry("with private attributes in _meta",
			user("sandy", "email", "hunter2", "_meta", map[string]any{"privateAttributes": []string{"email"}}),
			`{"kind": "user", "key": "sandy", "_meta": {"redactedAttributes": ["email"]}}`),
		Entry("with private attributes in both places",
			user("sandy", "a", "hunter2", "b", "hunter2", "privateAttributes", []string{"a"},
				"_meta", map[string]any{"privateAttributes": []any{"b"}}),
			`{"kind": "user", "key": "sandy", "_meta": {"redactedAttributes": ["a", "b"]}}`),
		Entry("with private attributes that are absent", user("sandy", "privateAttributes", []string{"email"}),
			`{"kind": "user", "key": "sandy"}`),
		Entry("with a private part of a list: the whole list is private",
			user("sandy", "cards", []any{pairs("number", "hunter2")}, "plan", "gold",
				"privateAttributes", []string{"/cards/0/number"}),
			`{"kind": "user", "key": "sandy", "plan": "gold", "_meta": {"redactedAttributes": ["cards"]}}`,
			warning{"cards", launchdarkly.ErrPrivateReference}),
		Entry("with a private part of a string: the whole string is private",
			user("sandy", "email", "hunter2", "privateAttributes", []string{"/email/domain"}),
			`{"kind": "user", "key": "sandy", "_meta": {"redactedAttributes": ["email"]}}`,
			warning{"email", launchdarkly.ErrPrivateReference}),
		Entry("with a private attribute whose name begins with a slash", user("sandy", "/email", "hunter2", "email", "x@example.com",
			"privateAttributes", []string{"/~1email"}),
			`{"kind": "user", "key": "sandy", "email": "x@example.com", "_meta": {"redactedAttributes": ["/~1email"]}}`),
		Entry("with a reference that equals the name of another attribute", user("sandy", "/email", "sent", "email", "hunter2",
			"privateAttributes", []string{"/email"}),
			`{"kind": "user", "key": "sandy", "/email": "sent", "_meta": {"redactedAttributes": ["/email"]}}`),
		Entry("with a key that is listed as private: it is sent", user("sandy", "privateAttributes", []string{"key"}),
			`{"kind": "user", "key": "sandy"}`, warning{"key", launchdarkly.ErrPrivateReference}),
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
		Entry("a number", pairs("privateAttributes", 7), "privateAttributes"),
		Entry("null", pairs("privateAttributes", nil), "privateAttributes"),
		Entry("an object", pairs("privateAttributes", map[string]any{"email": true}), "privateAttributes"),
		Entry("a list that contains a number", pairs("privateAttributes", []any{"email", 7}), "privateAttributes"),
		Entry("an empty reference", pairs("privateAttributes", []string{"email", ""}), "privateAttributes"),
		Entry("a broken reference", pairs("privateAttributes", []string{"/address//city"}), "privateAttributes"),
		Entry("a broken escape", pairs("privateAttributes", []string{"/address~2"}), "privateAttributes"),
		Entry("a list that JSON cannot represent", pairs("privateAttributes", []any{"email", math.NaN()}), "privateAttributes"),
		Entry("_meta that is not an object", pairs("_meta", "email"), "_meta"),
		Entry("a string in _meta", pairs("_meta", map[string]any{"privateAttributes": "email"}), "_meta"),
		Entry("an invalid reference in _meta", pairs("_meta", map[string]any{"privateAttributes": []string{"/"}}), "_meta"),
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
		Entry("with a targeting key at the top level, which is ignored", pairs("user", pairs("key", "sandy"), "org", pairs("key", "acme")), "x",
			`{"kind": "multi", "user": {"key": "sandy"}, "org": {"key": "acme"}}`),
		Entry("with an invalid targeting key at the top level, which is ignored", pairs("org", pairs("key", "acme"), "targetingKey", 7), "",
			`{"kind": "org", "key": "acme"}`),
		Entry("of one kind, which is a single-kind context", pairs("org", pairs("key", "acme", "name", "Acme")), "",
			`{"kind": "org", "key": "acme", "name": "Acme"}`),
		Entry("with attributes that are not contexts",
			pairs("org", pairs("key", "acme"), "plan", "hunter2", "n", 7, "nothing", nil, "list", []any{1}), "",
			`{"kind": "org", "key": "acme"}`,
			warning{"plan", launchdarkly.ErrAttributeIgnored}, warning{"n", launchdarkly.ErrAttributeIgnored},
			warning{"nothing", launchdarkly.ErrAttributeIgnored}, warning{"list", launchdarkly.ErrAttributeIgnored}),
		Entry("with contexts of other types", pairs(
			"user", openfeature.NewEvaluationContext("sandy", map[string]any{"plan": "gold"}),
			"org", map[string]string{"key": "acme"},
			"device", struct {
				Key string `json:"key"`
				OS  string `json:"os"`
			}{"d1", "linux"}), "",
			`{"kind": "multi", "user": {"key": "sandy", "plan": "gold"}, "org": {"key": "acme"},
				"device": {"key": "d1", "os": "linux"}}`),
		Entry("whose contexts have built-in and private attributes", pairs(
			"user", pairs("key", "sandy", "name", "Sandy", "email", "hunter2", "privateAttributes", []string{"email"}),
			"org", pairs("key", "acme", "email", "info@example.com")), "",
			`{"kind": "multi", "user": {"key": "sandy", "name": "Sandy", "_meta": {"redactedAttributes": ["email"]}},
				"org": {"key": "acme", "email": "info@example.com"}}`),
		Entry("of which one has an unreadable list of private attributes", pairs(
			"user", pairs("key", "sandy", "email", "hunter2", "privateAttributes", "email"),
			"org", pairs("key", "acme", "email", "info@example.com")), "",
			`{"kind": "multi", "user": {"key": "sandy", "_meta": {"redactedAttributes": ["email"]}},
				"org": {"key": "acme", "email": "info@example.com"}}`,
			warning{"/user/privateAttributes", launchdarkly.ErrPrivateAttributes}),
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
		Entry("with an unreadable list of private attributes at the top level", pairs(
			"user", pairs("key", "sandy", "email", "hunter2"), "org", pairs("key", "acme", "email", "hunter2"),
			"_meta", pairs("privateAttributes", "email")), "",
			`{"kind": "multi", "user": {"key": "sandy", "_meta": {"redactedAttributes": ["email"]}},
				"org": {"key": "acme", "_meta": {"redactedAttributes": ["email"]}}}`,
			warning{"_meta", launchdarkly.ErrPrivateAttributes}),
		Entry("with private attributes that JSON cannot represent", pairs(
			"user", struct {
				Key     string `json:"key"`
				Email   string `json:"email"`
				Private any    `json:"privateAttributes"`
			}{"sandy", "hunter2", make(chan int)}), "",
			`{"kind": "user", "key": "sandy", "_meta": {"redactedAttributes": ["email"]}}`,
			warning{"/user/privateAttributes", launchdarkly.ErrUnsupportedValue},
			warning{"/user/privateAttributes", launchdarkly.ErrPrivateAttributes}),
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
		Entry("an empty key", user("", "key", ""), openfeature.TargetingKeyMissingCode,
			launchdarkly.ErrTargetingKeyMissing, "targeting key missing"),
		Entry("a key that is not a string", user("", "key", 42), openfeature.TargetingKeyMissingCode,
			launchdarkly.ErrTargetingKeyMissing, "targeting key missing"),
		Entry("a targeting key that is not a string", user("", "targetingKey", []string{"x"}),
			openfeature.TargetingKeyMissingCode, launchdarkly.ErrTargetingKeyMissing, "targeting key missing"),
		Entry("an invalid kind", user("sandy", "kind", "a b"), openfeature.InvalidContextCode,
			launchdarkly.ErrInvalidContext, "context kind contains disallowed characters"),
		Entry("an empty kind", user("sandy", "kind", ""), openfeature.InvalidContextCode,
			launchdarkly.ErrInvalidContext, "kind"),
		Entry("a reserved kind", user("sandy", "kind", "kind"), openfeature.InvalidContextCode,
			launchdarkly.ErrInvalidContext, `"kind" is not a valid context kind`),
		Entry("a multi-context without contexts", user("sandy", "kind", "multi", "plan", "gold"),
			openfeature.InvalidContextCode, launchdarkly.ErrInvalidContext, "multi-context"),
		Entry("a multi-context with a context without a key",
			user("", "kind", "multi", "user", pairs("key", "sandy"), "org", pairs("name", "Acme")),
			openfeature.TargetingKeyMissingCode, launchdarkly.ErrTargetingKeyMissing, `"org"`),
		Entry("a multi-context with an invalid kind",
			user("", "kind", "multi", "user", pairs("key", "sandy"), "a b", pairs("key", "x")),
			openfeature.InvalidContextCode, launchdarkly.ErrInvalidContext, "disallowed characters"),
		Entry("a multi-context within a multi-context",
			user("", "kind", "multi", "user", pairs("key", "sandy"), "multi", pairs("key", "x")),
			openfeature.InvalidContextCode, launchdarkly.ErrInvalidContext, "multi"),
	)

	It("are sent without attributes if too many of them are private", func() {
		p := start(given(trackedFlag))
		attributes := pairs("_meta", pairs("x", 1), "name", "hunter2", "anonymous", true)
		for i := range 20_000 {
			attributes[fmt.Sprint("attribute-", i)] = "hunter2"
		}
		evaluationContext := openfeature.NewEvaluationContext("sandy", attributes)
		Expect(p.client.Boolean(context.Background(), "flag", false, evaluationContext)).To(BeTrue())
		p.track("event", evaluationContext, details(1))
		Expect(p.box.Events()).To(HaveEach(WithTransform(launchdarklytest.Event.String, Not(ContainSubstring("hunter2")))))
		Expect(p.box.CustomEvents("event")[0].Context).To(MatchJSON(`{"kind": "user", "key": "sandy", "anonymous": true}`))
		Expect(p.problems.all()).To(ConsistOf(
			MatchError(launchdarkly.ErrTooLarge), MatchError(launchdarkly.ErrPrivateAttributes), MatchError(launchdarkly.ErrTooLarge)))
	})

	It("can have 100 kinds", func() {
		p := start(given(trackedFlag))
		attributes := pairs("kind", "multi")
		for i := range 20_000 {
			attributes[fmt.Sprintf("kind-%05d", i)] = pairs("key", "k")
		}
		p.track("event", openfeature.NewTargetlessEvaluationContext(attributes), details(1))
		context := p.box.CustomEvents("event")[0].Context
		Expect(context.Count()).To(Equal(101))
		Expect(context.GetByKey("kind-00099").IsDefined()).To(BeTrue())
		Expect(p.problems.all()).To(HaveEach(MatchError(launchdarkly.ErrTooLarge)))
	})

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
		check(user("acme", "contextKind", "org", "plan", "gold"), `{"kind": "org", "key": "acme", "plan": "gold"}`, nil,
			launchdarkly.WithContextKindAttribute("contextKind"))
		check(user("acme", "contextKind", "org", "kind", "hunter2"), `{"kind": "org", "key": "acme"}`,
			[]warning{{"kind", launchdarkly.ErrAttributeIgnored}}, launchdarkly.WithContextKindAttribute("contextKind"))
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
	return slices.DeleteFunc(p.log.lines(), func(line string) bool { return !strings.Contains(line, "level=WARN") })
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
