package e2e

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoreimpl"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoretypes"
	"github.com/launchdarkly/go-server-sdk/v7/testhelpers/ldtestdata"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/suite"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest/ldmatchers"
)

// serving sets the value of the flag named flag.
func serving(value string) func(*setup) {
	return given(func(box *launchdarklytest.Server) { box.SetValue("flag", ldvalue.String(value)) })
}

// value evaluates the flag named flag.
func value(client *openfeature.Client) string {
	return client.String(context.Background(), "flag", "default", sandy)
}

var _ = Describe("Lifecycle", func() {
	Describe("initialization", func() {
		It("returns when its context.Context ends, and continues in the background", func() {
			p := newProgram(serving("a"), given((*launchdarklytest.Server).HoldStreams))
			ctx, cancel := context.WithCancel(context.Background())
			registered := make(chan error, 1)
			go func() { registered <- p.api.SetProviderAndWait(ctx, p.provider) }()
			Expect(p.box.WaitForStreams(waiting(), 1)).To(Succeed())
			Consistently(registered).ShouldNot(Receive())
			cancel()
			Eventually(registered).Should(Receive(MatchError(context.Canceled)))
			Eventually(p.client.State).Should(Equal(openfeature.ErrorState))

			p.box.ReleaseStreams()
			Eventually(p.client.State).Should(Equal(openfeature.ReadyState))
			Expect(value(p.client)).To(Equal("a"))
		})

		It("returns when the provider is shut down", func() {
			p := newProgram(given((*launchdarklytest.Server).HoldStreams))
			initialized := make(chan error, 1)
			go func() { initialized <- p.provider.InitWithContext(waiting(), openfeature.EvaluationContext{}) }()
			Expect(p.box.WaitForStreams(waiting(), 1)).To(Succeed())
			Consistently(initialized).ShouldNot(Receive())
			Expect(p.provider.ShutdownWithContext(waiting())).To(Succeed())
			Eventually(initialized).Should(Receive(MatchError(launchdarkly.ErrClosed)))
		})

		// While a listener is full, the SDK blocks and cannot add another one.
		It("times out while an unread listener of the application blocks the SDK, and shutdown delivers", func() {
			p := newProgram(
				given(func(box *launchdarklytest.Server) { box.SetFlags(manyFlags(100, 1)...) }),
				given((*launchdarklytest.Server).HoldStreams),
				options(launchdarkly.WithInitTimeout(100*time.Millisecond)))
			unread := p.provider.Client().GetFlagTracker().AddFlagChangeListener()
			DeferCleanup(func() {
				go func() {
					for range unread { // until the client is closed
					}
				}()
			})
			Expect(p.box.WaitForStreams(waiting(), 1)).To(Succeed())
			p.box.ReleaseStreams()
			Eventually(p.provider.Client().Initialized).Should(BeTrue())

			initialized := make(chan error, 1)
			go func() { initialized <- p.provider.InitWithContext(waiting(), openfeature.EvaluationContext{}) }()
			Eventually(initialized).Should(Receive(BeNil()))

			p.provider.Track(context.Background(), "checkout", sandy, details(1))
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- p.provider.ShutdownWithContext(ctx) }()
			Eventually(ended).Should(Receive(MatchError(context.DeadlineExceeded)))
			Expect(p.box).To(ldmatchers.HaveReceived(ldmatchers.CustomEvent("checkout")))
		})
	})

	Describe("shutdown", func() {
		It("returns at its deadline while the events service does not respond", func() {
			p := start()
			p.box.DelayEvents(time.Hour)
			p.client.Track(context.Background(), "checkout", sandy, details(1))
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			defer cancel()
			Expect(p.provider.ShutdownWithContext(ctx)).To(MatchError(context.DeadlineExceeded))
		})
	})

	Describe("registering again", func() {
		It("works after a shutdown", func() {
			p := start(serving("a"))
			first := p.provider.Client()
			for range 3 {
				p.client.Track(context.Background(), "checkout", sandy, details(1))
				Expect(p.api.Shutdown(waiting())).To(Succeed())
				p.useNewAPI()
				Expect(p.register()).To(Succeed())
				Expect(p.client.State()).To(Equal(openfeature.ReadyState))
				Expect(value(p.client)).To(Equal("a"))
				Eventually(p.events.counter(openfeature.ProviderReady)).Should(Equal(1))
			}
			Expect(p.provider.Client()).NotTo(BeIdenticalTo(first))
			p.track("checkout", sandy, details(1))
			Expect(p.box.CustomEvents("checkout")).To(HaveLen(4))
			Expect(p.provider.Stats().Tracked).To(Equal(uint64(4)), "Stats are not reset")
			Expect(p.provider.Stats().Delivered).To(Equal(uint64(4)))

			p.box.SetValue("flag", ldvalue.String("b"))
			Eventually(p.events.counter(openfeature.ProviderConfigChange)).Should(Equal(1))
			Expect(value(p.client)).To(Equal("b"))
		})

		It("creates no client if its context.Context is canceled", func() {
			p := newProgram(given((*launchdarklytest.Server).HoldStreams)) // as in closesTalkingStreams
			closed := p.provider.Client()
			Expect(p.provider.ShutdownWithContext(waiting())).To(Succeed())
			gone, cancel := context.WithCancel(context.Background())
			cancel()
			Expect(p.provider.InitWithContext(gone, openfeature.EvaluationContext{})).To(MatchError(context.Canceled))
			Expect(p.provider.Client()).To(BeIdenticalTo(closed))
		})

		It("works after a fatal error", func() {
			p := newProgram(serving("a"), wrongKey)
			Expect(p.register()).NotTo(Succeed())
			Expect(p.client.State()).To(Equal(openfeature.FatalState))
			Expect(p.api.Shutdown(waiting())).To(Succeed())

			p.connection.setRefused(false)
			p.useNewAPI()
			Expect(p.register()).To(Succeed())
			Expect(value(p.client)).To(Equal("a"))
		})
	})

	Describe("with a client that the application made", func() {
		It("can be created and shut down while an unread listener of the application blocks the SDK", func() {
			source := new(idleSource)
			config := newBox().Config()
			config.DataSource = source
			client, err := ld.MakeCustomClient("sdk-key", config, 0)
			Expect(err).NotTo(HaveOccurred())
			unread := client.GetDataSourceStatusProvider().AddStatusListener()
			go func() {
				for range 2 * cap(unread) {
					source.updates.UpdateStatus(interfaces.DataSourceStateInterrupted,
						interfaces.DataSourceErrorInfo{Kind: interfaces.DataSourceErrorKindNetworkError})
				}
			}()
			DeferCleanup(func() {
				go func() {
					for range unread { // until the client is closed
					}
				}()
				Expect(client.Close()).To(Succeed())
			})
			Eventually(func() int { return len(unread) }).Should(Equal(cap(unread)))

			made := make(chan *launchdarkly.Provider, 1)
			go func() {
				defer GinkgoRecover()
				provider, err := launchdarkly.NewProviderWithClient(client, launchdarkly.WithLogger(discard))
				Expect(err).NotTo(HaveOccurred())
				made <- provider
			}()
			var provider *launchdarkly.Provider
			Eventually(made).Should(Receive(&provider))
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			Expect(provider.ShutdownWithContext(ctx)).To(Succeed())
		})

		DescribeTable("leaves the client open",
			func(lossless bool) {
				box := newBox()
				box.SetValue("flag", ldvalue.String("a"))
				config := box.Config()
				if lossless {
					config.Events = delivery.Lossless(nil, delivery.WithLogger(discard))
				}
				client := newClient(box, config)
				provider, err := launchdarkly.NewProviderWithClient(client, launchdarkly.WithConfig(config),
					launchdarkly.WithLogger(discard))
				Expect(err).NotTo(HaveOccurred())
				DeferCleanup(shutDown, provider)
				Expect(provider.Client()).To(BeIdenticalTo(client))
				for round := range 2 {
					api, events := newAPI()
					Expect(api.SetProviderAndWait(waiting(), provider)).To(Succeed())
					Expect(value(api.NewClient())).To(Equal("a"))
					api.NewClient().Track(context.Background(), "by the provider", sandy, details(1))
					Expect(provider.Flush(waiting())).To(Succeed())
					Eventually(events.counter(openfeature.ProviderReady)).Should(Equal(1))
					api.NewClient().Track(context.Background(), "at the end", sandy, details(1))
					Expect(api.Shutdown(waiting())).To(Succeed())
					if lossless { // LaunchDarkly's event processor delivers it later
						Expect(box.CustomEvents("at the end")).To(HaveLen(round + 1))
					}
				}

				Expect(client.StringVariation("flag", ldcontext.New("sandy"), "default")).To(Equal("a"))
				Expect(client.TrackEvent("by the application", ldcontext.New("sandy"))).To(Succeed())
				client.Flush()
				Eventually(box).Should(ldmatchers.HaveReceived(ldmatchers.CustomEvent("by the application")))
				Expect(box.CustomEvents("by the provider")).To(HaveLen(2))
				box.SetValue("flag", ldvalue.String("b"))
				Eventually(func() (string, error) {
					return client.StringVariation("flag", ldcontext.New("sandy"), "default")
				}).Should(Equal("b"))
				stats := provider.Stats()
				Expect(stats.Delivered + stats.HandedOver).To(BeNumerically(">=", 2))
			},
			Entry("with lossless delivery", true),
			Entry("with LaunchDarkly's event processor", false),
		)

		// borrow creates a client with a configuration, and registers a provider that uses it.
		borrow := func(config ld.Config, opts ...launchdarkly.Option) (*ld.LDClient, *launchdarkly.Provider, *suite.Log) {
			GinkgoHelper()
			client, err := ld.MakeCustomClient("sdk-key", config, patience)
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(client.Close)
			log := new(suite.Log)
			provider, err := launchdarkly.NewProviderWithClient(client,
				append([]launchdarkly.Option{launchdarkly.WithLogger(log.Logger())}, opts...)...)
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(shutDown, provider)
			api, _ := newAPI()
			Expect(api.SetProviderAndWait(waiting(), provider)).To(Succeed())
			return client, provider, log
		}
		withEvents := func(events subsystems.ComponentConfigurer[ldevents.EventProcessor]) ld.Config {
			config := newBox().Config()
			config.DataSource, config.Events = ldtestdata.DataSource(), events
			return config
		}

		DescribeTable("logs one warning if events can be lost unnoticed",
			func(lines int, passed bool, configure func(*ld.Config)) {
				config := withEvents(nil)
				configure(&config)
				var opts []launchdarkly.Option
				if passed {
					opts = append(opts, launchdarkly.WithConfig(config))
				}
				_, _, log := borrow(config, opts...)
				Expect(strings.Count(log.String(), "level=WARN")).To(Equal(lines), log.String())
				Expect(strings.Count(log.String(), "can be lost without notice")).To(Equal(lines), log.String())
			},
			Entry("with LaunchDarkly's event processor", 1, false, func(*ld.Config) {}),
			Entry("with LaunchDarkly's event processor, according to the configuration", 1, true, func(*ld.Config) {}),
			Entry("with lossless delivery that the provider cannot see", 1, false, func(c *ld.Config) {
				c.Events = delivery.Lossless(nil, delivery.WithLogger(discard))
			}),
			Entry("but not with lossless delivery", 0, true, func(c *ld.Config) {
				c.Events = delivery.Lossless(nil, delivery.WithLogger(discard))
			}),
			Entry("but not without events", 0, true, func(c *ld.Config) { c.Events = ldcomponents.NoEvents() }),
			Entry("but not offline", 0, false, func(c *ld.Config) { c.Offline = true }),
		)

		It("reports dropped events to the provider's error handler and logger until the shutdown", func() {
			config := withEvents(delivery.Lossless(nil, delivery.WithMaxEvents(1), delivery.WithMaxWait(0),
				delivery.WithLogger(discard), delivery.WithBackoff(time.Hour, time.Hour)))
			box := newBox()
			box.RefuseEvents(503)
			config.ServiceEndpoints = allAt(box.URL())
			var problems problems
			client, provider, log := borrow(config, launchdarkly.WithConfig(config), launchdarkly.WithErrorHandler(problems.add))
			Eventually(func() []error {
				Expect(client.TrackEvent("by the application", ldcontext.New("sandy"))).To(Succeed())
				return problems.all()
			}).Should(ContainElement(MatchError(delivery.ErrQueueFull)))
			Eventually(log.String).Should(ContainSubstring("events dropped"))

			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			defer cancel()
			Expect(provider.ShutdownWithContext(ctx)).NotTo(Succeed(), "the client has what it could not deliver")
			reported := len(problems.all())
			for range 10 {
				Expect(client.TrackEvent("after the shutdown", ldcontext.New("sandy"))).To(Succeed())
			}
			Expect(problems.all()).To(HaveLen(reported))
		})

		It("logs that the options of WithDelivery have no effect", func() {
			config := withEvents(ldcomponents.NoEvents())
			_, _, log := borrow(config, launchdarkly.WithConfig(config), launchdarkly.WithDelivery(delivery.WithMaxEvents(1)))
			Expect(log.String()).To(ContainSubstring("options of WithDelivery have no effect"))
		})
	})

	Describe("with options for delivery", func() {
		waits := func(choices ...func(*setup)) uint64 {
			GinkgoHelper()
			p := start(append(choices, options(launchdarkly.WithDelivery(delivery.WithMaxEvents(3), delivery.WithMaxWait(0))))...)
			p.box.RefuseEvents(503)
			for range 10 {
				p.client.Track(context.Background(), "checkout", sandy, details(1))
			}
			stats := p.provider.Stats()
			Expect(stats.Waiting + stats.Dropped.QueueFull).To(BeEquivalentTo(10))
			p.box.AcceptEvents()
			return stats.Waiting
		}

		It("applies them", func() {
			Expect(waits()).To(BeEquivalentTo(3))
		})

		It("overrides the same options of the application's delivery, and keeps the others", func() {
			dropped := new(problems)
			Expect(waits(configure(func(c *ld.Config) {
				c.Events = delivery.Lossless(nil, delivery.WithMaxEvents(5), delivery.WithErrorHandler(func(err error) {
					dropped.add(context.Background(), err)
				}))
			}))).To(BeEquivalentTo(3))
			Expect(dropped.all()).To(HaveEach(MatchError(delivery.ErrQueueFull)))
			Expect(dropped.all()).NotTo(BeEmpty())
		})

		It("logs that they have no effect on another event processor", func() {
			p := start(configure(func(c *ld.Config) { c.Events = unflushable{asked: new(atomic.Int32)} }),
				options(launchdarkly.WithDelivery(delivery.WithMaxEvents(3))))
			Expect(p.log.String()).To(ContainSubstring("options of WithDelivery have no effect"))
		})
	})

	Describe("a second, concurrent shutdown", func() {
		It("waits for the first one", func() {
			p := start()
			p.box.DelayEvents(200 * time.Millisecond)
			p.client.Track(context.Background(), "checkout", sandy, details(1))
			first := make(chan error, 1)
			go func() { first <- p.provider.ShutdownWithContext(waiting()) }()
			Eventually(func() int { return len(p.box.Requests()) }).ShouldNot(BeZero())
			Expect(p.provider.ShutdownWithContext(waiting())).To(Succeed())
			Expect(p.provider.Stats().Delivered).To(BeEquivalentTo(1))
			Eventually(first).Should(Receive(BeNil()))
		})

		It("waits until its own deadline at most", func() {
			p := start()
			p.box.DelayEvents(time.Second)
			p.client.Track(context.Background(), "checkout", sandy, details(1))
			first := make(chan error, 1)
			go func() { first <- p.provider.ShutdownWithContext(waiting()) }()
			Eventually(func() int { return len(p.box.Requests()) }).ShouldNot(BeZero())
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
			defer cancel()
			Expect(p.provider.ShutdownWithContext(ctx)).To(MatchError(context.DeadlineExceeded))
			Eventually(first).Should(Receive(BeNil()))
		})
	})
})

// filledStore is a store that contains the flag named flag from an earlier run.
type filledStore string

func (s filledStore) Build(client subsystems.ClientContext) (subsystems.DataStore, error) {
	store, err := ldcomponents.InMemoryDataStore().Build(client)
	if err != nil {
		return nil, err
	}
	flag := ldbuilders.NewFlagBuilder("flag").Version(1).On(true).Variations(ldvalue.String(string(s))).
		FallthroughVariation(0).Build()
	return store, store.Init([]ldstoretypes.Collection{{
		Kind: ldstoreimpl.Features(),
		Items: []ldstoretypes.KeyedItemDescriptor{
			{Key: "flag", Item: ldstoretypes.ItemDescriptor{Version: 1, Item: &flag}},
		},
	}})
}

// ourGoroutines returns the goroutines that run code of this module, except tests.
func ourGoroutines() []string {
	const module = "github.com/openfeature-launchdarkly/go-provider"
	return goroutines(module+".", module+"/delivery.")
}

// goroutines returns the stacks that contain one of the texts.
func goroutines(texts ...string) []string {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	return slices.DeleteFunc(strings.Split(string(stacks), "\n\n"), func(stack string) bool {
		return !slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(stack, text) })
	})
}
