package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// expectStopped waits until nothing of the program's provider runs: no goroutine of ours, no stream.
func expectStopped(p *program) {
	GinkgoHelper()
	Eventually(p.box.Streams).Should(BeZero(), "streams")
	Eventually(ourGoroutines).Should(BeEmpty(), "goroutines")
}

var _ = Describe("Replacement", func() {
	// OpenFeature passes the context of the registration to the shutdown of the provider that is replaced.
	It("delivers everything when the context of the registration is canceled at once", func() {
		const events = 5_000
		p, next := start(func(s *setup) {
			s.config.Events = delivery.Lossless(nil, delivery.WithLogger(discard), delivery.WithRequestEvents(500))
		}), newProgram()
		p.box.DelayEvents(20 * time.Millisecond)
		for range events {
			p.client.Track(context.Background(), "checkout", sandy, details(1))
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		Expect(p.api.SetProviderAndWait(ctx, next.provider)).To(Succeed())
		cancel()
		Eventually(func() uint64 { return p.provider.Stats().Waiting }).Should(BeZero())
		Expect(p.provider.Stats().Delivered).To(BeEquivalentTo(events))
		Expect(p.provider.Stats().Dropped.Total()).To(BeZero())
		Expect(p.box.EventCount(launchdarklytest.KindCustom)).To(Equal(events))
		Expect(p.problems.all()).To(BeEmpty())
	})
})

var _ = Describe("Shutdown that overtakes the initialization", func() {
	It("leaves nothing running", func() {
		p := newProgram(serving("a"))
		Expect(p.api.SetProvider(context.Background(), p.provider)).To(Succeed())
		Expect(p.api.Shutdown(waiting())).To(Succeed())
		Eventually(p.client.State).ShouldNot(Equal(openfeature.NotReadyState)) // the initialization is over
		expectStopped(p)
	})
})

var _ = launchdarkly.Version
