package main

import (
	"net/http"

	"github.com/open-feature/go-sdk/openfeature"
)

// live handles /livez. It does not depend on LaunchDarkly: a restart would not bring that back, and
// would lose the flags that this process has.
func (s *service) live(http.ResponseWriter, *http.Request) {}

// ready handles /readyz: it returns 200 if there are flags, so that requests are not handled with
// defaults. That remains so when LaunchDarkly is out of reach or has refused the SDK key since,
// because evaluations use the last known flags. The section "Health checks" of docs/operations.md
// explains each state.
func (s *service) ready(w http.ResponseWriter, _ *http.Request) {
	state := s.client.State()
	hasFlags := state == openfeature.ReadyState || state == openfeature.StaleState ||
		state == openfeature.ErrorState && s.provider.Client().Initialized()
	if !hasFlags {
		http.Error(w, string(state), http.StatusServiceUnavailable)
	}
}
