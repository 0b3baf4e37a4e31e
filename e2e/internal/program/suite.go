package program

import (
	"slices"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"go.uber.org/goleak"

	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/suite"
	"github.com/openfeature-launchdarkly/go-provider/internal/sdkleaks"
)

// RunSpecs runs a suite of programs. Assertions wait for Patience, and a spec fails if it leaks
// goroutines.
func RunSpecs(t *testing.T, description string) {
	t.Helper()
	gomega.RegisterFailHandler(ginkgo.Fail)
	gomega.SetDefaultEventuallyTimeout(Patience)
	gomega.SetDefaultEventuallyPollingInterval(2 * time.Millisecond)
	gomega.SetDefaultConsistentlyDuration(150 * time.Millisecond)
	gomega.SetDefaultConsistentlyPollingInterval(10 * time.Millisecond)
	ginkgo.BeforeEach(func() {
		options := slices.Concat(sdkleaks.Ignore(), suite.GinkgosOwn(), []goleak.Option{goleak.IgnoreCurrent()})
		ginkgo.DeferCleanup(func() {
			gomega.Eventually(func() error { return goleak.Find(options...) }).Should(gomega.Succeed(), "goroutines left behind")
		})
	})
	ginkgo.RunSpecs(t, description)
}
