package delivery

import (
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/suite"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

var _ = Describe("Events are delivered after the events service", func() {
	It("was unavailable for some time", Label("long"), func() {
		const perSecond = 2_000
		outage := sized(time.Second, 30*time.Second)
		p := start()
		p.box.RefuseEvents(http.StatusServiceUnavailable)
		before := suite.Heap()

		done, tracked := make(chan struct{}), make(chan int)
		go func() { tracked <- p.trackAtRate(perSecond, done) }()
		<-suite.Within(outage).Done()
		during := p.accounts()
		grown := suite.Heap() - before
		p.box.AcceptEvents()
		<-suite.Within(outage / 10).Done() // still under load
		close(done)
		n := <-tracked
		p.flush()

		p.arrived(1, n)
		s := p.accounts()
		Expect(s.Delivered).To(BeEquivalentTo(n))
		Expect(during.Waiting).To(BeNumerically("<=", delivery.DefaultMaxEvents))
		Expect(grown).To(BeNumerically("<", 2*delivery.DefaultMaxBytes))
		suite.Report("outage", "%d events through %s of 503; %d waited at its end, in %d MiB of heap; %d retries",
			n, outage, during.Waiting, grown>>20, s.Retries)
	})

	It("lost responses, limited the rate, and was slow", Label("long"), func() {
		const each = 2_000
		rounds := sized(4, 20)
		p := start(delivery.WithRequestEvents(500))
		for round := range rounds {
			switch round % 4 {
			case 0: // accepted, and the response lost
				p.box.ResetEvents(2)
			case 1:
				p.box.RefuseEvents(http.StatusTooManyRequests, launchdarklytest.RetryAfter(time.Second), launchdarklytest.Times(1))
			case 2:
				p.box.DelayEvents(20 * time.Millisecond)
			case 3: // several faults
				p.box.ResetEvents(2)
				p.box.RefuseEvents(http.StatusServiceUnavailable, launchdarklytest.Times(2))
			}
			p.track(round*each, each)
			p.flush()
			p.box.DelayEvents(0)
		}
		p.arrived(1, rounds*each)

		var reset, limited, duplicates int
		for _, r := range p.box.Requests() {
			switch {
			case r.Status == 0:
				reset++
			case r.Status == http.StatusTooManyRequests:
				limited++
			case r.Duplicate:
				duplicates++
			}
		}
		Expect([]int{reset, limited, duplicates}).To(HaveEach(BeNumerically(">=", rounds/4)))
		s := p.accounts()
		Expect(s.Retries).To(BeNumerically(">=", reset+limited))
		suite.Report("flaky", "%d events; %d connections reset, %d requests rate-limited, %d repeated; %d retries",
			rounds*each, reset, limited, duplicates, s.Retries)
	})

	It("refused requests of more than 1,000 events", func() {
		each := sized(20_000, 200_000)
		p := start()
		p.box.LimitEvents(1_000)
		p.trackFrom(2, each)
		p.flush()
		Expect(p.accounts().Dropped.Total()).To(BeZero())
		p.arrivedInOrder(2, each)
		refused := 0
		for _, r := range p.box.Requests() {
			if r.Status == http.StatusRequestEntityTooLarge {
				refused++
			}
		}
		Expect(refused).To(BeNumerically(">", 0))
		suite.Report("413", "%d events in %d requests, %d of them too large", 2*each, len(p.box.Requests()), refused)
	})

	DescribeTable("refused the SDK key for some time", Label("long"), func(status int) {
		const each = 2_000
		refused := sized(time.Second, 5*time.Second)
		p := start()
		p.box.RefuseEvents(status)
		p.track(0, each)
		Expect(p.provider.Flush(waiting())).To(MatchError(delivery.ErrUnauthorized))
		<-suite.Within(refused).Done()
		p.track(each, each)
		during := p.accounts()
		Expect(during.Waiting).To(BeEquivalentTo(2 * each))

		p.box.AcceptEvents()
		p.flush()
		p.arrived(1, 2*each)
		Expect(p.accounts().Dropped.Total()).To(BeZero())
		Expect(p.reported.dropped.Load()).To(BeZero())
		Expect(p.log.Lines("level=ERROR")).To(ConsistOf(ContainSubstring("refuses the SDK key")))
		Expect(p.log.Lines("delivered again")).To(ConsistOf(And(ContainSubstring("level=INFO"), ContainSubstring("waiting="))))
		suite.Report("refused key", "%d for %s: %d of %d events arrived, after %d requests that were refused", status, refused,
			p.box.EventCount(launchdarklytest.KindCustom), 2*each, during.Retries)
	},
		Entry("401", http.StatusUnauthorized),
		Entry("403", http.StatusForbidden),
	)

	It("was unavailable while exposures were recorded", Label("long"), func() {
		users := sized(1_000, 10_000)
		outage := sized(time.Second, 20*time.Second)
		p := start()
		p.box.RefuseEvents(http.StatusServiceUnavailable)
		p.exposeAtRate(users, users/int(outage/time.Second))
		p.box.AcceptEvents()
		p.flush()
		p.exposed(users)
		s := p.accounts()
		Expect(s.EvaluationEvents.Dropped.Total()).To(BeZero())
		suite.Report("exposures in an outage", "%d of %d exposures through %s of 503 arrived, once; %d retries",
			users, users, outage, s.Retries)
	})

	It("was unavailable, as far as the queue has room, and Track does not block", func() {
		// If Track waited for room, the suite would time out.
		bound := sized(10_000, delivery.DefaultMaxEvents)
		p := start(delivery.WithMaxEvents(bound), delivery.WithMaxWait(time.Hour))
		p.box.RefuseEvents(http.StatusBadGateway)
		before := suite.Heap()
		p.trackFrom(4, 10*bound/4)
		grown := suite.Heap() - before

		s := p.accounts()
		Expect(s.Tracked).To(BeEquivalentTo(10 * bound))
		Expect(s.Waiting).To(BeEquivalentTo(bound))
		Expect(s.Dropped.QueueFull).To(BeEquivalentTo(9 * bound))
		Expect(p.reported.dropped.Load()).To(BeEquivalentTo(9 * bound))
		Expect(grown).To(BeNumerically("<", 2*delivery.DefaultMaxBytes))

		err := p.provider.ShutdownWithContext(suite.Within(50 * time.Millisecond))
		Expect(undelivered(err)).To(Equal(bound))
		Eventually(func() uint64 { return p.provider.Stats().Waiting }).Should(BeZero())
		s = p.accounts()
		Expect(s.Dropped.Closed).To(BeEquivalentTo(bound))
		suite.Report("full", "%d events tracked with a bound of %d: %d MiB of heap; log lines: %d",
			10*bound, bound, grown>>20, len(p.log.Lines("")))
	})
})
