package e2e

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/internal/baseline"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// unflushable is an event processor, and its configuration, whose flushes fail at once.
type unflushable struct {
	baseline.NopEventProcessor
	asked *atomic.Int32
}

func (u unflushable) Build(subsystems.ClientContext) (ldevents.EventProcessor, error) { return u, nil }

func (u unflushable) FlushBlocking(time.Duration) bool {
	u.asked.Add(1)
	return false
}

var _ = Describe("Flush", func() {
	It("returns at once if there is nothing to deliver", func() {
		p := start(serving("a"))
		p.flush()
		Expect(p.box.Requests()).To(BeEmpty())

		p.track("checkout", sandy, details(1))
		requests := len(p.box.Requests())
		for range 3 {
			p.flush()
		}
		Expect(p.box.Requests()).To(HaveLen(requests))
	})

	It("blocks until an outage ends", func() {
		p := start(fastRetries)
		p.box.RefuseEvents(503, launchdarklytest.Times(5))
		p.track("checkout", sandy, details(1))
		Expect(p.box.CustomEvents("checkout")).To(HaveLen(1))
	})

	DescribeTable("returns the number of undelivered events when its context.Context ends, and loses none",
		func(end func() (context.Context, context.CancelFunc), cause error) {
			p := start(fastRetries)
			p.box.RefuseEvents(503)
			for range 3 {
				p.client.Track(context.Background(), "checkout", sandy, details(1))
			}
			ctx, cancel := end()
			defer cancel()
			err := p.provider.Flush(ctx)
			Expect(err).To(MatchError(cause))
			var undelivered *delivery.UndeliveredError
			Expect(errors.As(err, &undelivered)).To(BeTrue())
			Expect(undelivered.Events).To(Equal(3))
			Expect(p.provider.Stats().Waiting).To(Equal(uint64(3)))
			Eventually(func() uint64 { return p.provider.Stats().WaitingBytes }).Should(BeNumerically(">", 3*100))
			Expect(p.problems.all()).To(BeEmpty())

			p.box.AcceptEvents()
			p.flush()
			Expect(p.provider.Stats().WaitingBytes).To(BeZero())
			Expect(p.box.CustomEvents("checkout")).To(HaveLen(3))
		},
		Entry("at its deadline", func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), 50*time.Millisecond)
		}, context.DeadlineExceeded),
		Entry("if it is already canceled", func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			return ctx, cancel
		}, context.Canceled),
	)

	It("reports undelivered evaluation events", func() {
		p := start(serving("a"))
		p.box.RefuseEvents(401)
		value(p.client)
		var undelivered *delivery.UndeliveredError
		Expect(errors.As(p.provider.Flush(waiting()), &undelivered)).To(BeTrue())
		Expect(undelivered.Events).To(BeZero())
		Expect(undelivered.Evaluations).To(BeNumerically(">", 0))
	})

	It("does nothing after a shutdown", func() {
		p := start()
		Expect(p.provider.ShutdownWithContext(waiting())).To(Succeed())
		p.flush()
	})

	It("does not retry if the application's event processor cannot flush", func() {
		var asked atomic.Int32
		p := start(configure(func(c *ld.Config) { c.Events = unflushable{asked: &asked} }))
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		Expect(p.provider.Flush(ctx)).NotTo(Succeed())
		Expect(asked.Load()).To(BeNumerically("<=", 1))
	})
})
