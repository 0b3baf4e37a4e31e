// Package delivery tests lossless delivery case by case, in whole programs: OpenFeature's SDK, the
// provider and LaunchDarkly's SDK, over real HTTP against launchdarklytest. Each tracked event has
// a serial number, with which specs check that it arrives once, and in the order of the goroutine
// that tracked it.
//
// By default, the cases run in a shortened form, in some seconds. With the environment variable
// DELIVERY_E2E=full, they run at full size, in some minutes. The suite's report has the figures
// that they measure:
//
//	DELIVERY_E2E=full go test ./e2e/delivery -count=1 -timeout=20m -ginkgo.v
//
// Cases that take long at full size have the label "long".
package delivery

import (
	"context"
	"os"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"go.uber.org/goleak"

	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/suite"
	"github.com/openfeature-launchdarkly/go-provider/internal/sdkleaks"
)

// patience is the timeout of all waits. It is reached only if a spec fails.
const patience = time.Minute

func TestDelivery(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(patience)
	RunSpecs(t, "Delivery")
}

// sized returns the size of a case: short, unless DELIVERY_E2E asks for the full size.
func sized[T int | time.Duration](short, full T) T {
	if os.Getenv("DELIVERY_E2E") == "full" {
		return full
	}
	return short
}

// Goroutines that a spec starts must end with it.
var _ = BeforeEach(func() {
	leaks := append(sdkleaks.Ignore(), goleak.IgnoreCurrent())
	DeferCleanup(func() {
		Eventually(func() error { return goleak.Find(leaks...) }).Should(Succeed(), "goroutines left behind")
	})
})

// waiting returns a context that ends after patience.
func waiting() context.Context { return suite.Within(patience) }
