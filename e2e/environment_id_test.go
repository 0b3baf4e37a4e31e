package e2e

import (
	"context"

	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

var _ = Describe("The environment's ID", func() {
	withID := given(func(box *launchdarklytest.Server) {
		box.SetEnvironmentID("5a0f")
		box.SetValue("flag", true)
	})
	metadata := func(client *openfeature.Client, flag string) openfeature.FlagMetadata {
		details, _ := client.BooleanValueDetails(context.Background(), flag, false, sandy)
		return details.FlagMetadata
	}

	DescribeTable("is in the flag metadata",
		func(configure func(*setup)) {
			p := start(withID, configure)
			Expect(metadata(p.client, "flag")).To(HaveKeyWithValue(launchdarkly.MetadataFlagSetID, "5a0f"))
			Expect(metadata(p.client, "unknown")).To(HaveKeyWithValue(launchdarkly.MetadataFlagSetID, "5a0f"))
		},
		Entry("with streaming", func(*setup) {}),
		Entry("with polling", func(s *setup) { s.config.DataSource = ldcomponents.PollingDataSource() }),
		Entry("with a streaming DataSystem", func(s *setup) { s.config.DataSystem = s.box.DataSystem().Streaming() }),
		Entry("with a polling DataSystem", func(s *setup) { s.config.DataSystem = s.box.DataSystem().Polling() }),
		Entry("with an HTTP configuration", func(s *setup) { s.config.HTTP = ldcomponents.HTTPConfiguration().UserAgent("app") }),
	)

	It("is absent if LaunchDarkly does not send it", func() {
		p := start()
		Expect(metadata(p.client, "flag")).NotTo(HaveKey(launchdarkly.MetadataFlagSetID))
	})

	It("is absent with a client that the application made", func() {
		box := newBox()
		box.SetEnvironmentID("5a0f")
		provider, err := launchdarkly.NewProviderWithClient(newClient(box, box.Config()), launchdarkly.WithLogger(discard))
		Expect(err).NotTo(HaveOccurred())
		api, _ := newAPI()
		Expect(api.SetProviderAndWait(waiting(), provider)).To(Succeed())
		Expect(metadata(api.NewClient(), "flag")).NotTo(HaveKey(launchdarkly.MetadataFlagSetID))
	})
})
