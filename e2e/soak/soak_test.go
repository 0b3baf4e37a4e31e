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

// maxLeftOver is how much memory may stay with a world that has ended, in bytes. The caches that it keeps, of hooks and of
// log lines, are full after the warm-up already; losing track of a hundred events a second exceeds it in some minutes.
const maxLeftOver = 8 << 20

var _ = Describe("The provider", Label("soak"), func() {
	It("keeps its promises whatever goes on around it", func() {
		duration, seed := howLong(), uint64(GinkgoRandomSeed())
		GinkgoWriter.Printf("%s, seed %d\n", duration, seed)
		leaks := append(sdkleaks.Ignore(), goleak.IgnoreCurrent())

		// What the process keeps for good, it has after this.
		warmUp := min(duration/4, 15*time.Second)
		soak(seed, warmUp, leaks)
		before := settledHeap()

		w := soak(seed+1, duration-warmUp, leaks)
		var grown int
		Eventually(func() int { // connections take their time
			grown = suite.Heap() - before
			return grown
		}).WithPolling(time.Second).Should(BeNumerically("<", maxLeftOver))
		runtime.KeepAlive(w)
		suite.Report("soak", "seed %d, %s after %s of warm-up: %s; %+d KiB of heap",
			seed, duration-warmUp, warmUp, w.summary, grown>>10)
	})
})

// settledHeap is how much memory is in use once connections that were closed are gone.
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

// soak lets a world run for so long, checks its accounts, and returns what stays of it: the product's parts.
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
