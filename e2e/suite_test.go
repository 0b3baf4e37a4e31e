// Package e2e runs whole programs: OpenFeature's SDK, the provider and LaunchDarkly's SDK, over
// real HTTP against launchdarklytest. Each spec has a server and an OpenFeature API of its own, so
// that specs can run in any order and at the same time.
package e2e

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"go.uber.org/goleak"

	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/suite"
	"github.com/openfeature-launchdarkly/go-provider/internal/sdkleaks"
)

// patience is the timeout of all waits. It is reached only if a spec fails.
const patience = 20 * time.Second

func TestE2E(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(patience)
	SetDefaultEventuallyPollingInterval(2 * time.Millisecond)
	SetDefaultConsistentlyDuration(150 * time.Millisecond)
	SetDefaultConsistentlyPollingInterval(10 * time.Millisecond)
	RunSpecs(t, "Provider")
}

// Goroutines that a spec starts must end with it.
var _ = BeforeEach(func() {
	options := append(sdkleaks.Ignore(), goleak.IgnoreCurrent())
	if config, _ := GinkgoConfiguration(); config.ParallelTotal > 1 {
		options = append(options, suite.GinkgosOwn()...)
	}
	DeferCleanup(func() {
		Eventually(func() error { return goleak.Find(options...) }).Should(Succeed(), "goroutines left behind")
	})
})

// waiting returns a context that ends after patience.
func waiting() context.Context { return suite.Within(patience) }
