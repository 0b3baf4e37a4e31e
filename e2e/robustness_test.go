package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest/ldmatchers"
)

var _ = Describe("Under adverse conditions, the provider", func() {
	It("shuts down with a canceled context", func() {
		ended, end := context.WithCancel(context.Background())
		end()
		for range 20 {
			p := start()
			_ = p.provider.ShutdownWithContext(ended)
			detail := p.provider.BooleanEvaluation(context.Background(), "flag", false, openfeature.FlattenedContext{"targetingKey": "u"})
			Expect(detail.ResolutionDetail().ErrorCode).To(Equal(openfeature.ProviderNotReadyCode))
		}
	})

	It("continues after a panic of the log handler", func() {
		p := start(options(launchdarkly.WithLogger(slog.New(panickingHandler{}))), fastRetries,
			given(func(box *launchdarklytest.Server) { box.SetValue("flag", ldvalue.Bool(true)) }))
		p.box.RefuseEvents(http.StatusServiceUnavailable, launchdarklytest.Times(1))
		p.client.Track(context.Background(), "", sandy, details(1))
		p.track("good", user("sandy", "name", 7), details(1))
		Expect(p.box).To(ldmatchers.HaveReceived(ldmatchers.CustomEvent("good")))
		enabled, err := p.client.BooleanValue(context.Background(), "flag", false, user("sandy", "kind", 7))
		Expect(enabled, err).To(BeTrue())
	})

	It("becomes ready although it was registered with a canceled context", func() {
		ended, end := context.WithCancel(context.Background())
		end()
		for range 20 {
			p := newProgram(given((*launchdarklytest.Server).HoldStreams))
			Expect(p.provider.InitWithContext(ended, openfeature.EvaluationContext{})).To(MatchError(context.Canceled))
			p.box.ReleaseStreams()
			Eventually(p.provider.EventChannel()).Should(Receive(HaveField("EventType", openfeature.ProviderReady)))
		}
	})

	It("is not ready without flag data, whatever the data source reports", func() {
		p := newProgram(
			given(func(box *launchdarklytest.Server) { box.RefuseStreams(503) }),
			options(launchdarkly.WithInitTimeout(100*time.Millisecond)),
			func(s *setup) { s.config.DataSystem = s.box.DataSystem().Default() })
		Expect(p.register()).NotTo(Succeed())
		Expect(p.client.State()).NotTo(Equal(openfeature.ReadyState))
	})

	It("counts all events during a shutdown and after a new registration", func() {
		p := start()
		for n := range 10 {
			p.client.Track(context.Background(), fmt.Sprint("event-", n), sandy, details(1))
		}
		p.flush()
		p.box.RefuseEvents(503)
		p.client.Track(context.Background(), "undelivered", sandy, details(1))
		deadline, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- p.provider.ShutdownWithContext(deadline) }()
		for ended := false; !ended; {
			Expect(p.provider.Stats().Tracked).To(BeEquivalentTo(11))
			select {
			case err := <-done:
				Expect(err).To(MatchError(ContainSubstring("1 tracked event not delivered")))
				ended = true
			default:
			}
		}
		p.box.AcceptEvents()
		Expect(p.api.Shutdown(waiting())).To(Succeed()) // only this releases the provider
		p.useNewAPI()
		Expect(p.register()).To(Succeed())
		p.track("again", sandy, details(1))
		stats := p.provider.Stats()
		Expect(stats.Tracked).To(BeEquivalentTo(12))
		Expect(stats.Delivered).To(BeEquivalentTo(11))
		Expect(stats.Dropped.Closed).To(BeEquivalentTo(1))
	})

	It("counts the events of a client that the application made once", func() {
		box := newBox()
		config := box.Config()
		config.Events = delivery.Lossless(nil, delivery.WithLogger(discard))
		client := newClient(box, config)
		provider, err := launchdarkly.NewProviderWithClient(client, launchdarkly.WithConfig(config), launchdarkly.WithLogger(discard))
		Expect(err).NotTo(HaveOccurred())
		provider.Track(context.Background(), "event", sandy, details(1))
		for range 2 {
			Expect(provider.Flush(waiting())).To(Succeed())
			Expect(provider.ShutdownWithContext(waiting())).To(Succeed())
			Expect(provider.InitWithContext(waiting(), openfeature.EvaluationContext{})).To(Succeed())
			Expect(provider.Stats().Tracked).To(BeEquivalentTo(1))
		}
		Expect(provider.ShutdownWithContext(waiting())).To(Succeed())
		Expect(client.Close()).To(Succeed())
		Expect(provider.Stats().Tracked).To(BeEquivalentTo(1))
	})

	It("uses the last known flags after the application has closed its client", func() {
		box := newBox()
		box.SetValue("flag", ldvalue.String("known"))
		config := box.Config()
		client := newClient(box, config)
		provider, err := launchdarkly.NewProviderWithClient(client, launchdarkly.WithConfig(config), launchdarkly.WithLogger(discard))
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(shutDown, provider)
		api, _ := newAPI()
		Expect(api.SetProviderAndWait(waiting(), provider)).To(Succeed())
		Expect(client.Close()).To(Succeed())
		Expect(value(api.NewClient())).To(Equal("known"))
		api.NewClient().Track(context.Background(), "too late", sandy, details(1))
		Expect(api.Shutdown(waiting())).To(Succeed())
	})
})

// panickingHandler is a log handler that panics.
type panickingHandler struct{ slog.Handler }

func (panickingHandler) Enabled(context.Context, slog.Level) bool { return true }

func (panickingHandler) Handle(context.Context, slog.Record) error { panic("hunter2") }
