package suite

import (
	"slices"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"go.uber.org/goleak"

	"github.com/openfeature-launchdarkly/go-provider/internal/sdkleaks"
)

// Patience is the timeout of all waits. It is reached only if a spec fails.
const Patience = 20 * time.Second

// RunSpecs runs a suite. Assertions wait for Patience, and a spec fails if it leaks
// goroutines.
func RunSpecs(t *testing.T, description string) {
	t.Helper()
	gomega.RegisterFailHandler(ginkgo.Fail)
	gomega.SetDefaultEventuallyTimeout(Patience)
	gomega.SetDefaultEventuallyPollingInterval(2 * time.Millisecond)
	gomega.SetDefaultConsistentlyDuration(150 * time.Millisecond)
	gomega.SetDefaultConsistentlyPollingInterval(10 * time.Millisecond)
	ginkgo.BeforeEach(func() {
		options := slices.Concat(sdkleaks.Ignore(), ginkgosOwn(), []goleak.Option{goleak.IgnoreCurrent()})
		ginkgo.DeferCleanup(func() {
			gomega.Eventually(func() error { return goleak.Find(options...) }).Should(gomega.Succeed(), "goroutines left behind")
		})
	})
	ginkgo.RunSpecs(t, description)
}
