package e2e

import (
	"context"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest/ldmatchers"
)

var _ = Describe("Requests", func() {
	// all returns the requests of a program that evaluates and tracks: a stream, and its events.
	all := func(p *program) []launchdarklytest.Request {
		GinkgoHelper()
		value(p.client)
		p.track("checkout", sandy, details(1))
		requests := append(p.box.StreamRequests(), p.box.Requests()...)
		Expect(len(requests)).To(BeNumerically(">=", 2))
		return requests
	}
	const wrapper = "open-feature-go-server/" + launchdarkly.Version

	It("identify the SDK and the provider", func() {
		for _, request := range all(start()) {
			Expect(request.Wrapper()).To(Equal(wrapper))
			Expect(request.UserAgent()).To(HavePrefix("GoClient/"))
		}
	})

	DescribeTable("are compressed if the configuration enables it",
		func(gzip bool, choose func(*ld.Config)) {
			p := start(configure(choose))
			value(p.client)
			p.track("checkout", sandy, details(1, "note", "hello"))
			Expect(p.box.Requests()).To(HaveLen(1))
			Expect(p.box.Requests()).To(HaveEach(HaveField("Gzip", gzip)))
			Expect(p.box).To(ldmatchers.HaveReceived(ldmatchers.CustomEvent("checkout").WithData(pairs("note", "hello"))))
		},
		Entry("not by default", false, func(*ld.Config) {}),
		Entry("with LaunchDarkly's builder", true, func(c *ld.Config) {
			c.Events = ldcomponents.SendEvents().EnableGzip(true)
		}),
		Entry("with lossless delivery", true, func(c *ld.Config) {
			c.Events = delivery.Lossless(ldcomponents.SendEvents().EnableGzip(true), delivery.WithLogger(discard))
		}),
	)

	It("are sent without waiting for a flush", func() {
		p := start(configure(func(c *ld.Config) { c.Events = ldcomponents.SendEvents().FlushInterval(time.Millisecond) }))
		p.client.Track(context.Background(), "checkout", sandy, details(1))
		Eventually(p.box).Should(ldmatchers.HaveReceived(ldmatchers.CustomEvent("checkout")))
		value(p.client)
		Eventually(p.box).Should(ldmatchers.HaveReceived(ldmatchers.EventOfKind(launchdarklytest.KindSummary)))
	})

	It("omit the configuration's private attributes", func() {
		p := start(given(trackedFlag), configure(func(c *ld.Config) {
			c.Events = ldcomponents.SendEvents().PrivateAttributes("email")
		}))
		evaluationContext := user("sandy", "email", "hunter2", "plan", "gold")
		p.client.Boolean(context.Background(), "flag", false, evaluationContext)
		p.track("checkout", evaluationContext, details(1))
		Expect(p.box.Events()).To(HaveEach(WithTransform(launchdarklytest.Event.String, Not(ContainSubstring("hunter2")))))
		Expect(p.box).To(ldmatchers.HaveReceived(ldmatchers.CustomEvent("checkout").WithContext(
			HaveKeyWithValue("plan", "gold"))))
	})

	It("contain no events if events are turned off", func() {
		p := start(serving("a"), configure(func(c *ld.Config) { c.Events = ldcomponents.NoEvents() }))
		Expect(value(p.client)).To(Equal("a"))
		p.client.Track(context.Background(), "checkout", sandy, details(1))
		p.flush()
		Expect(p.api.Shutdown(waiting())).To(Succeed())
		Expect(p.box.Requests()).To(BeEmpty())
		stats := p.provider.Stats()
		Expect(stats.Tracked).To(Equal(uint64(1)))
		Expect(stats.Dropped.EventsOff).To(Equal(uint64(1)))
	})

	DescribeTable("do not log the SDK key",
		func(key string, succeeds bool) {
			p := newProgram(serving("a"), func(s *setup) { s.sdkKey = key }, configure(func(c *ld.Config) {
				c.Logging = ldcomponents.Logging().MinLevel(ldlog.Debug)
			}))
			err := p.register()
			Expect(err == nil).To(Equal(succeeds))
			value(p.client)
			p.client.Track(context.Background(), "checkout", sandy, details(1))
			_ = p.provider.Flush(waiting())
			_ = p.api.Shutdown(waiting())
			Expect(p.log.String()).To(ContainSubstring("component=launchdarkly-sdk"), "the SDK's own lines are there, too")
			Expect(p.log.String()).NotTo(ContainSubstring(key))
			for _, problem := range append(p.problems.all(), err) {
				if problem != nil {
					Expect(problem.Error()).NotTo(ContainSubstring(key))
				}
			}
		},
		Entry("a valid one", launchdarklytest.ValidSDKKey, true),
		Entry("an invalid one", "sdk-hunter2", false),
	)
})
