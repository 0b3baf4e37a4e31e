package filedata

import (
	"fmt"
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

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/program"
	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/suite"
	"github.com/openfeature-launchdarkly/go-provider/internal/race"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest/ldmatchers"
)

func TestFileData(t *testing.T) { suite.RunSpecs(t, "Provider with file data") }

// flag returns the content of a file that serves a value for the flag named flag. Without
// increasing versions, LaunchDarkly's SDK does not report changes.
func flag(value string, version int) string {
	return fmt.Sprintf("flags: {flag: {key: flag, version: %d, 'on': true, variations: [%s], fallthrough: {variation: 0}}}",
		version, value)
}

var _ = Describe("A provider with flags from a file", func() {
	var path string
	BeforeEach(func() { path = filepath.Join(GinkgoT().TempDir(), "flags.yaml") })
	// write replaces the file atomically, as deployments do.
	write := func(content string) {
		GinkgoHelper()
		Expect(os.WriteFile(path+".new", []byte(content), 0o600)).To(Succeed())
		Expect(os.Rename(path+".new", path)).To(Succeed())
	}
	reading := func(config ld.Config) ld.Config {
		config.DataSource = ldfiledata.DataSource().FilePaths(path).Reloader(ldfilewatch.WatchFiles)
		return config
	}

	It("becomes ready, evaluates, tracks, and uses changes of the file", func() {
		write(flag("a", 1))
		box := program.NewBox()
		p := program.New(reading(box.Config()))
		changes := make(chan []string, 10)
		handler := func(details openfeature.EventDetails) { changes <- details.FlagChanges }
		p.API.AddHandler(openfeature.ProviderConfigChange, &handler)
		Expect(p.Register()).To(Succeed())
		Expect(p.Client.State()).To(Equal(openfeature.ReadyState))
		Expect(p.Value()).To(Equal("a"))

		p.Track("checkout")
		p.Flush()
		Expect(box).To(ldmatchers.HaveReceived(ldmatchers.CustomEvent("checkout").WithMetric(1)))

		write(flag("b", 2))
		Eventually(p.Value).Should(Equal("b"))
		Eventually(changes).Should(Receive(Equal([]string{"flag"})))

		write("flagValues: {flag: ")
		Eventually(p.Client.State).Should(Equal(openfeature.StaleState))
		Expect(p.Value()).To(Equal("b"), "what can't be read changes nothing")
		write("flagValues: {flag: c}") // the short form has no versions, so no change is reported
		Eventually(p.Client.State).Should(Equal(openfeature.ReadyState))
		Eventually(p.Value).Should(Equal("c"))
		Expect(box.StreamRequests()).To(BeEmpty())
	})

	// As of LaunchDarkly's SDK 7.15.5, the file data source records without a lock that it has read
	// its first file, while evaluations and the provider read that state: the race detector reports
	// a data race.
	if !race.Enabled {
		It("becomes ready once the file exists", func() {
			p := program.New(reading(program.NewBox().Config()), launchdarkly.WithInitTimeout(50*time.Millisecond))
			Expect(p.Register()).To(MatchError(ld.ErrInitializationTimeout))
			Expect(p.Value()).To(Equal(program.Default))
			write("flagValues: {flag: a}")
			Eventually(p.Client.State).Should(Equal(openfeature.ReadyState))
			Expect(p.Value()).To(Equal("a"))
		})
	}
})
