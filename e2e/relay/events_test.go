package relay

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldmigration"
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/types"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/program"
	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/suite"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest/ldmatchers"
)

// brief is the timeout of operations that cannot succeed.
const brief = 100 * time.Millisecond

// briefly sets an init timeout for flags that do not arrive.
var briefly = launchdarkly.WithInitTimeout(brief)

var _ = Describe("Events behind a Relay Proxy", func() {
	It("arrive, of every kind", func() {
		box := program.NewBox()
		box.SetFlags(
			ldbuilders.NewFlagBuilder("flag").On(true).Variations(ldvalue.String("a")).FallthroughVariation(0).
				TrackEvents(true).DebugEventsUntilDate(ldtime.UnixMillisFromTime(time.Now().Add(time.Hour))).Build(),
			ldbuilders.NewFlagBuilder("migration").On(true).Variations(ldvalue.String("shadow")).FallthroughVariation(0).
				Build(),
		)
		p := program.Start(startRelay(box).config())
		Expect(p.Value()).To(Equal("a"))
		p.Client.Track(context.Background(), "checkout", program.Sandy(),
			openfeature.NewTrackingEventDetails(99.90).Add("currency", "EUR"))
		alex := ldcontext.New("alex")
		client := p.Provider.Client()
		Expect(client.Identify(alex)).To(Succeed())
		_, migration, err := client.MigrationVariation("migration", alex, ldmigration.Off)
		Expect(err).NotTo(HaveOccurred())
		migration.Operation(ldmigration.Read)
		migration.TrackInvoked(ldmigration.Old)
		operation, err := migration.Build()
		Expect(err).NotTo(HaveOccurred())
		Expect(client.TrackMigrationOp(*operation)).To(Succeed())
		p.Flush()

		for _, kind := range []string{
			launchdarklytest.KindCustom, launchdarklytest.KindIdentify, launchdarklytest.KindIndex,
			launchdarklytest.KindFeature, launchdarklytest.KindDebug, launchdarklytest.KindSummary,
			launchdarklytest.KindMigrationOp,
		} {
			Eventually(func() int { return box.EventCount(kind) }).Should(BeNumerically(">", 0), kind)
		}
		Expect(box).To(ldmatchers.HaveReceived(ldmatchers.CustomEvent("checkout").
			ForContext("user", "sandy").WithMetric(99.90).WithDataMember("currency", "EUR")).Times(1))
	})

	It("are queued while the relay is down, and arrive once it is up", func() {
		box := program.Serving("a")
		relay := startRelay(box)
		p := program.Start(relay.config())
		relay.Stop()
		p.Track("checkout")
		Expect(p.Provider.Flush(suite.Within(brief))).NotTo(Succeed())
		relay.start()
		p.Flush()
		Eventually(box).Should(ldmatchers.HaveReceived(ldmatchers.CustomEvent("checkout")).Times(1))
	})

	// The Relay Proxy responds before it sends. It retries once after a second, and then drops the
	// events.
	It("count as delivered, and are lost if the relay cannot deliver them", func() {
		box := program.Serving("a")
		p := program.Start(startRelay(box).config())
		box.RefuseEvents(http.StatusServiceUnavailable)
		p.Track("lost")
		p.Flush()
		Expect(p.Provider.Stats().Delivered).To(BeEquivalentTo(1))
		refused, err := box.WaitForRequests(program.Waiting(), 2, func(r launchdarklytest.Request) bool {
			return r.Path == launchdarklytest.EventsPath && r.Status == http.StatusServiceUnavailable
		})
		Expect(err).NotTo(HaveOccurred())
		Expect(refused).To(HaveLen(2))

		box.AcceptEvents()
		p.Track("afterwards")
		p.Flush()
		Eventually(box).Should(ldmatchers.HaveReceived(ldmatchers.CustomEvent("afterwards")))
		Expect(box.CustomEvents("lost")).To(BeEmpty())
	})

	It("are not delivered if it does not forward events, and a flush and the log report it", func() {
		box := program.Serving("a")
		log := gbytes.NewBuffer()
		p := program.Start(startRelayWith(box, noForwarding).config(),
			launchdarkly.WithLogger(slog.New(slog.NewTextHandler(log, nil))))
		p.Track("checkout")
		Expect(p.Provider.Flush(suite.Within(brief))).NotTo(Succeed())
		Expect(p.Provider.Stats().Delivered).To(BeZero())
		Expect(log).To(gbytes.Say("Event proxy is not enabled"), "the relay's own words")
		Expect(p.Client.State()).To(Equal(openfeature.ReadyState))
		Expect(p.Value()).To(Equal("a"))
		Expect(p.Provider.ShutdownWithContext(suite.Within(brief))).NotTo(Succeed())
		Expect(box.CustomEvents()).To(BeEmpty())
	})

	It("are lost once LaunchDarkly has refused the relay's key for events", func() {
		box := program.Serving("a")
		p := program.Start(startRelay(box).config())
		box.RefuseEvents(http.StatusUnauthorized, launchdarklytest.Times(1))
		p.Track("refused")
		p.Flush()
		_, err := box.WaitForRequests(program.Waiting(), 1, func(r launchdarklytest.Request) bool {
			return r.Path == launchdarklytest.EventsPath && r.Status == http.StatusUnauthorized
		})
		Expect(err).NotTo(HaveOccurred())
		Consistently(func() []launchdarklytest.Event {
			p.Track("afterwards")
			p.Flush()
			return box.CustomEvents("afterwards")
		}).WithPolling(20 * time.Millisecond).Should(BeEmpty())
		Expect(p.Provider.Stats().Delivered).To(Equal(p.Provider.Stats().Tracked))
	})

	// The relay accepts all events in each case.
	DescribeTable("of a burst arrive up to the relay's capacity",
		func(arrives types.GomegaMatcher, settings ...string) {
			const burst = 20_000
			box := program.Serving("a")
			p := program.Start(startRelayWith(box, append(settings, forwardEvents)...).config())
			for range burst {
				p.Track("burst")
			}
			p.Flush()
			Expect(p.Provider.Stats().Delivered).To(BeEquivalentTo(burst))

			// An event that arrives afterwards shows that the relay has sent its buffer.
			Eventually(func() []launchdarklytest.Event {
				p.Track("marker")
				p.Flush()
				return box.CustomEvents("marker")
			}).WithPolling(time.Second).ShouldNot(BeEmpty())
			arrived := len(box.CustomEvents("burst"))
			suite.Report(CurrentSpecReport().LeafNodeText, "%d of %d events arrive: %.0f %%",
				arrived, burst, 100*float64(arrived)/burst)
			Expect(arrived).To(arrives)
		},
		Entry("of 1,000 events in 5 s, by default", And(BeNumerically(">=", 900), BeNumerically("<", 20_000))),
		Entry("of 100,000 events in 5 s", Equal(20_000), largeCapacity),
	)

	// The relay keeps 1,000 events for each 200ms. The rate is 1,000 a second, because the relay
	// may flush late.
	It("of a burst all arrive at a rate below the relay's default capacity", func() {
		const burst, users = 3_000, 350
		box := program.Serving("a")
		p := program.Start(startRelayWith(box, forwardEvents, "EVENTS_FLUSH_INTERVAL=200ms").config(),
			launchdarkly.WithDelivery(delivery.WithMaxRate(250, 250*time.Millisecond)))
		for i := range burst {
			p.Client.Track(context.Background(), "burst", openfeature.NewEvaluationContext(strconv.Itoa(i%users), nil),
				openfeature.NewTrackingEventDetails(float64(i)))
		}
		p.Flush()
		arrived := func() (metrics []float64) {
			for _, event := range box.CustomEvents("burst") {
				metrics = append(metrics, *event.MetricValue)
			}
			return metrics
		}
		Eventually(arrived).WithPolling(100 * time.Millisecond).Should(HaveLen(burst))
		Expect(slices.Compact(slices.Sorted(slices.Values(arrived())))).To(HaveLen(burst), "each once")
		Expect(p.Provider.Stats().Dropped.Total()).To(BeZero())
	})

	const lossy = "events go through a Relay Proxy"

	It("cause a warning if the relay may lose them", func() {
		log := gbytes.NewBuffer()
		program.Start(startRelay(program.Serving("a")).config(), launchdarkly.WithLogger(slog.New(slog.NewTextHandler(log, nil))))
		Eventually(log).Should(gbytes.Say("level=WARN.*" + lossy + ".*EVENTS_CAPACITY"))
		Consistently(log).ShouldNot(gbytes.Say(lossy), "once")
	})

	DescribeTable("cause no warning",
		func(change func(config *ld.Config, box *launchdarklytest.Server), options ...launchdarkly.Option) {
			log := gbytes.NewBuffer()
			box := program.Serving("a")
			relay := startRelay(box)
			config := relay.config()
			change(&config, box)
			p := program.Start(config, append(options, launchdarkly.WithLogger(slog.New(slog.NewTextHandler(log, nil))))...)
			p.Track("checkout")
			p.Flush()
			Consistently(log).ShouldNot(gbytes.Say(lossy))
			Eventually(box).Should(ldmatchers.HaveReceived(ldmatchers.CustomEvent("checkout")))
		},
		Entry("at a rate", func(*ld.Config, *launchdarklytest.Server) {},
			launchdarkly.WithDelivery(delivery.WithMaxRate(900, 6*time.Second))),
		Entry("if they bypass the relay", func(config *ld.Config, box *launchdarklytest.Server) {
			config.ServiceEndpoints.Events = box.URL()
		}),
		Entry("without a relay", func(config *ld.Config, box *launchdarklytest.Server) { *config = box.Config() }),
	)
})
