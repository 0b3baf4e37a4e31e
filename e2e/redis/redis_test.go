package redis

import (
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/program"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest/ldmatchers"
)

// caching configures the SDK's cache of a persistent store.
type caching = func(*ldcomponents.PersistentDataStoreBuilder) *ldcomponents.PersistentDataStoreBuilder

func notAtAll(b *ldcomponents.PersistentDataStoreBuilder) *ldcomponents.PersistentDataStoreBuilder {
	return b.NoCaching()
}

func forAnHour(b *ldcomponents.PersistentDataStoreBuilder) *ldcomponents.PersistentDataStoreBuilder {
	return b.CacheTime(time.Hour)
}

func forEver(b *ldcomponents.PersistentDataStoreBuilder) *ldcomponents.PersistentDataStoreBuilder {
	return b.CacheForever()
}

// streaming configures a client that streams flags and stores them in Redis.
func streaming(s *server, cached caching) func(*ld.Config) {
	return func(c *ld.Config) { c.DataStore = cached(stored(s)) }
}

// daemon configures a client that only reads flags from Redis.
func daemon(s *server, cached caching) func(*ld.Config) {
	return func(c *ld.Config) {
		c.DataStore = cached(stored(s))
		c.DataSource = ldcomponents.ExternalUpdatesOnly()
	}
}

// daemonV2 is the same with a DataSystem.
func daemonV2(s *server, cached caching) func(*ld.Config) {
	return func(c *ld.Config) { c.DataSystem = ldcomponents.DataSystem().Daemon(cached(stored(s))) }
}

// short is an init timeout for flags that do not arrive.
var short = launchdarkly.WithInitTimeout(100 * time.Millisecond)

var _ = Describe("A provider with flags in Redis", func() {
	DescribeTableSubtree("that it reads only, as others fill it,",
		func(readOnly func(*server, caching) func(*ld.Config)) {
			It("becomes ready, evaluates and tracks without a stream, and uses changed flags", func() {
				redis := startServer()
				writer := start(program.Serving("a"), streaming(redis, forAnHour))
				readers := []app{
					start(program.Serving("not this"), readOnly(redis, notAtAll)),
					start(program.Serving("not this"), readOnly(redis, notAtAll)),
				}
				for _, reader := range readers {
					Expect(reader.Value()).To(Equal("a"))
					reader.Track("checkout")
					reader.Flush()
					Expect(reader.box).To(ldmatchers.HaveReceived(ldmatchers.CustomEvent("checkout").WithMetric(1)))
				}
				writer.box.SetValue("flag", ldvalue.String("b"))
				for _, reader := range readers {
					Eventually(reader.Value).Should(Equal("b"))
				}
				writer.box.DeleteFlags("flag")
				for _, reader := range readers {
					Eventually(func() openfeature.ErrorCode {
						details, _ := reader.Details()
						return details.ErrorCode
					}).Should(Equal(openfeature.FlagNotFoundCode))
					Expect(reader.box.StreamRequests()).To(BeEmpty())
					Consistently(reader.Client.State).Should(Equal(openfeature.ReadyState))
					Expect(reader.Events.Count(openfeature.ProviderReady)()).To(Equal(1))
					Expect(reader.Events.Count(openfeature.ProviderStale)()).To(BeZero())
				}
			})

			It("becomes ready with an empty store, and has no flags until the store is filled", func() {
				redis := startServer()
				reader := start(program.NewBox(), readOnly(redis, notAtAll))
				details, err := reader.Details()
				Expect(err).To(HaveOccurred())
				Expect(details.ErrorCode).To(Equal(openfeature.FlagNotFoundCode))
				start(program.Serving("a"), streaming(redis, forAnHour))
				Eventually(reader.Value).Should(Equal("a"))
			})

			It("becomes ready although Redis is unreachable, and evaluations return an error", func() {
				redis := stoppedServer()
				reader := start(program.NewBox(), readOnly(redis, notAtAll))
				details, err := reader.Details()
				Expect(err).To(HaveOccurred())
				Expect(details.Value).To(Equal("default"))
				Expect(details.ErrorCode).To(Equal(openfeature.GeneralCode))
				Expect(details.FlagMetadata).To(HaveKeyWithValue(launchdarkly.MetadataErrorKind, "EXCEPTION"))
				Eventually(reader.storeAvailable).Should(BeFalse())
				reader.Track("checkout")
				reader.Flush()
				Expect(reader.box).To(ldmatchers.HaveReceived(ldmatchers.CustomEvent("checkout")))

				redis.start()
				start(program.Serving("a"), streaming(redis, forAnHour))
				Eventually(reader.Value).Should(Equal("a"))
				Eventually(reader.storeAvailable).Should(BeTrue())
			})

			It("uses cached flags while Redis is unreachable", func() {
				redis := startServer()
				start(program.Serving("a"), streaming(redis, forAnHour))
				reader := start(program.NewBox(), readOnly(redis, forAnHour))
				Expect(reader.Value()).To(Equal("a"))
				redis.Stop()
				details, err := reader.Details()
				Expect(err).NotTo(HaveOccurred())
				Expect(details.Value).To(Equal("a"))
				Expect(reader.Client.State()).To(Equal(openfeature.ReadyState))
			})
		},
		Entry("without a DataSystem", daemon),
		Entry("with a DataSystem", daemonV2),
	)

	Describe("that are streamed", func() {
		It("stores the flags and their changes", func() {
			redis := startServer()
			p := start(program.Serving("a"), streaming(redis, forAnHour))
			Expect(redis.flag("flag")).To(ContainSubstring(`"a"`))
			Expect(p.Value()).To(Equal("a"))
			p.box.SetValue("flag", ldvalue.String("b"))
			Eventually(redis.flag).WithArguments("flag").Should(ContainSubstring(`"b"`))
			Eventually(p.Value).Should(Equal("b"))
			Eventually(p.Events.Count(openfeature.ProviderConfigChange)).Should(Equal(1))
		})

		It("starts with the flags of an earlier run, and is stale until LaunchDarkly responds", func() {
			redis := startServer()
			earlier := start(program.Serving("earlier"), streaming(redis, forAnHour))
			Expect(earlier.API.Shutdown(program.Waiting())).To(Succeed())

			box := program.Serving("fresh")
			box.HoldStreams()
			p := newProgram(box, streaming(redis, forAnHour), short)
			Expect(p.Register()).To(Succeed())
			Eventually(p.Client.State).Should(Equal(openfeature.StaleState))
			Expect(p.Value()).To(Equal("earlier"))
			box.SetValue("flag", ldvalue.String("fresh")) // with a higher version than in the earlier run
			box.ReleaseStreams()
			Eventually(p.Client.State).Should(Equal(openfeature.ReadyState))
			Eventually(p.Value).Should(Equal("fresh"))
		})

		DescribeTable("continues while Redis is unreachable, and has current flags once it is reachable",
			func(cached caching, meanwhile string, code openfeature.ErrorCode) {
				redis := startServer()
				p := start(program.Serving("a"), streaming(redis, cached))
				Expect(p.Value()).To(Equal("a"))
				Expect(p.storeAvailable()).To(BeTrue())

				redis.Stop()
				p.Track("before anybody has noticed")
				p.box.SetValue("flag", ldvalue.String("b"))
				Eventually(p.storeAvailable).Should(BeFalse())
				Eventually(p.Value).Should(Equal(meanwhile))
				details, err := p.Details()
				Expect(err != nil).To(Equal(code != ""))
				Expect(details.ErrorCode).To(Equal(code))
				// The SDK reports the data source as valid at once: it has received the flags,
				// although it could not store them.
				Eventually(p.Client.State).Should(Equal(openfeature.ReadyState))
				Consistently(p.Client.State).Should(Equal(openfeature.ReadyState))
				p.Track("in the outage")

				redis.start()
				Eventually(p.storeAvailable).Should(BeTrue())
				Eventually(p.Value).Should(Equal("b"))
				Eventually(redis.flag).WithArguments("flag").Should(ContainSubstring(`"b"`), "it is filled again")
				Expect(redis.do("EXISTS", initedKey)).To(BeEquivalentTo(1))
				// A change shows that the connection works again.
				p.box.SetValue("flag", ldvalue.String("c"))
				Eventually(p.Value).Should(Equal("c"))
				Eventually(p.Client.State).Should(Equal(openfeature.ReadyState))
				Expect(p.Events.Count(openfeature.ProviderError)()).To(BeZero())

				p.Track("afterwards")
				p.Flush()
				Expect(p.box.CustomEvents()).To(ConsistOf(
					ldmatchers.CustomEvent("before anybody has noticed"), ldmatchers.CustomEvent("in the outage"),
					ldmatchers.CustomEvent("afterwards")))
				Expect(p.Provider.Stats().Dropped.Total()).To(BeZero())
			},
			Entry("with a finite cache: with cached flags", forAnHour, "a", openfeature.ErrorCode("")),
			Entry("with an infinite cache: with streamed changes", forEver, "b", openfeature.ErrorCode("")),
			Entry("without a cache: with defaults and errors", notAtAll, "default", openfeature.GeneralCode),
		)

		It("becomes ready once its flags can be stored", func() {
			redis := stoppedServer()
			p := newProgram(program.Serving("a"), streaming(redis, forAnHour), short)
			Expect(p.Register()).To(MatchError(ld.ErrInitializationTimeout))
			Expect(p.Client.State()).To(Equal(openfeature.ErrorState))
			details, err := p.Details()
			Expect(err).To(HaveOccurred())
			Expect(details.Value).To(Equal("default"))
			Expect(details.ErrorCode).To(Equal(openfeature.ProviderNotReadyCode))
			p.Track("early")
			p.Flush()
			Expect(p.box).To(ldmatchers.HaveReceived(ldmatchers.CustomEvent("early")))

			redis.start()
			Eventually(p.Client.State).Should(Equal(openfeature.ReadyState))
			Eventually(p.Value).Should(Equal("a"))
			Expect(redis.flag("flag")).To(ContainSubstring(`"a"`))
		})

		It("becomes ready with an infinite cache although flags cannot be stored, and stores them later", func() {
			redis := stoppedServer()
			p := start(program.Serving("a"), streaming(redis, forEver))
			Expect(p.Value()).To(Equal("a"))
			Expect(p.storeAvailable()).To(BeFalse())
			redis.start()
			Eventually(p.Client.State).Should(Equal(openfeature.ReadyState))
			Eventually(redis.flag).WithArguments("flag").Should(ContainSubstring(`"a"`))
		})
	})

	It("from a DataSystem stores the flags, and does not depend on Redis afterwards", func() {
		redis := startServer()
		box := program.Serving("a")
		p := start(box, func(c *ld.Config) {
			c.DataSystem = box.DataSystem().PersistentStore(stored(redis).NoCaching())
		})
		Eventually(redis.flag).WithArguments("flag").Should(ContainSubstring(`"a"`))
		redis.Stop()
		box.SetValue("flag", ldvalue.String("b"))
		Eventually(p.Value).Should(Equal("b"))
		Expect(p.Client.State()).To(Equal(openfeature.ReadyState))
		redis.start()
		Eventually(redis.flag).WithArguments("flag").Should(ContainSubstring(`"b"`))
	})
})
