package spool

import (
	"math/rand/v2"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/suite"
)

var _ = Describe("Repeated SIGKILL while 8 goroutines track", func() {
	// Each returns a function that ends the fault.
	up := func(*world) func() { return func() {} }
	down := func(w *world) func() {
		w.box.RefuseEvents(503)
		return w.box.AcceptEvents
	}
	coming := func(w *world) func() {
		w.box.RefuseEvents(503)
		back := time.AfterFunc(150*time.Millisecond, w.box.AcceptEvents)
		return func() {
			back.Stop()
			w.box.AcceptEvents()
		}
	}
	cutting := func(w *world) func() {
		w.box.ResetEvents(-1)
		return func() { w.box.ResetEvents(0) }
	}
	cuttingNow := func(w *world) func() {
		w.box.ResetEvents(2)
		return func() { w.box.ResetEvents(0) }
	}

	rounds := func(age time.Duration, variables []string, troubles ...func(*world) func()) {
		GinkgoHelper()
		random := rand.New(rand.NewPCG(uint64(GinkgoRandomSeed()), 1))
		w := newWorld()
		var due []int
		slow := 0
		for round := range sized(6, 30) {
			over := troubles[round%len(troubles)](w)
			p := w.start(roleTrack, variables...)
			disk := w.watchDisk()
			time.Sleep(300*time.Millisecond + time.Duration(random.Int64N(int64(500*time.Millisecond))))
			slowest := disk.stop()
			if age > 0 && slowest > age/4 {
				slow++
				due = append(due, p.kill(age+3*slowest)...)
			} else {
				due = append(due, p.kill(age)...)
			}
			over()
		}
		Expect(due).NotTo(BeEmpty())
		last := w.start(roleDeliver)
		w.delivers(due)
		Expect(last.line()).To(Equal("tracked"))
		r := last.end()
		Expect(r.Error).To(BeEmpty())
		Expect(r.Stats.Dropped.Total()).To(BeZero())
		w.nothingTwice()
		suite.Report("events that had to survive", "%d, of %d that arrived; %d rounds with a disk too slow for 100ms",
			len(due), len(w.arrived()), slow)
	}

	DescribeTable("loses no event older than 100ms, and delivers none twice",
		func(troubles ...func(*world) func()) { rounds(age, nil, troubles...) },
		Entry("while the service is up", up),
		Entry("while it is down", down),
		Entry("while it recovers", coming),
		Entry("while it closes connections after it has accepted a request", cutting),
		Entry("with all of these in turn", up, down, cuttingNow, coming, cutting),
	)

	It("loses no event after Track has returned, with WithSyncTrack", func() {
		rounds(0, []string{syncVariable + "=1"}, up, down, cuttingNow, coming, cutting)
	})
})
