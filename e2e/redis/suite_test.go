package redis

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"go.uber.org/goleak"

	"github.com/openfeature-launchdarkly/go-provider/internal/redisstore/redistest"
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

var _ = BeforeSuite(func() { redistest.Need(GinkgoT()) })

// Whatever a spec starts has to end with it.
var _ = BeforeEach(func() {
	options := []goleak.Option{
		goleak.IgnoreCurrent(), sdkleaks.OutageTimer(), sdkleaks.ReadyWaiter(),
		// Ginkgo's own, in a parallel run.
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreAnyFunction("github.com/onsi/ginkgo/v2/internal.(*genericOutputInterceptor).ResumeIntercepting.func1"),
		goleak.IgnoreAnyFunction("github.com/onsi/ginkgo/v2/internal.(*genericOutputInterceptor).ResumeIntercepting.func1.1"),
		goleak.IgnoreAnyFunction("github.com/onsi/ginkgo/v2/internal.startPipeFactory"),
	}
	DeferCleanup(func() {
		Eventually(func() error { return goleak.Find(options...) }).Should(Succeed(), "goroutines left behind")
	})
})

// waiting is a context that ends when a spec has waited for too long.
func waiting() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	context.AfterFunc(ctx, cancel) // it ends by itself, because cleanups need it, too
	return ctx
}
