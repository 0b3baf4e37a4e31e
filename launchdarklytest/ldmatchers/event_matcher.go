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

// EventMatcher matches a launchdarklytest.Event. Its methods add a condition, change the matcher and
// return it; without any, kind and key are enough.
type EventMatcher struct {
	kind  string
	key   string
	keyed bool
	parts []part
}

// part is one condition beyond kind and key.
type part struct {
	text  string                                                   // "with metric 99.9"
	check func(launchdarklytest.Event) (problem string, err error) // no problem when it holds
}

var _ types.GomegaMatcher = (*EventMatcher)(nil)

// CustomEvent matches custom events with this key: what the application tracked.
func CustomEvent(key string) *EventMatcher {
	return &EventMatcher{kind: launchdarklytest.KindCustom, key: key, keyed: true}
}

// FeatureEvent matches the events of single evaluations of this flag. LaunchDarkly's SDKs send them for
// flags that are tracked only; all evaluations are in the summaries.
func FeatureEvent(flagKey string) *EventMatcher {
	return &EventMatcher{kind: launchdarklytest.KindFeature, key: flagKey, keyed: true}
}

// EventOfKind matches every event of a kind, such as launchdarklytest.KindIdentify.
func EventOfKind(kind string) *EventMatcher {
	return &EventMatcher{kind: kind}
}

// WithMetric asks for this metric value: a number, or a Gomega matcher for the float64, such as
// BeNumerically("~", 99.9, 0.01).
func (m *EventMatcher) WithMetric(metric any) *EventMatcher {
	return m.with("metric "+describe(metric), func(e launchdarklytest.Event) (string, error) {
		if e.MetricValue == nil {
			return "it has no metric", nil
		}
		return compare("its metric", ldvalue.Float64(*e.MetricValue), metric)
	})
}

// WithoutMetric asks for no metric value at all. A metric of 0 is one.
func (m *EventMatcher) WithoutMetric() *EventMatcher {
	return m.with("no metric", func(e launchdarklytest.Event) (string, error) {
		if e.MetricValue != nil {
			return fmt.Sprintf("its metric is %v", *e.MetricValue), nil
		}
		return "", nil
	})
}

// WithData asks for exactly this data: an ldvalue.Value, anything that encoding/json can write, or a
// Gomega matcher for the data as encoding/json reads it into an any, such as HaveKeyWithValue("a", 1.0).
func (m *EventMatcher) WithData(data any) *EventMatcher {
	return m.with("data "+describe(data), func(e launchdarklytest.Event) (string, error) {
		if !e.HasData {
			return "it has no data", nil
		}
		return compare("its data", e.Data, data)
	})
}

// WithDataMember asks for data that is an object with this member, whatever else it has; value is as for
// [EventMatcher.WithData]. Call it once for each member.
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

// WithoutData asks for no data at all. Data that is null is some.
func (m *EventMatcher) WithoutData() *EventMatcher {
	return m.with("no data", func(e launchdarklytest.Event) (string, error) {
		if e.HasData {
			return "its data is " + text(e.Data), nil
		}
		return "", nil
	})
}

// WithValue asks for what the evaluation of a feature event returned; value is as for
// [EventMatcher.WithData].
func (m *EventMatcher) WithValue(value any) *EventMatcher {
	return m.with("value "+describe(value), func(e launchdarklytest.Event) (string, error) {
		return compare("its value", e.Value, value)
	})
}

// WithContext asks for exactly this context, as LaunchDarkly's JSON has it; context is as for
// [EventMatcher.WithData].
func (m *EventMatcher) WithContext(context any) *EventMatcher {
	return m.with("context "+describe(context), func(e launchdarklytest.Event) (string, error) {
		return compare("its context", e.Context, context)
	})
}

// ForContext asks for a context of this kind with this key: the event's only one, or one part of a
// multi-context. Call it once for each part.
func (m *EventMatcher) ForContext(kind, key string) *EventMatcher {
	return m.add(fmt.Sprintf("for context %s:%s", kind, key), func(e launchdarklytest.Event) (string, error) {
		if got, ok := e.ContextKeys()[kind]; ok && got == key {
			return "", nil
		}
		return "its context is " + text(e.Context), nil
	})
}

// Match implements Gomega's matcher. It is an error when actual is not a launchdarklytest.Event, or
// when a value that was asked for cannot be written as JSON.
func (m *EventMatcher) Match(actual any) (bool, error) {
	event, err := toEvent(actual)
	if err != nil {
		return false, err
	}
	problem, err := m.problem(event)
	return problem == "" && err == nil, err
}

// FailureMessage implements Gomega's matcher.
func (m *EventMatcher) FailureMessage(actual any) string {
	event, err := toEvent(actual)
	if err != nil {
		return err.Error()
	}
	problem, _ := m.problem(event)
	return fmt.Sprintf("Expected event\n    %s\nto be\n    %s\nbut %s", event, m, problem)
}

// NegatedFailureMessage implements Gomega's matcher.
func (m *EventMatcher) NegatedFailureMessage(actual any) string {
	event, err := toEvent(actual)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("Expected event\n    %s\nnot to be\n    %s", event, m)
}

// String says what the matcher asks for: `custom event "checkout" with metric 99.9`.
func (m *EventMatcher) String() string {
	var b strings.Builder
	b.WriteString(m.kind + " event")
	if m.keyed {
		fmt.Fprintf(&b, " %q", m.key)
	}
	for _, part := range m.parts {
		b.WriteString(" " + part.text)
	}
	return b.String()
}

// near reports whether an event that does not match is at least about the same thing.
func (m *EventMatcher) near(e launchdarklytest.Event) bool {
	return e.Kind == m.kind && (!m.keyed || e.Key == m.key)
}

// problem says why the event does not match; it is empty when it does.
func (m *EventMatcher) problem(e launchdarklytest.Event) (string, error) {
	switch {
	case e.Kind != m.kind:
		return fmt.Sprintf("its kind is %q", e.Kind), nil
	case m.keyed && e.Key != m.key:
		return fmt.Sprintf("its key is %q", e.Key), nil
	}
	var problems []string
	for _, part := range m.parts {
		problem, err := part.check(e)
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
	m.parts = append(m.parts, part{text, check})
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

// compare says how got differs from what was asked for; nothing when it does not.
func compare(what string, got ldvalue.Value, want any) (string, error) {
	if matcher, ok := want.(types.GomegaMatcher); ok {
		natural := got.AsArbitraryValue()
		switch ok, err := matcher.Match(natural); {
		case err != nil: // most often data of another type, which is a difference like any other
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
		return ldvalue.Null(), fmt.Errorf("no event can carry what was asked for: %w", err)
	}
	return ldvalue.Parse(data), nil
}

// describe writes what was asked for as it would stand in an event.
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

// text is the value as JSON with its keys sorted, so that two messages can be compared.
func text(v ldvalue.Value) string {
	data, err := json.Marshal(v.AsArbitraryValue())
	if err != nil {
		return v.JSONString()
	}
	return string(data)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
