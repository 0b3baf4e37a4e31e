package relay

import (
	"context"
	"net/http"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/program"
)

var _ = Describe("Flags behind a Relay Proxy", func() {
	// values evaluates a flag of each type.
	values := func(p *program.Program) []any {
		ctx, sandy := context.Background(), program.Sandy()
		return []any{
			p.Client.Boolean(ctx, "boolean", false, sandy),
			p.Client.String(ctx, "string", "", sandy),
			p.Client.Int(ctx, "integer", 0, sandy),
			p.Client.Float(ctx, "float", 0, sandy),
			p.Client.Object(ctx, "object", nil, sandy),
		}
	}

	It("of all types arrive, and so do their changes", func() {
		box := program.NewBox()
		box.SetValue("boolean", true)
		box.SetValue("string", "a")
		box.SetValue("integer", 1)
		box.SetValue("float", 1.5)
		box.SetValue("object", map[string]any{"color": "teal"})
		p := program.Start(startRelay(box).config())
		Expect(values(p)).To(Equal([]any{true, "a", int64(1), 1.5, map[string]any{"color": "teal"}}))
		Expect(box.Streams()).To(Equal(1), "the relay's alone")

		box.SetValue("boolean", false)
		box.SetValue("object", []any{"teal"})
		Eventually(values).WithArguments(p).Should(HaveExactElements(false, "a", int64(1), 1.5, []any{"teal"}))
		Eventually(p.Events.Count(openfeature.ProviderConfigChange)).Should(BeNumerically(">", 0))
		Expect(p.Client.State()).To(Equal(openfeature.ReadyState))
	})

	// As of version 8.16, the Relay Proxy serves server-side SDKs with streams of LaunchDarkly's
	// first protocol only.
	DescribeTable("do not arrive with protocols that the Relay Proxy does not serve",
		func(change func(*ld.Config, string)) {
			relay := startRelay(program.Serving("a"))
			config := relay.config()
			change(&config, relay.URL())
			p := program.New(config, briefly)
			Expect(p.Register()).NotTo(Succeed())
			Expect(p.Value()).To(Equal(program.Default))
		},
		Entry("polls", func(c *ld.Config, _ string) { c.DataSource = ldcomponents.PollingDataSource() }),
		Entry("the second protocol, of a DataSystem", func(c *ld.Config, url string) {
			c.DataSystem = ldcomponents.DataSystem().WithRelayProxyEndpoints(url).Streaming()
		}),
	)

	It("remain while the relay is down and the provider is stale, and change once it is up", func() {
		box := program.Serving("a")
		relay := startRelay(box)
		p := program.Start(relay.config())

		relay.Stop()
		Eventually(p.Client.State).Should(Equal(openfeature.StaleState))
		box.SetValue("flag", "b")
		Expect(p.Value()).To(Equal("a"))

		relay.start()
		Eventually(p.Client.State).Should(Equal(openfeature.ReadyState))
		Eventually(p.Value).Should(Equal("b"))
		Expect(p.Events.Count(openfeature.ProviderStale)()).To(Equal(1))
		Eventually(p.Events.Count(openfeature.ProviderReady)).Should(Equal(2))
		Expect(p.Events.Count(openfeature.ProviderError)()).To(BeZero())
	})

	It("remain, and the provider remains ready, while the relay cannot reach LaunchDarkly", func() {
		box := program.Serving("a")
		relay := startRelay(box)
		p := program.Start(relay.config())
		box.RefuseStreams(http.StatusServiceUnavailable)
		box.DropStreams()
		Consistently(p.Client.State).Should(Equal(openfeature.ReadyState))
		Expect(p.Value()).To(Equal("a"))
		Expect(program.Start(relay.config()).Value()).To(Equal("a"), "a new provider gets what the relay knows")

		box.SetValue("flag", "b")
		box.AcceptStreams()
		Eventually(p.Value).Should(Equal("b"))
	})
})
