package ldmatchers

import (
	"fmt"

	"github.com/onsi/gomega/types"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// serverMatcher matches a *launchdarklytest.Server by a simple question.
type serverMatcher struct {
	text  string // completes "Expected LaunchDarkly to have …"
	holds func(*launchdarklytest.Server) bool
}

// HaveReceivedNothing succeeds when no event of any kind has arrived and been accepted, or none since
// the server's ClearEvents.
func HaveReceivedNothing() types.GomegaMatcher {
	return serverMatcher{"received nothing", func(box *launchdarklytest.Server) bool {
		return box.EventCount() == 0
	}}
}

// HaveAnswered succeeds when a request with events has been answered with this status. Status 0 stands
// for one that was not answered because the connection was reset.
func HaveAnswered(status int) types.GomegaMatcher {
	return serverMatcher{fmt.Sprintf("answered a request with %d", status), func(box *launchdarklytest.Server) bool {
		for _, request := range box.Requests() {
			if request.Status == status {
				return true
			}
		}
		return false
	}}
}

// Match implements Gomega's matcher. It is an error when actual is not a *launchdarklytest.Server.
func (m serverMatcher) Match(actual any) (bool, error) {
	box, err := toServer(actual)
	return err == nil && m.holds(box), err
}

// FailureMessage implements Gomega's matcher.
func (m serverMatcher) FailureMessage(actual any) string {
	return fmt.Sprintf("Expected LaunchDarkly to have %s\n%v", m.text, actual)
}

// NegatedFailureMessage implements Gomega's matcher.
func (m serverMatcher) NegatedFailureMessage(actual any) string {
	return fmt.Sprintf("Expected LaunchDarkly not to have %s\n%v", m.text, actual)
}
