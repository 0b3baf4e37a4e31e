package ldmatchers

import (
	"fmt"
	"strings"

	"github.com/onsi/gomega/format"
	"github.com/onsi/gomega/types"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// nearMisses is how many events that nearly match a failure message explains.
const nearMisses = 5

// ReceivedMatcher matches a *launchdarklytest.Server by the events that have arrived at it.
type ReceivedMatcher struct {
	event types.GomegaMatcher
	times int // at least one when negative
}

var _ types.GomegaMatcher = (*ReceivedMatcher)(nil)

// HaveReceived succeeds when an event has arrived that matches: one of this package's matchers, such as
// [CustomEvent], or any Gomega matcher for a launchdarklytest.Event.
//
//	Eventually(box).Should(HaveReceived(CustomEvent("checkout").WithMetric(99.9)))
func HaveReceived(event types.GomegaMatcher) *ReceivedMatcher {
	return &ReceivedMatcher{event: event, times: -1}
}

// Times asks for exactly n such events instead of at least one. A negative n is at least one again.
func (m *ReceivedMatcher) Times(n int) *ReceivedMatcher {
	m.times = max(n, -1)
	return m
}

// Match implements Gomega's matcher. It is an error when actual is not a *launchdarklytest.Server, or
// when no event matches and matching one of them was an error.
func (m *ReceivedMatcher) Match(actual any) (bool, error) {
	box, err := toServer(actual)
	if err != nil {
		return false, err
	}
	count, err := m.count(box)
	if err != nil {
		return false, err
	}
	if m.times < 0 {
		return count > 0, nil
	}
	return count == m.times, nil
}

// FailureMessage implements Gomega's matcher: what was asked for, what comes near, what arrived.
func (m *ReceivedMatcher) FailureMessage(actual any) string {
	return m.message(actual, "to have received")
}

// NegatedFailureMessage implements Gomega's matcher.
func (m *ReceivedMatcher) NegatedFailureMessage(actual any) string {
	return m.message(actual, "not to have received")
}

func (m *ReceivedMatcher) message(actual any, verb string) string {
	box, err := toServer(actual)
	if err != nil {
		return err.Error()
	}
	count, err := m.count(box)
	if err != nil {
		return err.Error()
	}
	times := ""
	if m.times >= 0 {
		times = fmt.Sprintf(" exactly %d times", m.times)
	}
	return fmt.Sprintf("Expected LaunchDarkly %s%s\n    %s\nMatching events: %d%s\n%s",
		verb, times, m.wanted(), count, m.nearly(box), box)
}

func (m *ReceivedMatcher) wanted() string {
	if _, ok := m.event.(fmt.Stringer); ok {
		return describeMatcher(m.event)
	}
	return "an event " + describeMatcher(m.event)
}

// nearly explains the newest events of the same kind and key that do not match.
func (m *ReceivedMatcher) nearly(box *launchdarklytest.Server) string {
	event, ok := m.event.(*EventMatcher)
	if !ok {
		return ""
	}
	var lines []string
	for _, e := range box.Events() {
		if problem, err := event.problem(e); event.near(e) && err == nil && problem != "" {
			lines = append(lines, "\n    not matching: "+problem)
		}
	}
	return strings.Join(lines[max(0, len(lines)-nearMisses):], "")
}

func (m *ReceivedMatcher) count(box *launchdarklytest.Server) (int, error) {
	count := 0
	var problem error
	for _, event := range box.Events() {
		switch ok, err := m.event.Match(event); {
		case err != nil:
			problem = err
		case ok:
			count++
		}
	}
	if count > 0 {
		return count, nil
	}
	return 0, problem
}

func toServer(actual any) (*launchdarklytest.Server, error) {
	if box, ok := actual.(*launchdarklytest.Server); ok && box != nil {
		return box, nil
	}
	return nil, fmt.Errorf("expected a *launchdarklytest.Server, got\n%s", format.Object(actual, 1))
}
