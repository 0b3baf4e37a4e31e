package e2e

import (
	"time"

	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
)

// The specs that depend on the version of LaunchDarkly's SDK. Services may use a newer version than
// these specs.
//
// A refused SDK key: up to go-server-sdk 7.16, the data sources of the first protocol end after
// 401, 403 and most other 4xx, and the data source status remains OFF. From 7.17.0 on, it is
// INTERRUPTED, and the SDK retries after five minutes or more. These specs therefore compare the
// provider's state with the SDK's status. All other specs that need a connection that has ended
// permanently end it with connection (connection_test.go).
var _ = Describe("A refused SDK key", func() {
	// With a newer SDK, the initialization times out.
	soon := options(launchdarkly.WithInitTimeout(2 * time.Second))

	eachSource := []TableEntry{
		Entry("of a stream", streaming),
		Entry("of polls", polling),
		Entry("of a stream, with a DataSystem", streamingV2),
		Entry("of a poll and then a stream, with a DataSystem", initializedV2),
		Entry("of polls, with a DataSystem", pollingV2),
	}
	// states returns the SDK's data source state and the provider's state.
	states := func(p *program) []any {
		return []any{p.provider.Client().GetDataSourceStatusProvider().GetStatus().State, p.client.State()}
	}

	DescribeTable("fails the initialization, permanently if the SDK stops connecting",
		func(newSource func() source) {
			p := newProgram(serving("a"), newSource().use, func(s *setup) { s.sdkKey = "sdk-wrong" }, soon)
			Expect(p.register()).NotTo(Succeed())
			Eventually(states).WithArguments(p).Should(Or(
				Equal([]any{interfaces.DataSourceStateOff, openfeature.FatalState}),
				Equal([]any{interfaces.DataSourceStateInitializing, openfeature.ErrorState})))
			Expect(value(p.client)).To(Equal("default"))
			Eventually(p.events.counter(openfeature.ProviderError)).Should(BeNumerically(">", 0))
			Expect(p.events.of(openfeature.ProviderReady)).To(BeEmpty())
		},
		eachSource,
	)

	DescribeTable("after the initialization does not affect evaluation; the provider is in error if the SDK stops, else stale",
		func(newSource func() source) {
			from := newSource()
			p := start(serving("a"), from.use)
			p.box.RefuseSDKKey()
			p.box.DropStreams()
			from.look()
			Eventually(states).WithArguments(p).Should(Or(
				Equal([]any{interfaces.DataSourceStateOff, openfeature.ErrorState}),
				Equal([]any{interfaces.DataSourceStateInterrupted, openfeature.StaleState})))
			if states(p)[0] == interfaces.DataSourceStateOff {
				Eventually(p.events.counter(openfeature.ProviderError)).Should(Equal(1))
				Expect(p.events.of(openfeature.ProviderError)[0].Message).To(ContainSubstring("401"))
			}
			Expect(value(p.client)).To(Equal("a"))
		},
		eachSource,
	)
})
