package relay

import (
	ldredis "github.com/launchdarkly/go-server-sdk-redis-redigo/v3"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/program"
	"github.com/openfeature-launchdarkly/go-provider/internal/redisserver"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest/ldmatchers"
)

var _ = Describe("Providers in daemon mode, with a Redis that a Relay Proxy fills", func() {
	It("evaluate without a stream, use changed flags, and continue while the relay is down", func() {
		redisserver.Require(GinkgoT())
		redis, err := redisserver.Start(program.Waiting())
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(redis.Stop)
		box := program.Serving("a")
		relay := startRelay(box, "USE_REDIS=true", "REDIS_URL="+redis.URL())
		daemon := func() ld.Config {
			config := box.Config()
			config.DataSource = ldcomponents.ExternalUpdatesOnly()
			config.DataStore = ldcomponents.PersistentDataStore(ldredis.DataStore().URL(redis.URL())).NoCaching()
			return config
		}
		first, second := program.Start(daemon()), program.Start(daemon())
		Expect(first.Value()).To(Equal("a"))
		Expect(second.Value()).To(Equal("a"))
		Expect(box.Streams()).To(Equal(1), "the relay's alone")

		box.SetValue("flag", "b")
		Eventually(first.Value).Should(Equal("b"))
		Eventually(second.Value).Should(Equal("b"))

		relay.Stop()
		Expect(first.Value()).To(Equal("b"))
		Expect(program.Start(daemon()).Value()).To(Equal("b"), "a new provider needs no relay either")
		box.SetValue("flag", "c")
		relay.start()
		Eventually(first.Value).Should(Equal("c"))

		first.Track("checkout")
		first.Flush()
		Expect(box).To(ldmatchers.HaveReceived(ldmatchers.CustomEvent("checkout")))
		Expect(first.Client.State()).To(Equal(openfeature.ReadyState))
		Expect(first.Events.Count(openfeature.ProviderStale)()).To(BeZero())
	})
})
