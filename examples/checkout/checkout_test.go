package checkout_test

import (
	"context"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/examples/checkout"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
	. "github.com/openfeature-launchdarkly/go-provider/launchdarklytest/ldmatchers"
)

var _ = Describe("Checkout", func() {
	var testServer *launchdarklytest.Server // replaces LaunchDarkly

	BeforeEach(func() {
		testServer = launchdarklytest.NewServer()
		DeferCleanup(testServer.Close)
	})

	Describe("the new flow", func() {
		It("is off by default", func(ctx SpecContext) {
			Expect(open(ctx, testServer).flow("sandy")).To(Equal("old"))
		})

		It("is on for all users after it is turned on", func(ctx SpecContext) {
			testServer.SetValue("new-flow", true)
			shop := open(ctx, testServer)
			Expect(shop.flow("sandy")).To(Equal("new"))
			Expect(shop.flow("alex")).To(Equal("new"))
		})

		It("is on for the users that LaunchDarkly targets", func(ctx SpecContext) {
			// LaunchDarkly's JSON; ldbuilders can build the same flag.
			Expect(testServer.SetFlagsJSON(`{
				"key": "new-flow", "on": true, "variations": [false, true], "fallthrough": {"variation": 0},
				"targets": [{"values": ["sandy"], "variation": 1}]
			}`)).To(Succeed())
			shop := open(ctx, testServer)
			Expect(shop.flow("sandy")).To(Equal("new"))
			Expect(shop.flow("alex")).To(Equal("old"))
		})

		It("can be turned off while the service runs", func(ctx SpecContext) {
			testServer.SetValue("new-flow", true)
			shop := open(ctx, testServer)
			Expect(shop.flow("sandy")).To(Equal("new"))
			testServer.SetValue("new-flow", false)
			Eventually(shop.flow).WithArguments("sandy").Should(Equal("old"))
		})
	})

	It("tracks revenue for the right user", func(ctx SpecContext) {
		shop := open(ctx, testServer)
		shop.checkOut("sandy")
		Expect(shop.provider.Flush(ctx)).To(Succeed())
		Expect(testServer).To(HaveReceived(CustomEvent("checkout").
			ForContext("user", "sandy").
			WithMetric(99.90).
			WithDataMember("currency", "EUR").
			WithDataMember("items", []checkout.Item{{SKU: "A-17", Price: 49.95, Quantity: 2}})).Times(1))
	})

	It("sends the country but not the email address", func(ctx SpecContext) {
		shop := open(ctx, testServer)
		shop.checkOut("sandy")
		Expect(shop.provider.Flush(ctx)).To(Succeed())
		Expect(testServer).To(HaveReceived(CustomEvent("checkout").WithContext(HaveKeyWithValue("country", "DE"))))
		Expect(testServer).NotTo(HaveReceived(ContainSubstring("sandy@example.com")))
	})

	It("tracks nothing when the payment fails", func(ctx SpecContext) {
		shop := open(ctx, testServer)
		shop.payments.broken = true
		status, _ := shop.checkOut("sandy")
		Expect(status).To(Equal(http.StatusPaymentRequired))
		Expect(shop.provider.Flush(ctx)).To(Succeed())
		Expect(testServer).NotTo(HaveReceived(CustomEvent("checkout")))
	})

	It("works during an outage of LaunchDarkly, and delivers events after it", func(ctx SpecContext) {
		testServer.SetValue("new-flow", true)
		testServer.RefuseStreams(http.StatusServiceUnavailable)
		testServer.RefuseEvents(http.StatusServiceUnavailable)
		shop, err := wire(ctx, testServer, launchdarkly.WithInitTimeout(10*time.Millisecond))
		Expect(err).To(HaveOccurred())
		Expect(shop.flow("sandy")).To(Equal("old"))
		briefly, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		Expect(shop.provider.Flush(briefly)).NotTo(Succeed())
		Expect(testServer).NotTo(HaveReceived(CustomEvent("checkout")))

		testServer.AcceptStreams()
		testServer.AcceptEvents()
		Expect(shop.provider.Flush(ctx)).To(Succeed())
		Expect(testServer).To(HaveReceived(CustomEvent("checkout").ForContext("user", "sandy").WithMetric(99.90)))
		Eventually(shop.flow).WithArguments("sandy").Should(Equal("new"))
	})

	It("keeps serving its last flags when LaunchDarkly fails", func(ctx SpecContext) {
		testServer.SetValue("new-flow", true)
		shop := open(ctx, testServer)
		testServer.RefuseStreams(http.StatusServiceUnavailable)
		testServer.DropStreams()
		Eventually(shop.client.State).Should(Equal(openfeature.StaleState))
		Expect(shop.flow("sandy")).To(Equal("new"))
	})

	It("delivers tracked events before the service exits", func(ctx SpecContext) {
		shop := open(ctx, testServer)
		shop.checkOut("sandy")
		Expect(shop.provider.ShutdownWithContext(ctx)).To(Succeed()) // in main: openfeature.Shutdown
		Expect(testServer).To(HaveReceived(CustomEvent("checkout")))
	})
})
