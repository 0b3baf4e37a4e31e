package delivery

import (
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/suite"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

var _ = Describe("A burst", Label("long"), func() {
	It("is delivered completely, and compared with the rate of the bare SDK", func() {
		const goroutines = 8
		each := sized(10_000, 125_000)
		bare := bareRate(goroutines * each)

		p := start()
		began := time.Now()
		p.trackFrom(goroutines, each)
		tracked := time.Since(began)
		p.flush()
		delivered := time.Since(began)
		rate := float64(goroutines*each) / delivered.Seconds()

		s := p.accounts()
		Expect(s.Dropped.Total()).To(BeZero(), "%+v", s)
		p.arrivedInOrder(goroutines, each)
		suite.Report("burst", "%d events tracked in %s, delivered in %s: %.0f a second, %.2f of the bare SDK's %.0f; %d requests",
			goroutines*each, tracked.Round(time.Millisecond), delivered.Round(time.Millisecond), rate, rate/bare, bare,
			s.Requests)
	})

	// A measurement for comparison: the SDK does not specify how many events it drops.
	It("is measured with the bare SDK, which drops events", func() {
		const goroutines = 8
		each := sized(10_000, 125_000)
		box, client := bareClient()
		track := func(first int) {
			user := ldcontext.New("sandy")
			for serial := first; serial < first+each; serial++ {
				_ = client.TrackMetric("purchase", user, float64(serial), ldvalue.Null())
			}
		}
		done := make(chan struct{})
		for g := range goroutines {
			go func() { track(g * each); done <- struct{}{} }()
		}
		for range goroutines {
			<-done
		}
		Expect(client.Close()).To(Succeed())
		arrived := box.EventCount(launchdarklytest.KindCustom)
		suite.Report("burst with the bare SDK", "%d of %d events arrived: %.1f%%",
			arrived, goroutines*each, 100*float64(arrived)/float64(goroutines*each))
	})
})

func bareClient() (*launchdarklytest.Server, *ld.LDClient) {
	GinkgoHelper()
	box := launchdarklytest.NewServer()
	DeferCleanup(box.Close)
	config := box.Config()
	config.Events = ldcomponents.SendEvents()
	client, err := ld.MakeCustomClient(box.SDKKey(), config, patience)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { _ = client.Close() })
	return box, client
}

// bareRate returns how many events a second the bare SDK delivers if they never exceed its buffers.
func bareRate(events int) float64 {
	GinkgoHelper()
	const atOnce = ldcomponents.DefaultEventsCapacity * 9 / 10 // leaves room for index and summary events
	box, client := bareClient()
	began := time.Now()
	for tracked := 0; tracked < events; {
		for n := 0; n < atOnce && tracked < events; n++ {
			_ = client.TrackMetric("purchase", ldcontext.New("sandy"), float64(tracked), ldvalue.Null())
			tracked++
		}
		Expect(client.FlushAndWait(patience)).To(BeTrue())
	}
	took := time.Since(began)
	Expect(box.EventCount(launchdarklytest.KindCustom)).To(Equal(events))
	box.Close() // releases its memory
	return float64(events) / took.Seconds()
}
