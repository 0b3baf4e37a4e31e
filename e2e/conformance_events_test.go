package e2e

import (
	"slices"
	"sync"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// loseKey makes the SDK of a connected program stop connecting.
func loseKey(p *program) { p.connection.end() }

var _ = Describe("OpenFeature 5, events", func() {
	Describe("provider events", func() {
		It("5.1.1 the provider emits ready, stale, error and configuration change events", func() {
			p := start(serving("a"))
			Eventually(p.events.counter(openfeature.ProviderReady)).Should(Equal(1))
			p.box.SetValue("flag", ldvalue.String("b"))
			Eventually(p.events.counter(openfeature.ProviderConfigChange)).Should(Equal(1))
			goStale(p)
			Eventually(p.events.counter(openfeature.ProviderStale)).Should(Equal(1))
			comeBack(p)
			Eventually(p.events.counter(openfeature.ProviderReady)).Should(Equal(2))
			loseKey(p)
			Eventually(p.events.counter(openfeature.ProviderError)).Should(Equal(1))
		})

		It("5.1.2 events run the handlers of the API and of its clients", func() {
			p := newProgram(serving("a"))
			ofClient := listenTo(p.client)
			Expect(p.register()).To(Succeed())
			goStale(p)
			p.box.SetValue("flag", ldvalue.String("b"))
			comeBack(p)
			for _, received := range []*events{p.events, ofClient} {
				Eventually(received.counter(openfeature.ProviderStale)).Should(Equal(1))
				Eventually(received.counter(openfeature.ProviderConfigChange)).Should(Equal(1))
				Eventually(received.counter(openfeature.ProviderReady)).Should(Equal(2))
			}
		})

		It("5.1.3 events do not run the handlers of a client with another provider", func() {
			p, other := newProgram(serving("a")), newProgram(serving("b"))
			blue := openfeature.WithDomain("blue")
			ofClient, ofOther := listenTo(p.client), listenTo(p.api.NewClient(blue))
			Expect(p.api.SetProviderAndWait(waiting(), other.provider, blue)).To(Succeed())
			Expect(p.register()).To(Succeed())
			Eventually(ofClient.counter(openfeature.ProviderReady)).Should(Equal(1))
			Eventually(ofOther.counter(openfeature.ProviderReady)).Should(Equal(1))

			goStale(p)
			Eventually(ofClient.counter(openfeature.ProviderStale)).Should(Equal(1))
			Consistently(ofOther.counter(openfeature.ProviderStale)).Should(BeZero())
			other.box.SetValue("flag", ldvalue.String("c"))
			Eventually(ofOther.counter(openfeature.ProviderConfigChange)).Should(Equal(1))
			Consistently(ofClient.counter(openfeature.ProviderConfigChange)).Should(BeZero())
			Expect(ofClient.of(openfeature.ProviderReady)).To(HaveLen(1))
			Expect(ofOther.of(openfeature.ProviderReady)).To(HaveLen(1))
		})

		It("5.1.4 error events contain the error message", func() {
			p := start(serving("a"))
			loseKey(p)
			Eventually(p.events.counter(openfeature.ProviderError)).Should(Equal(1))
			Expect(p.events.of(openfeature.ProviderError)[0].Message).To(ContainSubstring("401"))
		})

		// OpenFeature's SDK does not pass the code to handlers; it derives the provider's status
		// from it.
		It("5.1.5 error events have the code PROVIDER_FATAL without flags, and GENERAL if evaluation continues", func() {
			working := newProgram(serving("a"))
			Expect(working.provider.InitWithContext(waiting(), openfeature.EvaluationContext{})).To(Succeed())
			loseKey(working)
			Eventually(working.provider.EventChannel()).Should(Receive(And(
				HaveField("EventType", openfeature.ProviderError), HaveField("ErrorCode", openfeature.GeneralCode))))

			late := newProgram(serving("a"), given((*launchdarklytest.Server).HoldStreams), impatient)
			Expect(late.register()).NotTo(Succeed())
			Expect(late.client.State()).To(Equal(openfeature.ErrorState))
			loseKey(late)
			Eventually(late.client.State).Should(Equal(openfeature.FatalState))
		})
	})

	Describe("handlers", func() {
		It("5.2.1 handlers can be added to a client", func() {
			p := start(serving("a"))
			changed := make(chan openfeature.EventDetails, 1)
			handler := func(details openfeature.EventDetails) { changed <- details }
			p.client.AddHandler(openfeature.ProviderConfigChange, &handler)
			p.box.SetValue("flag", ldvalue.String("b"))
			Eventually(changed).Should(Receive(HaveField("FlagChanges", []string{"flag"})))
		})

		It("5.2.2 handlers can be added to the API", func() {
			p := start(serving("a"))
			changed := make(chan openfeature.EventDetails, 1)
			handler := func(details openfeature.EventDetails) { changed <- details }
			p.api.AddHandler(openfeature.ProviderConfigChange, &handler)
			p.box.SetValue("flag", ldvalue.String("b"))
			Eventually(changed).Should(Receive(HaveField("FlagChanges", []string{"flag"})))
		})

		It("5.2.3 handlers receive the provider's name with each type of event", func() {
			p := start(serving("a"))
			p.box.SetValue("flag", ldvalue.String("b"))
			Eventually(p.events.counter(openfeature.ProviderConfigChange)).Should(Equal(1))
			goStale(p)
			comeBack(p)
			loseKey(p)
			for eventType, times := range map[openfeature.EventType]int{
				openfeature.ProviderReady: 2, openfeature.ProviderConfigChange: 1,
				openfeature.ProviderStale: 1, openfeature.ProviderError: 1,
			} {
				// A STALE event may precede the error.
				Eventually(p.events.counter(eventType)).Should(BeNumerically(">=", times))
				Expect(p.events.of(eventType)).To(HaveEach(HaveField("ProviderName", "LaunchDarkly")))
			}
		})

		It("5.2.4 handlers receive event details: a message, and the keys of changed flags", func() {
			p := start(given(decisions))
			p.box.SetValue("off", ldvalue.String("on"))
			Eventually(func() (named []string) {
				for _, event := range p.events.of(openfeature.ProviderConfigChange) {
					named = append(named, event.FlagChanges...)
				}
				return named
			}).Should(ConsistOf("off", "needs-off"))
			Expect(p.events.of(openfeature.ProviderConfigChange)).To(HaveEach(HaveField("Message", "flags have changed")))
			goStale(p)
			Eventually(func() []openfeature.EventDetails { return p.events.of(openfeature.ProviderStale) }).Should(
				ConsistOf(And(HaveField("FlagChanges", BeEmpty()), HaveField("Message", ContainSubstring("interrupted")))))
		})

		It("5.2.5 handlers run although another handler panics", func() {
			p := newProgram(serving("a"))
			panicking := func(openfeature.EventDetails) { panic("a handler of the application's") }
			p.client.AddHandler(openfeature.ProviderConfigChange, &panicking)
			p.api.AddHandler(openfeature.ProviderConfigChange, &panicking)
			ofClient := listenTo(p.client)
			Expect(p.register()).To(Succeed())
			for i, text := range []string{"b", "c"} {
				p.box.SetValue("flag", ldvalue.String(text))
				Eventually(p.events.counter(openfeature.ProviderConfigChange)).Should(Equal(i + 1))
				Eventually(ofClient.counter(openfeature.ProviderConfigChange)).Should(Equal(i + 1))
			}
			Expect(value(p.client)).To(Equal("c"))
		})

		It("5.2.6 handlers remain when the provider is replaced", func() {
			p, next := newProgram(serving("a")), newProgram(serving("b"))
			ofClient := listenTo(p.client)
			Expect(p.register()).To(Succeed())
			Expect(p.api.SetProviderAndWait(waiting(), next.provider)).To(Succeed())
			next.box.SetValue("flag", ldvalue.String("c"))
			for _, received := range []*events{p.events, ofClient} {
				Eventually(received.counter(openfeature.ProviderReady)).Should(Equal(2))
				Eventually(received.counter(openfeature.ProviderConfigChange)).Should(Equal(1))
			}
		})

		It("5.2.7 handlers can be removed from the API and from a client", func() {
			p := start(serving("a"))
			var mu sync.Mutex
			var received []string
			handlerOf := func(source openfeature.IEventing, name string) openfeature.EventCallback {
				handler := func(openfeature.EventDetails) {
					mu.Lock()
					defer mu.Unlock()
					received = append(received, name)
				}
				source.AddHandler(openfeature.ProviderConfigChange, &handler)
				return &handler
			}
			names := func() []string {
				mu.Lock()
				defer mu.Unlock()
				return slices.Clone(received)
			}
			ofAPI, ofClient := handlerOf(p.api, "api"), handlerOf(p.client, "client")
			p.box.SetValue("flag", ldvalue.String("b"))
			Eventually(names).Should(ConsistOf("api", "client"))
			p.api.RemoveHandler(openfeature.ProviderConfigChange, ofAPI)
			p.client.RemoveHandler(openfeature.ProviderConfigChange, ofClient)
			p.box.SetValue("flag", ldvalue.String("c"))
			Eventually(p.events.counter(openfeature.ProviderConfigChange)).Should(Equal(2))
			Consistently(names).Should(HaveLen(2))
		})
	})

	Describe("initialization", func() {
		It("5.3.1 ready handlers run once after the initialization", func() {
			p := newProgram(serving("a"))
			ofClient := listenTo(p.client)
			Expect(p.register()).To(Succeed())
			for _, received := range []*events{p.events, ofClient} {
				Eventually(received.counter(openfeature.ProviderReady)).Should(Equal(1))
				Consistently(received.counter(openfeature.ProviderReady)).Should(Equal(1))
				Expect(received.of(openfeature.ProviderError)).To(BeEmpty())
			}
		})

		It("5.3.2 error handlers run once after a failed initialization, and ready handlers once flags arrive", func() {
			fatal := newProgram(wrongKey)
			Expect(fatal.register()).NotTo(Succeed())
			Eventually(fatal.events.counter(openfeature.ProviderError)).Should(Equal(1))
			Expect(fatal.events.of(openfeature.ProviderError)[0].Message).To(ContainSubstring("401"))

			late := newProgram(serving("a"), given((*launchdarklytest.Server).HoldStreams), impatient)
			Expect(late.register()).NotTo(Succeed())
			Eventually(late.events.counter(openfeature.ProviderError)).Should(Equal(1))
			late.box.ReleaseStreams()
			Eventually(late.events.counter(openfeature.ProviderReady)).Should(Equal(1))
			Consistently(late.events.counter(openfeature.ProviderError)).Should(Equal(1))
			Expect(fatal.events.of(openfeature.ProviderError)).To(HaveLen(1))
			Expect(fatal.events.of(openfeature.ProviderReady)).To(BeEmpty())
		})

		It("5.3.3 handlers that are added later run at once for the provider's current state", func() {
			p := start(serving("a"))
			check := func(state openfeature.EventType) {
				GinkgoHelper()
				for _, late := range []*events{listenTo(p.api), listenTo(p.client)} {
					for _, eventType := range []openfeature.EventType{
						openfeature.ProviderReady, openfeature.ProviderStale, openfeature.ProviderError,
						openfeature.ProviderConfigChange,
					} {
						if eventType == state {
							Expect(late.of(eventType)).To(ConsistOf(HaveField("ProviderName", "LaunchDarkly")))
						} else {
							Expect(late.of(eventType)).To(BeEmpty())
						}
					}
				}
			}
			check(openfeature.ProviderReady)
			goStale(p)
			check(openfeature.ProviderStale)
			comeBack(p)
			check(openfeature.ProviderReady)
			loseKey(p)
			Eventually(p.client.State).Should(Equal(openfeature.ErrorState))
			check(openfeature.ProviderError)
		})
	})

	It("5.3.5 handlers see the status that their event set; flag changes do not affect the status", func() {
		p := newProgram(serving("a"))
		seen := make(chan openfeature.State, 10)
		handler := func(openfeature.EventDetails) { seen <- p.client.State() }
		for _, eventType := range []openfeature.EventType{
			openfeature.ProviderReady, openfeature.ProviderStale, openfeature.ProviderError, openfeature.ProviderConfigChange,
		} {
			p.api.AddHandler(eventType, &handler)
		}
		Expect(p.register()).To(Succeed())
		Eventually(seen).Should(Receive(Equal(openfeature.ReadyState)))
		p.box.SetValue("flag", ldvalue.String("b"))
		Eventually(seen).Should(Receive(Equal(openfeature.ReadyState)))
		goStale(p)
		Eventually(seen).Should(Receive(Equal(openfeature.StaleState)))
		comeBack(p)
		Eventually(seen).Should(Receive(Equal(openfeature.ReadyState)))
		loseKey(p)
		Eventually(seen).Should(Receive(Equal(openfeature.ErrorState)))
		Consistently(seen).ShouldNot(Receive())
	})
})
