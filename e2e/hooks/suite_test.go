// Package hooks_test runs hooks end to end over HTTP: flags of LaunchDarkly in a box or of another
// provider, and exposures sent to LaunchDarkly in a box. Module hooks/otelhooks tests the sinks for
// OpenTelemetry.
package hooks_test

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func TestHooks(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Evaluation hooks")
}
