package relay

import (
	"testing"

	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/suite"
	"github.com/openfeature-launchdarkly/go-provider/internal/relayserver"
)

func TestRelay(t *testing.T) {
	relayserver.Require(t)
	suite.RunSpecs(t, "Provider behind a Relay Proxy")
}
