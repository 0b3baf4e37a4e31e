package delivery

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/suite"
)

var _ = Describe("Tracked events", func() {
	It("arrive through a storm of evaluations", Label("long"), func() {
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
		p.flush()
		p.arrived(1, n)
		p.accounts()
		suite.Report("storm", "%d events tracked next to %d evaluations in %s", n, evaluations.Load(), storm)
	})

	It("arrive, whatever poison is among them", func() {
		events := sized(10_000, 100_000)
		loop := map[string]any{}
		loop["self"] = loop
		p := start()
		for serial := range events {
			about, details := sandy, openfeature.NewTrackingEventDetails(float64(serial))
			switch serial % 500 {
			case 0:
				details = openfeature.NewTrackingEventDetails(math.NaN())
			case 100:
				details = openfeature.NewTrackingEventDetails(math.Inf(-1))
			case 200:
				details = details.Add("loop", loop).Add("nan", math.NaN())
			case 300:
				details = details.Add("invalid \xff", "\xc3\x28")
			case 400:
				about = openfeature.NewEvaluationContext("sandy", map[string]any{"height": math.Inf(1), "loop": loop})
			}
			p.client.Track(context.Background(), "purchase", about, details.Add("serial", serial))
		}
		p.flush()
		p.arrived(1, events)
		s := p.accounts()
		Expect(s.Dropped.Total()).To(BeZero())
		for _, r := range p.box.Requests() {
			Expect(r.Problem).To(BeEmpty())
		}
		suite.Report("poison", "%d events, of which %d poisoned", events, events/100)
	})
})
