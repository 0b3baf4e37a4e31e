package e2e

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoreimpl"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoretypes"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// goStale interrupts the stream and refuses further streams.
func goStale(p *program) {
	GinkgoHelper()
	p.box.RefuseStreams(503)
	p.box.DropStreams()
	Eventually(p.client.State).Should(Equal(openfeature.StaleState))
}

// comeBack reverses goStale.
func comeBack(p *program) {
	GinkgoHelper()
	p.box.AcceptStreams()
	Eventually(p.client.State).Should(Equal(openfeature.ReadyState))
}

// manyFlags returns flags that all serve the same number.
func manyFlags(n, value int) []ldmodel.FeatureFlag {
	flags := make([]ldmodel.FeatureFlag, n)
	for i := range flags {
		flags[i] = ldbuilders.NewFlagBuilder(fmt.Sprintf("flag-%05d", i)).On(true).
			Variations(ldvalue.Int(value)).FallthroughVariation(0).Build()
	}
	return flags
}

// itemsOf converts flags to the form in which a data source passes them to the SDK.
func itemsOf(flags []ldmodel.FeatureFlag) []ldstoretypes.KeyedItemDescriptor {
	items := make([]ldstoretypes.KeyedItemDescriptor, len(flags))
	for i := range flags {
		items[i] = ldstoretypes.KeyedItemDescriptor{Key: flags[i].Key,
			Item: ldstoretypes.ItemDescriptor{Version: flags[i].Version, Item: &flags[i]}}
	}
	return items
}

func keysOf(flags []ldmodel.FeatureFlag) []string {
	keys := make([]string, len(flags))
	for i, flag := range flags {
		keys[i] = flag.Key
	}
	slices.Sort(keys)
	return keys
}

var _ = Describe("Provider events", func() {
	Describe("of the connection", func() {
		It("are emitted once for an interruption and once for its end", func() {
			p := start(serving("a"))
			goStale(p)
			Expect(value(p.client)).To(Equal("a"), "flags are unchanged")

			// LaunchDarkly's SDK reports an interruption for each failed attempt.
			_, err := p.box.WaitForRequests(waiting(), 3, func(r launchdarklytest.Request) bool {
				return r.Path == launchdarklytest.StreamPath && r.Status == 503
			})
			Expect(err).NotTo(HaveOccurred())
			comeBack(p)
			Eventually(p.events.counter(openfeature.ProviderReady)).Should(Equal(2), "including that of the initialization")
			Consistently(func(g Gomega) {
				g.Expect(p.events.of(openfeature.ProviderStale)).To(HaveLen(1))
				g.Expect(p.events.of(openfeature.ProviderReady)).To(HaveLen(2))
				g.Expect(p.events.of(openfeature.ProviderError)).To(BeEmpty())
				g.Expect(p.events.of(openfeature.ProviderConfigChange)).To(BeEmpty())
			}).Should(Succeed())
			Expect(p.events.of(openfeature.ProviderStale)[0].Message).To(MatchRegexp(`: (NETWORK_ERROR|ERROR_RESPONSE)`))
			Expect(p.events.of(openfeature.ProviderStale)[0].ProviderName).To(Equal("LaunchDarkly"))
		})

		It("include the flags that changed during an interruption", func() {
			p := start(serving("a"))
			goStale(p)
			p.box.SetValue("flag", ldvalue.String("b"))
			comeBack(p)
			Eventually(p.events.counter(openfeature.ProviderConfigChange)).Should(Equal(1))
			Expect(p.events.of(openfeature.ProviderConfigChange)[0].FlagChanges).To(Equal([]string{"flag"}))
			Expect(value(p.client)).To(Equal("b"))
			Expect(p.client.State()).To(Equal(openfeature.ReadyState))
		})
	})

	Describe("of flag changes", func() {
		It("are not emitted by the initialization", func() {
			p := start(given(func(box *launchdarklytest.Server) { box.SetFlags(manyFlags(100, 1)...) }))
			Consistently(p.events.counter(openfeature.ProviderConfigChange)).Should(BeZero())
		})

		It("are combined if a thousand flags change together", func() {
			flags := manyFlags(1_000, 1)
			p := start(given(func(box *launchdarklytest.Server) { box.SetFlags(flags...) }))
			p.box.SetFlags(manyFlags(1_000, 2)...)
			Eventually(func() (named []string) {
				for _, event := range p.events.of(openfeature.ProviderConfigChange) {
					named = append(named, event.FlagChanges...)
				}
				slices.Sort(named)
				return named
			}).Should(Equal(keysOf(flags))) // ConsistOf would take seconds
			// One event, unless the machine stalls between two flags. The collector's test uses a
			// fake clock and is strict.
			Expect(len(p.events.of(openfeature.ProviderConfigChange))).To(BeNumerically("<=", 3))
			Expect(p.client.Int(context.Background(), "flag-00999", 0, sandy)).To(Equal(int64(2)))
			Expect(p.client.State()).To(Equal(openfeature.ReadyState))
			Expect(p.events.of(openfeature.ProviderReady)).To(HaveLen(1))
			Expect(p.events.of(openfeature.ProviderStale)).To(BeEmpty())
		})

		DescribeTable("contain the keys of new and deleted flags, and of flags that depend on a change",
			func(change func(*launchdarklytest.Server), keys ...any) {
				p := start(given(decisions))
				change(p.box)
				Eventually(func() (named []string) {
					for _, event := range p.events.of(openfeature.ProviderConfigChange) {
						named = append(named, event.FlagChanges...)
					}
					return named
				}).Should(ConsistOf(keys...))
			},
			Entry("a new flag", func(box *launchdarklytest.Server) { box.SetValue("new", ldvalue.Int(1)) }, "new"),
			Entry("a deleted flag", func(box *launchdarklytest.Server) { box.DeleteFlags("plain") }, "plain", "needs-plain"),
			Entry("a changed prerequisite", func(box *launchdarklytest.Server) { box.SetValue("off", ldvalue.String("a")) },
				"off", "needs-off"),
			Entry("a changed segment", func(box *launchdarklytest.Server) {
				box.SetSegments(ldbuilders.NewSegmentBuilder("friends").Build())
			}, "segment"),
		)

		It("do not change the state of a stale provider", func() {
			p := start(serving("a"))
			p.box.SetValue("flag", ldvalue.String("b"))
			Eventually(value).WithArguments(p.client).Should(Equal("b"))
			goStale(p) // usually before the change is reported
			Eventually(p.events.counter(openfeature.ProviderConfigChange)).Should(Equal(1))
			Consistently(p.client.State).Should(Equal(openfeature.StaleState))
		})
	})

	Describe("while a full listener of the application blocks the SDK", func() {
		var source *idleSource
		var store *laterStore
		var unread <-chan interfaces.FlagChangeEvent
		var notified chan struct{} // closed when the SDK has notified all of its listeners
		change := func(key string) {
			source.updates.Upsert(ldstoreimpl.Features(), key, ldstoretypes.ItemDescriptor{Version: 1,
				Item: new(ldbuilders.NewFlagBuilder(key).Version(1).Build())})
		}
		// connect delivers flags once the application's listener is full: before that, the SDK
		// could add another listener.
		connect := func(client *ld.LDClient) {
			GinkgoHelper()
			unread = client.GetFlagTracker().AddFlagChangeListener()
			var begun atomic.Int64
			go func() {
				defer close(notified)
				for i := range cap(unread) + 1 {
					begun.Add(1)
					change(fmt.Sprintf("early-%d", i))
				}
			}()
			Eventually(begun.Load).Should(BeEquivalentTo(cap(unread) + 1))
			Consistently(func() int { return len(unread) }).WithTimeout(20 * time.Millisecond).Should(Equal(cap(unread)))
			store.filled.Store(true)
			source.updates.UpdateStatus(interfaces.DataSourceStateValid, interfaces.DataSourceErrorInfo{})
		}
		read := func() {
			go func() {
				for range unread { // until the client is closed
				}
			}()
		}
		connecting := func(timeout time.Duration) *program {
			GinkgoHelper()
			return newProgram(configure(func(c *ld.Config) { c.DataSource, c.DataStore = source, store }),
				options(launchdarkly.WithInitTimeout(timeout)))
		}

		BeforeEach(func() {
			source, store, notified = new(idleSource), new(laterStore), make(chan struct{})
		})

		// After READY, the application relies on an event for each change.
		It("do not include READY before the provider receives flag changes", func() {
			p := connecting(time.Millisecond)
			Expect(p.register()).To(MatchError(ContainSubstring(ld.ErrInitializationTimeout.Error())))
			connect(p.provider.Client())
			Consistently(p.events.of).WithArguments(openfeature.ProviderReady).WithTimeout(300 * time.Millisecond).Should(BeEmpty())

			read()
			Eventually(p.events.of).WithArguments(openfeature.ProviderReady).Should(HaveLen(1))
			change("late")
			Eventually(func() []string {
				var keys []string
				for _, event := range p.events.of(openfeature.ProviderConfigChange) {
					keys = append(keys, event.FlagChanges...)
				}
				return keys
			}).Should(ContainElement("late"))
		})

		It("are preceded by an initialization that waits until the provider receives flag changes", func() {
			p := connecting(patience)
			connect(p.provider.Client())
			initialized := make(chan error, 1)
			go func() { initialized <- p.register() }()
			Consistently(initialized).ShouldNot(Receive())
			read()
			Eventually(initialized).Should(Receive(BeNil()))
		})

		It("do not include STALE if the initialization times out", func() {
			p := connecting(50 * time.Millisecond)
			connect(p.provider.Client())
			Expect(p.register()).To(Succeed())
			Consistently(p.events.of).WithArguments(openfeature.ProviderStale).WithTimeout(300 * time.Millisecond).Should(BeEmpty())
			Expect(p.client.State()).To(Equal(openfeature.ReadyState))
			read()
		})

		It("leave no listener in a client that the application made", func() {
			config := newBox().Config()
			config.DataSource, config.DataStore = source, store
			client, err := ld.MakeCustomClient("sdk-key", config, 0)
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(client.Close)
			connect(client)
			provider, err := launchdarkly.NewProviderWithClient(client, launchdarkly.WithLogger(discard))
			Expect(err).NotTo(HaveOccurred())
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			Expect(provider.ShutdownWithContext(ctx)).To(Succeed())

			read()
			Eventually(notified).Should(BeClosed())
			changed := make(chan struct{})
			go func() {
				defer close(changed)
				for i := range 2 * cap(unread) {
					change(fmt.Sprintf("late-%d", i))
				}
			}()
			Eventually(changed).Should(BeClosed())
		})
	})

	It("do not block the provider if the application does not read them", func() {
		p := newProgram(given(func(box *launchdarklytest.Server) { box.SetFlags(manyFlags(1_000, 0)...) }))
		Expect(p.provider.InitWithContext(waiting(), openfeature.EvaluationContext{})).To(Succeed())
		evaluate := func() int64 {
			return p.provider.IntEvaluation(context.Background(), "flag-00999", -1, openfeature.FlattenedContext{
				openfeature.TargetingKey: "sandy",
			}).Value
		}
		for wave := range 5 {
			p.box.SetFlags(manyFlags(1_000, wave+1)...)
			Eventually(evaluate).Should(Equal(int64(wave + 1)))
		}
		p.box.RefuseStreams(503, launchdarklytest.Times(1))
		p.box.DropStreams()
		Expect(p.box.WaitForStreams(waiting(), 1)).To(Succeed())
		p.box.SetFlags(manyFlags(1_000, 99)...)
		Eventually(evaluate).Should(Equal(int64(99)))

		p.provider.Track(context.Background(), "checkout", sandy, details(1))
		p.flush()
		Expect(p.box.CustomEvents("checkout")).To(HaveLen(1))
		Expect(p.provider.ShutdownWithContext(waiting())).To(Succeed())
	})

	It("run handlers that evaluate and track", func() {
		p := start(serving("a"))
		var mu sync.Mutex
		var seen []string
		handler := func(openfeature.EventDetails) {
			p.client.Track(context.Background(), "changed", sandy, openfeature.TrackingEventDetails{})
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, value(p.client))
		}
		p.client.AddHandler(openfeature.ProviderConfigChange, &handler)
		p.box.SetValue("flag", ldvalue.String("b"))
		Eventually(func() []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(seen)
		}).Should(Equal([]string{"b"}))
		p.flush()
		Expect(p.box.CustomEvents("changed")).To(HaveLen(1))
	})
})

// laterStore is a store that reports its flags only once a spec has set filled.
type laterStore struct {
	subsystems.DataStore
	filled atomic.Bool
}

// Build implements [subsystems.ComponentConfigurer].
func (s *laterStore) Build(client subsystems.ClientContext) (subsystems.DataStore, error) {
	var err error
	s.DataStore, err = ldcomponents.InMemoryDataStore().Build(client)
	return s, err
}

func (s *laterStore) IsInitialized() bool { return s.filled.Load() }
