package delivery

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/suite"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

var _ = Describe("Tracked events", func() {
	It("arrive under a high rate of evaluations", Label("long"), func() {
		const perSecond = 1_000
		storm := sized(time.Second, 10*time.Second)
		p := start()
		done := make(chan struct{})
		var evaluations atomic.Int64
		var evaluating sync.WaitGroup
		for range 8 {
			evaluating.Go(func() {
				for n := int64(0); ; n++ {
					select {
					case <-done:
						evaluations.Add(n)
						return
					default:
						_, _ = p.client.BooleanValue(context.Background(), "flag", false, sandy)
					}
				}
			})
		}
		tracked := make(chan int)
		go func() { tracked <- p.trackAtRate(perSecond, done) }()
		<-suite.Within(storm).Done()
		close(done)
		n := <-tracked
		evaluating.Wait()
		_ = p.provider.Flush(waiting()) // reports dropped evaluation events
		p.arrivedInOrder(1, n)
		Expect(p.accounts().Dropped.Total()).To(BeZero())
		suite.Report("storm", "%d events tracked during %d evaluations in %s", n, evaluations.Load(), storm)
	})

	It("arrive under a high rate of exposures, and dropped exposures are counted", Label("long"), func() {
		storm := sized(time.Second, 10*time.Second)
		p := start()
		done := make(chan struct{})
		var exposing sync.WaitGroup
		for g := range 8 {
			exposing.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-done:
						return
					default:
						p.expose(g*100_000_000 + n)
					}
				}
			})
		}
		tracked := make(chan int)
		go func() { tracked <- p.trackAtRate(1_000, done) }()
		<-suite.Within(storm).Done()
		close(done)
		n := <-tracked
		exposing.Wait()
		_ = p.provider.Flush(waiting()) // reports dropped exposures
		p.arrivedInOrder(1, n)
		s := p.accounts()
		e := s.EvaluationEvents
		Expect(s.Dropped.Total()).To(BeZero())
		Expect(p.box.EventCount(launchdarklytest.KindFeature)).To(BeNumerically("<=", int(e.Delivered)))
		Expect(p.reported.evaluations.Load()).To(Equal(e.Dropped.Total()))
		suite.Report("storm of exposures", "all of %d tracked events arrived during %d evaluations in %s, of which %.1f%% were "+
			"dropped and counted", n, s.Evaluations, storm, 100*float64(e.Dropped.Total())/float64(s.Evaluations))
	})

	It("and exposures arrive at 6,500 a second", Label("long"), func() {
		users := sized(6_500, 80_000)
		p := start()
		p.exposeAtRate(users, 6_500)
		p.flush()
		p.exposed(users)
		Expect(p.accounts().EvaluationEvents.Dropped.Total()).To(BeZero())
		suite.Report("exposures", "%d of %d exposures at 6,500 a second arrived, once", users, users)
	})
})
