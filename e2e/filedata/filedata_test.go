package filedata

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldfiledata"
	"github.com/launchdarkly/go-server-sdk/v7/ldfilewatch"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/internal/race"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest/ldmatchers"
)

// patience is the timeout of all waits. It is reached only if a spec fails.
const patience = 20 * time.Second

func TestFileData(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(patience)
	SetDefaultEventuallyPollingInterval(2 * time.Millisecond)
	RunSpecs(t, "Provider with file data")
}

var sandy = openfeature.NewEvaluationContext("sandy", nil)

// flag returns the content of a file that serves a value for the flag named flag. Without
// increasing versions, LaunchDarkly's SDK does not report changes.
func flag(value string, version int) string {
	return fmt.Sprintf("flags: {flag: {key: flag, version: %d, 'on': true, variations: [%s], fallthrough: {variation: 0}}}",
		version, value)
}

var _ = Describe("A provider with flags from a file", func() {
	var (
		box  *launchdarklytest.Server
		path string
	)
	BeforeEach(func() {
		box = launchdarklytest.NewServer()
		DeferCleanup(box.Close)
		path = filepath.Join(GinkgoT().TempDir(), "flags.yaml")
	})
	// write replaces the file atomically, as deployments do.
	write := func(content string) {
		GinkgoHelper()
		Expect(os.WriteFile(path+".new", []byte(content), 0o600)).To(Succeed())
		Expect(os.Rename(path+".new", path)).To(Succeed())
	}
	newProvider := func(options ...launchdarkly.Option) *launchdarkly.Provider {
		GinkgoHelper()
		config := box.Config()
		config.DataSource = ldfiledata.DataSource().FilePaths(path).Reloader(ldfilewatch.WatchFiles)
		provider, err := launchdarkly.NewProvider(box.SDKKey(), append([]launchdarkly.Option{
			launchdarkly.WithConfig(config), launchdarkly.WithLogger(slog.New(slog.DiscardHandler)),
		}, options...)...)
		Expect(err).NotTo(HaveOccurred())
		return provider
	}
	newClient := func() (*openfeature.EvaluationAPI, *openfeature.Client) {
		api := isolated.NewAPI()
		DeferCleanup(func(ctx SpecContext) { _ = api.Shutdown(ctx) })
		return api, api.NewClient()
	}
	value := func(client *openfeature.Client) string {
		return client.String(context.Background(), "flag", "default", sandy)
	}

	It("becomes ready, evaluates, tracks, and uses changes of the file", func(ctx SpecContext) {
		write(flag("a", 1))
		api, client := newClient()
		changes := make(chan []string, 10)
		handler := func(details openfeature.EventDetails) { changes <- details.FlagChanges }
		api.AddHandler(openfeature.ProviderConfigChange, &handler)
		provider := newProvider()
		Expect(api.SetProviderAndWait(ctx, provider)).To(Succeed())
		Expect(client.State()).To(Equal(openfeature.ReadyState))
		Expect(value(client)).To(Equal("a"))

		client.Track(ctx, "checkout", sandy, openfeature.NewTrackingEventDetails(1))
		Expect(provider.Flush(ctx)).To(Succeed())
		Expect(box).To(ldmatchers.HaveReceived(ldmatchers.CustomEvent("checkout").WithMetric(1)))

		write(flag("b", 2))
		Eventually(value).WithArguments(client).Should(Equal("b"))
		Eventually(changes).Should(Receive(Equal([]string{"flag"})))

		write("flagValues: {flag: ")
		Eventually(client.State).Should(Equal(openfeature.StaleState))
		Expect(value(client)).To(Equal("b"), "what can't be read changes nothing")
		write("flagValues: {flag: c}") // the short form has no versions, so no change is reported
		Eventually(client.State).Should(Equal(openfeature.ReadyState))
		Eventually(value).WithArguments(client).Should(Equal("c"))
		Expect(box.StreamRequests()).To(BeEmpty())
	}, SpecTimeout(patience))

	// As of LaunchDarkly's SDK 7.15.5, the file data source records without a lock that it has read
	// its first file, while evaluations and the provider read that state: the race detector reports
	// a data race.
	if !race.Enabled {
		It("becomes ready once the file exists", func(ctx SpecContext) {
			api, client := newClient()
			err := api.SetProviderAndWait(ctx, newProvider(launchdarkly.WithInitTimeout(50*time.Millisecond)))
			Expect(err).To(MatchError(ld.ErrInitializationTimeout))
			Expect(value(client)).To(Equal("default"))
			write("flagValues: {flag: a}")
			Eventually(client.State).Should(Equal(openfeature.ReadyState))
			Expect(value(client)).To(Equal("a"))
		}, SpecTimeout(patience))
	}
})
