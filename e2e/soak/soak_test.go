package soak

import (
	"runtime"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"go.uber.org/goleak"

	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/suite"
	"github.com/openfeature-launchdarkly/go-provider/internal/sdkleaks"
)

// maxLeftOver is how much memory a world may retain after its end, in bytes. Its caches, of hooks
// and of log lines, are full after the warm-up; a leak of a hundred events a second exceeds it
// within some minutes.
const maxLeftOver = 8 << 20

var _ = Describe("The provider", Label("soak"), func() {
	It("accounts for each event and leaks nothing while faults are injected", func() {
		duration, seed := howLong(), uint64(GinkgoRandomSeed())
		GinkgoWriter.Printf("%s, seed %d\n", duration, seed)
		leaks := append(sdkleaks.Ignore(), goleak.IgnoreCurrent())

		// Allocates what the process keeps permanently.
		warmUp := min(duration/4, 15*time.Second)
		soak(seed, warmUp, leaks)
		before := settledHeap()

		w := soak(seed+1, duration-warmUp, leaks)
		var grown int
		Eventually(func() int { // connections close asynchronously
			grown = suite.Heap() - before
			return grown
		}).WithPolling(time.Second).Should(BeNumerically("<", maxLeftOver))
		runtime.KeepAlive(w)
		suite.Report("soak", "seed %d, %s after %s of warm-up: %s; %+d KiB of heap",
			seed, duration-warmUp, warmUp, w.summary, grown>>10)
	})
})

// settledHeap returns the memory in use once closed connections are released.
func settledHeap() int {
	GinkgoHelper()
	last := suite.Heap()
	Eventually(func() int {
		before := last
		last = suite.Heap()
		return before - last
	}).WithPolling(time.Second).Should(BeNumerically("<", 64<<10))
	return last
}

// soak runs a world, checks its accounts, and returns it without the parts that belong to the test.
func soak(seed uint64, duration time.Duration, leaks []goleak.Option) *world {
	GinkgoHelper()
	w := newWorld(seed)
	w.run(duration)
	w.recover()
	w.end()
	w.check()
	w.dismantle()
	Eventually(func() error { return goleak.Find(leaks...) }).Should(Succeed(), "goroutines left behind")
	return w
}
