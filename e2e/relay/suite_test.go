package relay

import (
	"testing"

	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/program"
	"github.com/openfeature-launchdarkly/go-provider/internal/relayserver"
)

func TestRelay(t *testing.T) {
	relayserver.Require(t)
	program.RunSpecs(t, "Provider behind a Relay Proxy")
}
