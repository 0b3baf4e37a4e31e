package ldmatchers

import (
	"fmt"

	"github.com/onsi/gomega/types"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// serverMatcher matches a *launchdarklytest.Server with a predicate.
type serverMatcher struct {
	text  string // completes "Expected LaunchDarkly to have …"
	holds func(*launchdarklytest.Server) bool
}

// HaveReceivedNothing succeeds if the server has accepted no events, or none since its ClearEvents.
func HaveReceivedNothing() types.GomegaMatcher {
	return serverMatcher{"received nothing", func(server *launchdarklytest.Server) bool {
		return server.EventCount() == 0
	}}
}

// HaveAnswered succeeds if the server has responded to an event request with the status. Status 0
// matches a request without a response, whose connection was reset.
func HaveAnswered(status int) types.GomegaMatcher {
	return serverMatcher{fmt.Sprintf("answered a request with %d", status), func(server *launchdarklytest.Server) bool {
		for _, request := range server.Requests() {
			if request.Status == status {
				return true
			}
		}
		return false
	}}
}

// Match implements [types.GomegaMatcher]. It returns an error if actual is not a
// *launchdarklytest.Server.
func (m serverMatcher) Match(actual any) (bool, error) {
	server, err := toServer(actual)
	return err == nil && m.holds(server), err
}

// FailureMessage implements [types.GomegaMatcher].
func (m serverMatcher) FailureMessage(actual any) string {
	return fmt.Sprintf("Expected LaunchDarkly to have %s\n%v", m.text, actual)
}

// NegatedFailureMessage implements [types.GomegaMatcher].
func (m serverMatcher) NegatedFailureMessage(actual any) string {
	return fmt.Sprintf("Expected LaunchDarkly not to have %s\n%v", m.text, actual)
}
