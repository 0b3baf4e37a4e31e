// Package delivery holds what lossless delivery promises, case by case: whole programs, OpenFeature's SDK, the provider
// and LaunchDarkly's SDK, over real HTTP against launchdarklytest. Each tracked event carries a serial number, by which
// LaunchDarkly's side checks that every one arrives, once, and in the order of the goroutine that tracked it.
//
// By default the cases run in a shortened form, in some seconds. The environment variable DELIVERY_E2E=full makes them
// run at full size, in some minutes; the figures that they measure are in the suite's report:
//
//	DELIVERY_E2E=full go test ./e2e/delivery -count=1 -timeout=20m -ginkgo.v
//
// Those that take long at full size have the label "long".
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

// patience is how long specs wait for what must happen. None waits that long when all is well.
const patience = time.Minute

func TestDelivery(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(patience)
	RunSpecs(t, "Delivery")
}

// sized is how much a case takes on: less of it, unless the full size is asked for.
func sized[T int | time.Duration](short, full T) T {
	if os.Getenv("DELIVERY_E2E") == "full" {
		return full
	}
	return short
}

// Whatever a spec starts has to end with it.
var _ = BeforeEach(func() {
	leaks := append(sdkleaks.Ignore(), goleak.IgnoreCurrent())
	DeferCleanup(func() {
		Eventually(func() error { return goleak.Find(leaks...) }).Should(Succeed(), "goroutines left behind")
	})
})

// waiting is a context that ends when a spec has waited for too long.
func waiting() context.Context { return suite.Within(patience) }
