package ldmatchers

import (
	"fmt"
	"strings"

	"github.com/onsi/gomega/format"
	"github.com/onsi/gomega/types"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// maxMismatches is the maximum number of mismatches in a failure message.
const maxMismatches = 5

// ReceivedMatcher matches a *launchdarklytest.Server by its accepted events.
type ReceivedMatcher struct {
	event types.GomegaMatcher
	times int // exact number, or at least one if negative
}

var _ types.GomegaMatcher = (*ReceivedMatcher)(nil)

// HaveReceived succeeds if the server has accepted an event that satisfies a matcher of this
// package, such as [CustomEvent], or any Gomega matcher for a launchdarklytest.Event.
//
//	Eventually(server).Should(HaveReceived(CustomEvent("checkout").WithMetric(99.9)))
func HaveReceived(event types.GomegaMatcher) *ReceivedMatcher {
	return &ReceivedMatcher{event: event, times: -1}
}

// Times requires exactly n such events instead of at least one. A negative n restores the default.
func (m *ReceivedMatcher) Times(n int) *ReceivedMatcher {
	m.times = max(n, -1)
	return m
}

// Match implements [types.GomegaMatcher]. It returns an error if actual is not a
// *launchdarklytest.Server, or if no event matches and matching an event returned an error.
func (m *ReceivedMatcher) Match(actual any) (bool, error) {
	server, err := toServer(actual)
	if err != nil {
		return false, err
	}
	count, err := m.count(server)
	if err != nil {
		return false, err
	}
	if m.times < 0 {
		return count > 0, nil
	}
	return count == m.times, nil
}

// FailureMessage implements [types.GomegaMatcher]. The message has the expected event, the
// mismatches of events with the same key, and the server's description.
func (m *ReceivedMatcher) FailureMessage(actual any) string {
	return m.message(actual, "to have received")
}

// NegatedFailureMessage implements [types.GomegaMatcher].
func (m *ReceivedMatcher) NegatedFailureMessage(actual any) string {
	return m.message(actual, "not to have received")
}

func (m *ReceivedMatcher) message(actual any, verb string) string {
	server, err := toServer(actual)
	if err != nil {
		return err.Error()
	}
	count, err := m.count(server)
	if err != nil {
		return err.Error()
	}
	times := ""
	if m.times >= 0 {
		times = fmt.Sprintf(" exactly %d times", m.times)
	}
	return fmt.Sprintf("Expected LaunchDarkly %s%s\n    %s\nMatching events: %d%s\n%s",
		verb, times, m.description(), count, m.mismatches(server), server)
}

func (m *ReceivedMatcher) description() string {
	if _, ok := m.event.(fmt.Stringer); ok {
		return describeMatcher(m.event)
	}
	return "an event " + describeMatcher(m.event)
}

// mismatches describes the newest events with the expected kind and key that do not match.
func (m *ReceivedMatcher) mismatches(server *launchdarklytest.Server) string {
	event, ok := m.event.(*EventMatcher)
	if !ok {
		return ""
	}
	var lines []string
	for _, e := range server.Events() {
		if problem, err := event.mismatch(e); event.matchesKey(e) && err == nil && problem != "" {
			lines = append(lines, "\n    not matching: "+problem)
		}
	}
	return strings.Join(lines[max(0, len(lines)-maxMismatches):], "")
}

func (m *ReceivedMatcher) count(server *launchdarklytest.Server) (int, error) {
	count := 0
	var problem error
	for _, event := range server.Events() {
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
	if server, ok := actual.(*launchdarklytest.Server); ok && server != nil {
		return server, nil
	}
	return nil, fmt.Errorf("expected a *launchdarklytest.Server, got\n%s", format.Object(actual, 1))
}
