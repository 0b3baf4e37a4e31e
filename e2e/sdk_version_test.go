package e2e

import (
	"time"

	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
)

// What depends on the version of LaunchDarkly's SDK is here. Services may use a newer one than these specs.
//
// A refused SDK key: until go-server-sdk 7.16, the data sources of the first protocol give up on 401, 403 and most other
// 4xx, and the data source status is OFF for good. From 7.17.0 on, it is INTERRUPTED, and the SDK tries again after five
// minutes or more. So the specs here compare the provider with the SDK's status, whichever that is. All other specs that
// need a connection that ended for good have connection (connection_test.go) end it.
var _ = Describe("A refused SDK key", func() {
	// With a newer SDK, the initialization ends by its timeout.
	soon := options(launchdarkly.WithInitTimeout(2 * time.Second))

	eachSource := []TableEntry{
		Entry("of a stream", streaming),
		Entry("of polls", polling),
		Entry("of a stream, with a DataSystem", streamingV2),
		Entry("of a poll and then a stream, with a DataSystem", initializedV2),
		Entry("of polls, with a DataSystem", pollingV2),
	}
	// states are the SDK's and the provider's.
	states := func(p *program) []any {
		return []any{p.provider.Client().GetDataSourceStatusProvider().GetStatus().State, p.client.State()}
	}

	DescribeTable("ends the initialization, for good where the SDK gives up",
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

	DescribeTable("that is refused later leaves evaluation alone, in error where the SDK gives up, else stale",
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
