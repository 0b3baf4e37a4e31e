package e2e

import (
	"context"
	"net/http"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest/ldmatchers"
)

// source is a configuration of the data source or DataSystem.
type source struct {
	use  func(*setup)
	poll func() // makes the client poll; nil if changes are streamed
}

func (s source) look() {
	GinkgoHelper()
	if s.poll != nil {
		s.poll()
	}
}

func polling() source {
	p := make(pace)
	return source{use: configure(func(c *ld.Config) { c.DataSource = pacedPolling{p} }), poll: p.poll}
}

func pollingV2() source {
	p := make(pace)
	return source{
		use: func(s *setup) {
			s.config.DataSystem = s.box.DataSystem().Custom().Synchronizers(
				pacedPollingV2{p, ldcomponents.PollingDataSourceV2().BaseURI(s.box.URL())})
		},
		poll: p.poll,
	}
}

func streaming() source { return source{use: func(*setup) {}} }

func streamingV2() source { return source{use: useDataSystem(synchronizing)} }

// initializedV2 polls once and then streams, which is the default.
func initializedV2() source {
	return source{use: useDataSystem(func(s *setup) subsystems.ComponentConfigurer[subsystems.DataSystemConfiguration] {
		return s.box.DataSystem().Custom().
			Initializers(ldcomponents.PollingDataSourceV2().BaseURI(s.box.URL()).AsInitializer()).
			Synchronizers(quickStream(s))
	})}
}

func synchronizing(s *setup) subsystems.ComponentConfigurer[subsystems.DataSystemConfiguration] {
	return s.box.DataSystem().Custom().Synchronizers(quickStream(s))
}

func quickStream(s *setup) *ldcomponents.StreamingDataSourceBuilderV2 {
	return ldcomponents.StreamingDataSourceV2().BaseURI(s.box.URL()).InitialReconnectDelay(10 * time.Millisecond)
}

func useDataSystem(
	choose func(*setup) subsystems.ComponentConfigurer[subsystems.DataSystemConfiguration],
) func(*setup) {
	return func(s *setup) { s.config.DataSystem = choose(s) }
}

var _ = Describe("Flag data", func() {
	DescribeTableSubtree("that comes by",
		func(newSource func() source, paths ...any) {
			It("makes the provider ready and receives changes", func() {
				from := newSource()
				p := start(serving("a"), from.use)
				Expect(p.client.State()).To(Equal(openfeature.ReadyState))
				Expect(value(p.client)).To(Equal("a"))

				p.box.SetValue("flag", ldvalue.String("b"))
				from.look()
				Eventually(p.events.counter(openfeature.ProviderConfigChange)).Should(Equal(1))
				Expect(p.events.of(openfeature.ProviderConfigChange)[0].FlagChanges).To(Equal([]string{"flag"}))
				Expect(value(p.client)).To(Equal("b"))

				p.box.DeleteFlags("flag")
				from.look()
				Eventually(value).WithArguments(p.client).Should(Equal("default"))
				details, err := p.client.StringValueDetails(context.Background(), "flag", "default", sandy)
				Expect(err).To(HaveOccurred())
				Expect(details.ErrorCode).To(Equal(openfeature.FlagNotFoundCode))

				p.track("checkout", sandy, one)
				Expect(p.box).To(ldmatchers.HaveReceived(ldmatchers.CustomEvent("checkout")))
				Expect(p.events.of(openfeature.ProviderReady)).To(HaveLen(1))
				for _, request := range p.box.StreamRequests() {
					Expect(request.Path).To(BeElementOf(paths...))
					Expect(request.Wrapper()).To(Equal("open-feature-go-server/" + launchdarkly.Version))
				}
			})

			It("remains available in an outage, during which the provider is stale", func() {
				from := newSource()
				p := start(serving("a"), from.use)
				p.box.RefuseStreams(http.StatusServiceUnavailable)
				p.box.DropStreams()
				from.look()
				Eventually(p.client.State).Should(Equal(openfeature.StaleState))
				Expect(value(p.client)).To(Equal("a"))
				p.track("in the outage", sandy, one)
				Expect(p.box).To(ldmatchers.HaveReceived(ldmatchers.CustomEvent("in the outage")))

				p.box.SetValue("flag", ldvalue.String("b"))
				p.box.AcceptStreams()
				from.look()
				Eventually(p.client.State).Should(Equal(openfeature.ReadyState))
				Eventually(value).WithArguments(p.client).Should(Equal("b"))
				Eventually(p.events.counter(openfeature.ProviderReady)).Should(Equal(2))
				Expect(p.events.of(openfeature.ProviderStale)).To(HaveLen(1))
				Expect(p.events.of(openfeature.ProviderError)).To(BeEmpty())
			})

			It("arrives once LaunchDarkly becomes reachable", func() {
				from := newSource()
				p := newProgram(serving("a"), from.use, options(launchdarkly.WithInitTimeout(50*time.Millisecond)),
					given(func(box *launchdarklytest.Server) { box.RefuseStreams(http.StatusServiceUnavailable) }))
				Expect(p.register()).To(MatchError(ld.ErrInitializationTimeout))
				Expect(p.client.State()).To(Equal(openfeature.ErrorState))
				Expect(value(p.client)).To(Equal("default"))

				p.box.AcceptStreams()
				from.look()
				Eventually(p.client.State).Should(Equal(openfeature.ReadyState))
				Expect(value(p.client)).To(Equal("a"))
			})
		},
		Entry("polls", polling, launchdarklytest.PollPath),
		Entry("streams, with a DataSystem", streamingV2, launchdarklytest.StreamPathV2),
		Entry("a poll and then streams, with a DataSystem", initializedV2,
			launchdarklytest.PollPathV2, launchdarklytest.StreamPathV2),
		Entry("polls, with a DataSystem", pollingV2, launchdarklytest.PollPathV2),
	)

	It("in a persistent store, with a DataSystem, makes the provider stale until LaunchDarkly answers", func() {
		p := newProgram(serving("from LaunchDarkly"), given((*launchdarklytest.Server).HoldStreams),
			options(launchdarkly.WithInitTimeout(20*time.Millisecond)), func(s *setup) {
				s.config.DataSystem = s.box.DataSystem().Custom().Synchronizers(quickStream(s)).
					DataStore(filledStore("from the store"), subsystems.DataStoreModeReadWrite)
			})
		Expect(p.register()).To(Succeed())
		Eventually(p.client.State).Should(Equal(openfeature.StaleState))
		Expect(value(p.client)).To(Equal("from the store"))

		p.box.ReleaseStreams()
		Eventually(p.client.State).Should(Equal(openfeature.ReadyState))
		Expect(value(p.client)).To(Equal("from LaunchDarkly"))
	})

	DescribeTable("that nothing keeps up to date makes the provider ready once it is loaded",
		func(choose func(*setup)) {
			p := start(serving("a"), choose)
			Expect(value(p.client)).To(Equal("a"))
			Consistently(p.client.State).Should(Equal(openfeature.ReadyState))
			Expect(p.events.of(openfeature.ProviderReady)).To(HaveLen(1))
			Expect(p.events.of(openfeature.ProviderStale)).To(BeEmpty())
		},
		Entry("in a store that another process fills", configure(func(c *ld.Config) {
			c.DataSource, c.DataStore = ldcomponents.ExternalUpdatesOnly(), filledStore("a")
		})),
		Entry("in a store that another process fills, with a DataSystem", configure(func(c *ld.Config) {
			c.DataSystem = ldcomponents.DataSystem().Daemon(filledStore("a"))
		})),
		Entry("of a single poll, with a DataSystem", func(s *setup) {
			s.config.DataSystem = s.box.DataSystem().Custom().Initializers(
				ldcomponents.PollingDataSourceV2().BaseURI(s.box.URL()).AsInitializer())
		}),
	)

	It("is absent offline, with a DataSystem, and evaluations return defaults without an error", func() {
		p := start(serving("a"), useDataSystem(synchronizing), func(s *setup) { s.config.Offline = true })
		Expect(p.client.State()).To(Equal(openfeature.ReadyState))
		details, err := p.client.StringValueDetails(context.Background(), "flag", "default", sandy)
		Expect(err).NotTo(HaveOccurred())
		Expect(details.Value).To(Equal("default"))
		Expect(details.Reason).To(Equal(openfeature.DefaultReason))
		Expect(details.ErrorCode).To(BeEmpty())
		Expect(p.client.Object(context.Background(), "flag", theme, sandy)).To(BeIdenticalTo(theme))
		_, err = p.client.StringValueDetails(context.Background(), "flag", "default", user(""))
		Expect(err).To(MatchError(ContainSubstring(string(openfeature.TargetingKeyMissingCode))), "what is wrong remains so")
		p.client.Track(context.Background(), "checkout", sandy, one)
		p.flush()
		Expect(p.provider.Stats().Tracked).To(BeEquivalentTo(1))
		Expect(p.provider.Stats().Dropped.EventsOff).To(BeEquivalentTo(1))
		Expect(p.api.Shutdown(waiting())).To(Succeed())
		Expect(p.box.StreamRequests()).To(BeEmpty())
		Expect(p.box.Requests()).To(BeEmpty())
	})
})

// one is a metric value.
var one = openfeature.NewTrackingEventDetails(1)
