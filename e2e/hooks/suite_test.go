// Package hooks_test runs evaluation hooks in whole programs: flags from LaunchDarkly in a box or from another provider,
// exposures back to LaunchDarkly in a box, over real HTTP. OpenTelemetry's sinks have theirs in the module hooks/otelhooks.
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
