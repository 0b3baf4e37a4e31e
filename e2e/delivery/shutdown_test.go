package delivery

import (
	"context"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/suite"
)

var _ = Describe("Shutdown", func() {
	const events = 50_000

	It("delivers queued events", func() {
		p := start()
		p.box.RefuseEvents(http.StatusServiceUnavailable)
		p.track(0, events)
		Expect(p.provider.Stats().Waiting).To(BeEquivalentTo(events))
		p.box.AcceptEvents()

		began := time.Now()
		Expect(p.provider.ShutdownWithContext(suite.Within(10 * time.Second))).To(Succeed())
		took := time.Since(began)
		p.arrived(1, events)
		Expect(p.accounts().Delivered).To(BeEquivalentTo(events))
		suite.Report("shutdown", "%d events that waited were delivered in %s", events, took.Round(time.Millisecond))
	})

	It("returns the number of events that it did not deliver by its deadline", func() {
		const deadline = time.Second
		p := start()
		p.box.RefuseEvents(http.StatusServiceUnavailable)
		p.track(0, events)

		began := time.Now()
		err := p.provider.ShutdownWithContext(suite.Within(deadline))
		took := time.Since(began)
		Expect(err).To(MatchError(context.DeadlineExceeded))
		Expect(undelivered(err)).To(Equal(events))
		Expect(took).To(BeNumerically("<", deadline+patience/10)) // allows for a busy machine
		Eventually(func() uint64 { return p.provider.Stats().Waiting }).Should(BeZero())
		Expect(p.accounts().Dropped.Closed).To(BeEquivalentTo(events))
		Expect(p.reported.dropped.Load()).To(BeEquivalentTo(events))
		Expect(p.log.Lines("events dropped")).To(ConsistOf(ContainSubstring("events=%d", events)))
		suite.Report("shutdown of a dead service", "with a deadline of %s, it took %s", deadline, took.Round(time.Millisecond))
	})
})
