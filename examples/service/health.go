package main

import (
	"net/http"

	"github.com/open-feature/go-sdk/openfeature"
)

// live handles /livez. It does not depend on LaunchDarkly, because a restart would not restore the
// connection, and would lose the flags of this process.
func (s *service) live(http.ResponseWriter, *http.Request) {}

// ready handles /readyz. It returns 200 once there are flags, so that no request is handled with
// default values. It still does if LaunchDarkly becomes unreachable or refuses the SDK key later,
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
