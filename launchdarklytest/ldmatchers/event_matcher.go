package ldmatchers

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/onsi/gomega/format"
	"github.com/onsi/gomega/types"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// EventMatcher matches a launchdarklytest.Event by its kind, its key, and the conditions added by
// the With and For methods. These methods modify the matcher and return it.
type EventMatcher struct {
	kind       string
	key        string
	keyed      bool
	conditions []condition
}

// condition is one condition beyond kind and key.
type condition struct {
	text  string                                                   // "with metric 99.9"
	check func(launchdarklytest.Event) (problem string, err error) // problem is empty if it holds
}

var _ types.GomegaMatcher = (*EventMatcher)(nil)

// CustomEvent matches custom events, which the application tracks, with the key.
func CustomEvent(key string) *EventMatcher {
	return &EventMatcher{kind: launchdarklytest.KindCustom, key: key, keyed: true}
}

// FeatureEvent matches the events of single evaluations of the flag. LaunchDarkly's SDKs send them
// only for flags with event tracking; summary events count all evaluations.
func FeatureEvent(flagKey string) *EventMatcher {
	return &EventMatcher{kind: launchdarklytest.KindFeature, key: flagKey, keyed: true}
}

// EventOfKind matches all events of a kind, such as launchdarklytest.KindIdentify.
func EventOfKind(kind string) *EventMatcher {
	return &EventMatcher{kind: kind}
}

// WithMetric requires the metric value: a number, or a Gomega matcher for the float64, such as
// BeNumerically("~", 99.9, 0.01).
func (m *EventMatcher) WithMetric(metric any) *EventMatcher {
	return m.with("metric "+describe(metric), func(e launchdarklytest.Event) (string, error) {
		if e.MetricValue == nil {
			return "it has no metric", nil
		}
		return compare("its metric", ldvalue.Float64(*e.MetricValue), metric)
	})
}

// WithoutMetric requires that there is no metric value. 0 is a metric value.
func (m *EventMatcher) WithoutMetric() *EventMatcher {
	return m.with("no metric", func(e launchdarklytest.Event) (string, error) {
		if e.MetricValue != nil {
			return fmt.Sprintf("its metric is %v", *e.MetricValue), nil
		}
		return "", nil
	})
}

// WithData requires data equal to an ldvalue.Value or any value that encoding/json can encode, or
// data that satisfies a Gomega matcher. The matcher gets the data as encoding/json decodes it into
// an any; an example is HaveKeyWithValue("a", 1.0).
func (m *EventMatcher) WithData(data any) *EventMatcher {
	return m.with("data "+describe(data), func(e launchdarklytest.Event) (string, error) {
		if !e.HasData {
			return "it has no data", nil
		}
		return compare("its data", e.Data, data)
	})
}

// WithDataMember requires data that is an object with the member. Other members are ignored. See
// [EventMatcher.WithData] for value. Call it once for each member.
func (m *EventMatcher) WithDataMember(name string, value any) *EventMatcher {
	member := fmt.Sprintf("data member %q", name)
	return m.with(member+" "+describe(value), func(e launchdarklytest.Event) (string, error) {
		got, ok := e.Data.TryGetByKey(name)
		switch {
		case !e.HasData:
			return "it has no data", nil
		case !ok:
			return fmt.Sprintf("its data has no member %q: %s", name, text(e.Data)), nil
		}
		return compare("its "+member, got, value)
	})
}

// WithoutData requires that there is no data. Null is data.
func (m *EventMatcher) WithoutData() *EventMatcher {
	return m.with("no data", func(e launchdarklytest.Event) (string, error) {
		if e.HasData {
			return "its data is " + text(e.Data), nil
		}
		return "", nil
	})
}

// WithValue requires the evaluation result of a feature event. See [EventMatcher.WithData] for
// value.
func (m *EventMatcher) WithValue(value any) *EventMatcher {
	return m.with("value "+describe(value), func(e launchdarklytest.Event) (string, error) {
		return compare("its value", e.Value, value)
	})
}

// WithContext requires the event's context, in LaunchDarkly's JSON representation, to equal or
// satisfy context. See [EventMatcher.WithData] for the types of context.
func (m *EventMatcher) WithContext(context any) *EventMatcher {
	return m.with("context "+describe(context), func(e launchdarklytest.Event) (string, error) {
		return compare("its context", e.Context, context)
	})
}

// ForContext requires a context of the kind with the key, alone or in a multi-context. Call it once
// for each context of a multi-context.
func (m *EventMatcher) ForContext(kind, key string) *EventMatcher {
	return m.add(fmt.Sprintf("for context %s:%s", kind, key), func(e launchdarklytest.Event) (string, error) {
		if got, ok := e.ContextKeys()[kind]; ok && got == key {
			return "", nil
		}
		return "its context is " + text(e.Context), nil
	})
}

// Match implements [types.GomegaMatcher]. It returns an error if actual is not a
// launchdarklytest.Event, or if an expected value cannot be encoded as JSON.
func (m *EventMatcher) Match(actual any) (bool, error) {
	event, err := toEvent(actual)
	if err != nil {
		return false, err
	}
	problem, err := m.mismatch(event)
	return problem == "" && err == nil, err
}

// FailureMessage implements [types.GomegaMatcher].
func (m *EventMatcher) FailureMessage(actual any) string {
	event, err := toEvent(actual)
	if err != nil {
		return err.Error()
	}
	problem, _ := m.mismatch(event)
	return fmt.Sprintf("Expected event\n    %s\nto be\n    %s\nbut %s", event, m, problem)
}

// NegatedFailureMessage implements [types.GomegaMatcher].
func (m *EventMatcher) NegatedFailureMessage(actual any) string {
	event, err := toEvent(actual)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("Expected event\n    %s\nnot to be\n    %s", event, m)
}

// String describes the matcher, for example `custom event "checkout" with metric 99.9`.
func (m *EventMatcher) String() string {
	var b strings.Builder
	b.WriteString(m.kind + " event")
	if m.keyed {
		fmt.Fprintf(&b, " %q", m.key)
	}
	for _, condition := range m.conditions {
		b.WriteString(" " + condition.text)
	}
	return b.String()
}

// matchesKey reports whether the event has the kind and key of the matcher.
func (m *EventMatcher) matchesKey(e launchdarklytest.Event) bool {
	return e.Kind == m.kind && (!m.keyed || e.Key == m.key)
}

// mismatch returns why the event does not match. It is empty if it matches.
func (m *EventMatcher) mismatch(e launchdarklytest.Event) (string, error) {
	switch {
	case e.Kind != m.kind:
		return fmt.Sprintf("its kind is %q", e.Kind), nil
	case m.keyed && e.Key != m.key:
		return fmt.Sprintf("its key is %q", e.Key), nil
	}
	var problems []string
	for _, condition := range m.conditions {
		problem, err := condition.check(e)
		if err != nil {
			return "", err
		}
		if problem != "" {
			problems = append(problems, problem)
		}
	}
	return strings.Join(problems, ", "), nil
}

func (m *EventMatcher) with(text string, check func(launchdarklytest.Event) (string, error)) *EventMatcher {
	return m.add("with "+text, check)
}

func (m *EventMatcher) add(text string, check func(launchdarklytest.Event) (string, error)) *EventMatcher {
	m.conditions = append(m.conditions, condition{text, check})
	return m
}

func toEvent(actual any) (launchdarklytest.Event, error) {
	switch event := actual.(type) {
	case launchdarklytest.Event:
		return event, nil
	case *launchdarklytest.Event:
		if event != nil {
			return *event, nil
		}
	}
	return launchdarklytest.Event{}, fmt.Errorf("expected a launchdarklytest.Event, got\n%s", format.Object(actual, 1))
}

// compare returns how got differs from want. It is empty if they are equal.
func compare(what string, got ldvalue.Value, want any) (string, error) {
	if matcher, ok := want.(types.GomegaMatcher); ok {
		natural := got.AsArbitraryValue()
		switch ok, err := matcher.Match(natural); {
		case err != nil: // usually data of another type, which is a mismatch
			return what + ": " + oneLine(err.Error()), nil
		case !ok:
			return what + ": " + oneLine(matcher.FailureMessage(natural)), nil
		}
		return "", nil
	}
	value, err := toValue(want)
	if err != nil || got.Equal(value) {
		return "", err
	}
	return fmt.Sprintf("%s is %s", what, text(got)), nil
}

func toValue(v any) (ldvalue.Value, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return ldvalue.Null(), fmt.Errorf("the expected value cannot be encoded: %w", err)
	}
	return ldvalue.Parse(data), nil
}

// describe returns the expected value as JSON, or the description of a matcher.
func describe(want any) string {
	if matcher, ok := want.(types.GomegaMatcher); ok {
		return describeMatcher(matcher)
	}
	value, err := toValue(want)
	if err != nil {
		return fmt.Sprint(want)
	}
	return text(value)
}

func describeMatcher(matcher types.GomegaMatcher) string {
	if stringer, ok := matcher.(fmt.Stringer); ok {
		return stringer.String()
	}
	return "matching " + oneLine(format.Object(matcher, 0))
}

// text returns the value as JSON with sorted keys, so that messages can be compared.
func text(v ldvalue.Value) string {
	data, err := json.Marshal(v.AsArbitraryValue())
	if err != nil {
		return v.JSONString()
	}
	return string(data)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
