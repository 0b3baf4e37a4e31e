package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/memprovider"
	"github.com/open-feature/go-sdk/openfeature/multi"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest/ldmatchers"
)

// remembered returns an in-memory provider that serves a value for each of the flags.
func remembered(value string, keys ...string) openfeature.FeatureProvider {
	flags := make(map[string]memprovider.InMemoryFlag)
	for _, key := range keys {
		flags[key] = memprovider.InMemoryFlag{
			State: memprovider.Enabled, DefaultVariant: "only", Variants: map[string]any{"only": value},
		}
	}
	return memprovider.NewInMemoryProvider(flags)
}

// echo adds a flag that serves the value of a context attribute, if it is one of a few values.
func echo(key, attribute string, values ...string) func(*launchdarklytest.Server) {
	return func(box *launchdarklytest.Server) {
		variations := []ldvalue.Value{ldvalue.String("none")}
		flag := ldbuilders.NewFlagBuilder(key).On(true).FallthroughVariation(0)
		for i, value := range values {
			variations = append(variations, ldvalue.String(value))
			flag.AddRule(ldbuilders.NewRuleBuilder().ID(value).Variation(i + 1).
				Clauses(ldbuilders.Clause(attribute, "in", ldvalue.String(value))))
		}
		box.SetFlags(flag.Variations(variations...).Build())
	}
}

var _ = Describe("With other providers", func() {
	Describe("in the multi-provider, with StrategyFirstMatch", func() {
		// side starts a program with LaunchDarkly as the first or second provider.
		side := func(launchDarklyFirst bool) *program {
			GinkgoHelper()
			p := newProgram(given(func(box *launchdarklytest.Server) {
				box.SetValue("both", ldvalue.String("from LaunchDarkly"))
				box.SetValue("only-launchdarkly", ldvalue.String("from LaunchDarkly"))
			}))
			named := []multi.Option{
				multi.WithProvider("launchdarkly", p.provider),
				multi.WithProvider("memory", remembered("from memory", "both", "only-memory")),
			}
			if !launchDarklyFirst {
				named[0], named[1] = named[1], named[0]
			}
			several, err := multi.NewProvider(multi.StrategyFirstMatch, named...)
			Expect(err).NotTo(HaveOccurred())
			Expect(p.api.SetProviderAndWait(waiting(), several)).To(Succeed())
			return p
		}

		DescribeTable("the first provider that has a flag evaluates it",
			func(launchDarklyFirst bool, flag, want, by string) {
				p := side(launchDarklyFirst)
				details, err := p.client.StringValueDetails(context.Background(), flag, "default", sandy)
				Expect(err).NotTo(HaveOccurred())
				Expect(details.Value).To(Equal(want))
				Expect(details.FlagMetadata).To(HaveKeyWithValue(multi.MetadataSuccessfulProviderName, by))
				if by == "launchdarkly" {
					Expect(details.FlagMetadata).To(HaveKeyWithValue(launchdarkly.MetadataReasonKind, "FALLTHROUGH"))
				}
			},
			Entry(nil, true, "both", "from LaunchDarkly", "launchdarkly"),
			Entry(nil, true, "only-launchdarkly", "from LaunchDarkly", "launchdarkly"),
			Entry(nil, true, "only-memory", "from memory", "memory"),
			Entry(nil, false, "both", "from memory", "memory"),
			Entry(nil, false, "only-launchdarkly", "from LaunchDarkly", "launchdarkly"),
			Entry(nil, false, "only-memory", "from memory", "memory"),
		)

		It("LaunchDarkly receives tracked events of all flags, and flag changes are emitted", func() {
			p := side(false)
			Expect(p.client.String(context.Background(), "only-memory", "default", sandy)).To(Equal("from memory"))
			p.track("checkout", user("sandy", "plan", "gold"), details(9.5, "currency", "EUR"))
			Expect(p.box.CustomEvents()).To(ConsistOf(ldmatchers.CustomEvent("checkout").WithMetric(9.5).
				WithData(pairs("currency", "EUR")).WithContext(HaveKeyWithValue("plan", "gold"))))

			p.box.SetValue("only-launchdarkly", ldvalue.String("changed"))
			Eventually(p.events.counter(openfeature.ProviderConfigChange)).Should(Equal(1))
			Expect(p.client.String(context.Background(), "only-launchdarkly", "default", sandy)).To(Equal("changed"))
		})

		It("goroutines evaluate and track while flags change", func() {
			p := side(true)
			var work sync.WaitGroup
			const workers, rounds = 8, 100
			for worker := range workers {
				work.Go(func() {
					defer GinkgoRecover()
					for range rounds {
						who := user(fmt.Sprint("user-", worker))
						Expect(p.client.String(context.Background(), "only-memory", "default", who)).To(Equal("from memory"))
						Expect(p.client.String(context.Background(), "both", "default", who)).To(HavePrefix("from LaunchDarkly"))
						p.client.Track(context.Background(), strconv.Itoa(worker), who, details(1))
					}
				})
			}
			for n := range 20 {
				p.box.SetValue("both", ldvalue.String(fmt.Sprint("from LaunchDarkly, ", n)))
			}
			work.Wait()
			p.flush()
			for worker := range workers {
				events := p.box.CustomEvents(strconv.Itoa(worker))
				Expect(events).To(HaveLen(rounds))
				Expect(events).To(HaveEach(WithTransform(launchdarklytest.Event.ContextKeys,
					Equal(map[string]string{"user": fmt.Sprint("user-", worker)}))))
			}
		})
	})

	// OpenFeature's multi-provider (go-sdk 1.20.0) wraps a provider that has hooks, or is given
	// some, in one that does not forward initialization, tracking, events and shutdown. Once the
	// first entry fails, the restriction can be removed from the documentation of WithHooks.
	DescribeTable("in the multi-provider, provider events, tracking and shutdown",
		func(choices []func(*setup), opts []multi.Option, forwarded bool) {
			var notes journal
			for i := range choices {
				choices[i] = options(launchdarkly.WithHooks(notes.hook("hook")))
			}
			p := newProgram(append(choices, serving("a"))...)
			for i := range opts {
				opts[i] = multi.WithGlobalHooks(notes.hook("hook"))
			}
			several, err := multi.NewProvider(multi.StrategyFirstMatch, append(opts,
				multi.WithProvider("launchdarkly", p.provider), multi.WithProvider("memory", remembered("from memory")))...)
			Expect(err).NotTo(HaveOccurred())
			Eventually(p.provider.Client().Initialized).Should(BeTrue())
			Expect(p.api.SetProviderAndWait(waiting(), several)).To(Succeed())
			Expect(value(p.client)).To(Equal("a"))
			Expect(notes.all()).To(ContainElement("after hook"))

			p.client.Track(context.Background(), "checkout", sandy, details(1))
			p.box.SetValue("flag", ldvalue.String("b"))
			Eventually(value).WithArguments(p.client).Should(Equal("b"))
			if forwarded {
				Expect(p.provider.Stats().Tracked).To(BeEquivalentTo(1))
				Eventually(p.events.counter(openfeature.ProviderConfigChange)).Should(Equal(1))
			} else {
				Expect(p.provider.Stats().Tracked).To(BeZero())
				Consistently(p.events.counter(openfeature.ProviderConfigChange)).Should(BeZero())
			}
			Expect(p.api.Shutdown(waiting())).To(Succeed())
			detail := p.provider.StringEvaluation(context.Background(), "flag", "", openfeature.FlattenedContext{"targetingKey": "u"})
			if forwarded {
				Expect(detail.ResolutionDetail().ErrorCode).To(Equal(openfeature.ProviderNotReadyCode), "it is shut down")
			} else {
				Expect(detail.Value).To(Equal("b"), "it is not shut down")
			}
		},
		Entry("do not reach a provider that has hooks", []func(*setup){nil}, []multi.Option{}, false),
		Entry("reach the provider if the multi-provider has the hooks", []func(*setup){}, []multi.Option{nil}, true),
	)

	It("two environments in two domains are independent, also while one of them fails", func() {
		p, other := newProgram(serving("staging")), newProgram(serving("production"))
		staging, production := openfeature.WithDomain("staging"), openfeature.WithDomain("production")
		Expect(p.api.SetProviderAndWait(waiting(), p.provider, staging)).To(Succeed())
		Expect(p.api.SetProviderAndWait(waiting(), other.provider, production)).To(Succeed())
		clients := map[string]*openfeature.Client{"staging": p.api.NewClient(staging), "production": p.api.NewClient(production)}
		var work sync.WaitGroup
		for name, client := range clients {
			for range 4 {
				work.Go(func() {
					defer GinkgoRecover()
					for range 50 {
						Expect(value(client)).To(Equal(name))
						client.Track(context.Background(), name, user(name), details(1))
					}
				})
			}
		}
		work.Wait()

		p.box.RefuseStreams(503)
		p.box.DropStreams()
		Eventually(clients["staging"].State).Should(Equal(openfeature.StaleState))
		Consistently(clients["production"].State).Should(Equal(openfeature.ReadyState))
		other.box.SetValue("flag", ldvalue.String("changed"))
		Eventually(value).WithArguments(clients["production"]).Should(Equal("changed"))
		Expect(value(clients["staging"])).To(Equal("staging"))
		Expect(value(p.api.NewClient())).To(Equal("default"), "there is none in the default domain")

		Expect(p.api.Shutdown(waiting())).To(Succeed())
		for box, name := range map[*launchdarklytest.Server]string{p.box: "staging", other.box: "production"} {
			Expect(box.CustomEvents()).To(HaveLen(200))
			Expect(box.CustomEvents(name)).To(HaveLen(200))
			Expect(box.CustomEvents()).To(HaveEach(WithTransform(launchdarklytest.Event.ContextKeys,
				Equal(map[string]string{"user": name}))))
		}
	})

	It("a provider in two domains has one connection, emits events to both, and delivers the events of both", func() {
		p := newProgram(serving("a"))
		blue, green := openfeature.WithDomain("blue"), openfeature.WithDomain("green")
		Expect(p.api.SetProviderAndWait(waiting(), p.provider, blue)).To(Succeed())
		Expect(p.api.SetProviderAndWait(waiting(), p.provider, green)).To(Succeed())
		clients := []*openfeature.Client{p.api.NewClient(blue), p.api.NewClient(green)}
		var changes [2]atomic.Int64
		for i, client := range clients {
			handler := func(openfeature.EventDetails) { changes[i].Add(1) }
			client.AddHandler(openfeature.ProviderConfigChange, &handler)
		}
		p.box.SetValue("flag", ldvalue.String("b"))
		for i := range clients {
			Eventually(changes[i].Load).Should(BeEquivalentTo(1))
		}
		Expect(p.box.StreamRequests()).To(HaveLen(1), "there is one client")
		p.box.RefuseStreams(503)
		p.box.DropStreams()
		for _, client := range clients {
			Eventually(client.State).Should(Equal(openfeature.StaleState))
		}

		for _, client := range append(clients, p.client) { // the default domain has no provider
			client.Track(context.Background(), "checkout", sandy, details(1))
		}
		Expect(p.api.Shutdown(waiting())).To(Succeed())
		Expect(p.box.CustomEvents("checkout")).To(HaveLen(2))
		Expect(p.provider.Stats().Delivered).To(BeEquivalentTo(2))
	})

	It("replacing the provider under load delivers each tracked event once, or reports it", func() {
		const replacements = 6
		api, _ := newAPI()
		var programs []*program
		for range replacements {
			programs = append(programs, newProgram(serving("a")))
		}
		Expect(api.SetProviderAndWait(waiting(), programs[0].provider)).To(Succeed())
		client := api.NewClient()

		working, stop := context.WithCancel(context.Background())
		var work sync.WaitGroup
		DeferCleanup(func() { stop(); work.Wait() })
		var tracked, evaluated atomic.Uint64
		for worker := range 4 {
			work.Go(func() {
				defer GinkgoRecover()
				for n := 0; working.Err() == nil; n++ {
					details, err := client.StringValueDetails(context.Background(), "flag", "default", sandy)
					evaluated.Add(1)
					if err != nil {
						Expect(details.ErrorCode).To(Equal(openfeature.ProviderNotReadyCode))
						Expect(details.Value).To(Equal("default"))
					} else {
						Expect(details.Value).To(Equal("a"))
					}
					client.Track(context.Background(), fmt.Sprintf("%d-%d", worker, n), sandy, openfeature.NewTrackingEventDetails(1))
					tracked.Add(1)
				}
			})
		}
		for _, next := range programs[1:] {
			before := tracked.Load()
			Eventually(tracked.Load).Should(BeNumerically(">", before+100))
			Expect(api.SetProviderAndWait(waiting(), next.provider)).To(Succeed())
		}
		before := evaluated.Load()
		Eventually(evaluated.Load).Should(BeNumerically(">", before+100))
		stop()
		work.Wait()
		Expect(api.Shutdown(waiting())).To(Succeed())

		var accepted, delivered, late uint64
		seen := make(map[string]int)
		for _, p := range programs {
			Eventually(func() uint64 { return p.provider.Stats().Waiting }).Should(BeZero())
			stats := p.provider.Stats()
			accepted += stats.Tracked
			delivered += stats.Delivered
			late += stats.Dropped.Closed
			Expect(stats.Tracked).To(Equal(stats.Delivered+stats.Dropped.Closed), "%+v", stats)
			Expect(stats.Delivered).NotTo(BeZero())
			Expect(p.box.EventCount(launchdarklytest.KindCustom)).To(BeEquivalentTo(stats.Delivered))
			for _, event := range p.box.CustomEvents() {
				seen[event.Key]++
			}
			reported := 0
			for _, problem := range p.problems.all() {
				if drop, ok := errors.AsType[*delivery.DropError](problem); ok && drop.Events == 0 {
					continue // evaluations come as fast as they can, and may find their queue full
				}
				Expect(problem).To(MatchError(launchdarkly.ErrClosed))
				reported++
			}
			Expect(reported).To(BeEquivalentTo(stats.Dropped.Closed), "each event that came too late is reported")
		}
		Expect(seen).To(HaveEach(1))
		Expect(uint64(len(seen))).To(Equal(delivered))
		Expect(accepted).To(Equal(delivered + late))
		Expect(accepted).To(BeNumerically("<=", tracked.Load()))
	})

	It("HTTP middleware sets the evaluation context of each request", func() {
		const visitors = 50
		plans := []string{"free", "silver", "gold"}
		p := start(given(echo("plan", "plan", plans...)))
		withVisitor := func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				visitor := user(r.Header.Get("X-Visitor"), "plan", r.Header.Get("X-Plan"))
				next.ServeHTTP(w, r.WithContext(openfeature.WithTransactionContext(r.Context(), visitor)))
			})
		}
		mux := http.NewServeMux()
		mux.HandleFunc("GET /plan", func(w http.ResponseWriter, r *http.Request) {
			plan := p.client.String(r.Context(), "plan", "default", openfeature.EvaluationContext{})
			p.client.Track(r.Context(), "visit", openfeature.EvaluationContext{}, details(1, "plan", plan))
			_, _ = io.WriteString(w, plan)
		})
		server := httptest.NewServer(withVisitor(mux))
		DeferCleanup(server.Close)

		get := func(visitor, plan string) string {
			GinkgoHelper()
			request, err := http.NewRequestWithContext(waiting(), http.MethodGet, server.URL+"/plan", nil)
			Expect(err).NotTo(HaveOccurred())
			request.Header.Set("X-Visitor", visitor)
			request.Header.Set("X-Plan", plan)
			response, err := server.Client().Do(request)
			Expect(err).NotTo(HaveOccurred())
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			Expect(err).NotTo(HaveOccurred())
			return string(body)
		}
		var requests sync.WaitGroup
		for visitor := range visitors {
			requests.Go(func() {
				defer GinkgoRecover()
				for round := range 4 {
					plan := plans[(visitor+round)%len(plans)]
					Expect(get(fmt.Sprint("visitor-", visitor), plan)).To(Equal(plan))
				}
			})
		}
		requests.Wait()
		Expect(get("", "gold")).To(Equal("default"), "a visitor without a key")
		p.flush()

		events := p.box.CustomEvents("visit")
		Expect(events).To(HaveLen(4 * visitors))
		byVisitor := make(map[string]int)
		for _, event := range events {
			byVisitor[event.ContextKeys()["user"]]++
			Expect(event.Data.GetByKey("plan")).To(Equal(event.Context.GetByKey("plan")))
		}
		Expect(byVisitor).To(HaveLen(visitors))
		Expect(byVisitor).To(HaveEach(4))
		Expect(p.problems.all()).To(ConsistOf(MatchError(launchdarkly.ErrTargetingKeyMissing)))
	})
})
