package redis

import (
	"context"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"go.uber.org/goleak"

	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/suite"
	"github.com/openfeature-launchdarkly/go-provider/internal/redisserver"
	"github.com/openfeature-launchdarkly/go-provider/internal/sdkleaks"
)

// patience is how long specs wait for what must happen. None waits that long when all is well.
const patience = 20 * time.Second

func TestRedis(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(patience)
	SetDefaultEventuallyPollingInterval(2 * time.Millisecond)
	SetDefaultConsistentlyDuration(150 * time.Millisecond)
	SetDefaultConsistentlyPollingInterval(10 * time.Millisecond)
	RunSpecs(t, "Provider with Redis")
}

var _ = BeforeSuite(func() { redisserver.Require(GinkgoT()) })

// Whatever a spec starts has to end with it.
var _ = BeforeEach(func() {
	options := slices.Concat(sdkleaks.Ignore(), suite.GinkgosOwn(), []goleak.Option{goleak.IgnoreCurrent()})
	DeferCleanup(func() {
		Eventually(func() error { return goleak.Find(options...) }).Should(Succeed(), "goroutines left behind")
	})
})

// waiting is a context that ends when a spec has waited for too long.
func waiting() context.Context { return suite.Within(patience) }
