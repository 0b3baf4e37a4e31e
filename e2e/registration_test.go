package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

var _ = Describe("Registration", func() {
	// The steps: "d" registers the provider by default, "a" for a domain; "x" and "y" register
	// another provider there; "!" shuts OpenFeature's API down. Capitals wait for the
	// initialization, "." waits for the provider's shutdown.
	//
	// OpenFeature's SDK 1.20.0 keeps a goroutine for a provider that was registered twice and is
	// then replaced, and its shutdown never returns. TestRegistrationsInEveryOrder covers
	// those orders, without OpenFeature's SDK.
	DescribeTable("in any order leaves exactly the providers running that are registered at the end",
		func(steps string) {
			for range 3 {
				r := &registrar{program: newProgram(serving("a"))}
				for _, step := range steps {
					r.take(step)
				}
				Eventually(openFeatureGoroutines).Should(BeEmpty(), "the provider is being initialized or shut down")
				if r.places["d"] || r.places["a"] {
					Eventually(r.value).Should(Equal("a"))
					Expect(r.box.WaitForStreams(waiting(), 1)).To(Succeed())
					Expect(r.api.Shutdown(waiting())).To(Succeed())
				}
				for _, other := range r.others {
					shutDown(other.provider)
					Eventually(other.box.Streams).Should(BeZero(), "the other provider")
				}
				Eventually(r.box.Streams).Should(BeZero())
				Eventually(ourGoroutines).Should(BeEmpty())
				Expect(r.provider.Stats().Waiting).To(BeZero())
			}
		},
		Entry("registered, shut down", "d!"),
		Entry("registered, waiting, shut down", "D!"),
		Entry("registered, replaced, waiting", "dX"),
		Entry("registered, replaced, shut down", "dx!"),
		Entry("registered twice, waiting the second time, shut down", "dD!"),
		Entry("for two domains, shut down", "da!"),
		Entry("for two domains, waiting, replaced in one, shut down", "DAX!"),
		Entry("for a domain, replaced there, shut down", "ay!"),
		Entry("shut down without waiting, registered again, waiting", "d!D"),
		Entry("replaced, registered again for a domain", "DX.A"),
		Entry("replaced, registered again, replaced again", "DX.dx"),
		Entry("for two domains, shut down, registered again for both", "DA!DA"),
	)

	It("succeeds again after the application has shut the provider down, too", func() {
		p := start(serving("a"))
		Expect(p.api.Shutdown(waiting())).To(Succeed())
		p.provider.Shutdown()
		p.useNewAPI()
		Expect(p.register()).To(Succeed())
		Expect(value(p.client)).To(Equal("a"))
	})
})

// registrar runs steps that register, replace and shut down a program's provider.
type registrar struct {
	*program
	others []*program
	places map[string]bool // where the provider is registered
}

func (r *registrar) take(step rune) {
	GinkgoHelper()
	if r.places == nil {
		r.places = make(map[string]bool)
	}
	place := map[rune]string{'d': "d", 'x': "d", 'a': "a", 'y': "a"}[step|' ']
	var opts []openfeature.APIOption
	if place == "a" {
		opts = append(opts, openfeature.WithDomain("a"))
	}
	switch step | ' ' {
	case '!' | ' ':
		Expect(r.api.Shutdown(waiting())).To(Succeed())
		r.useNewAPI()
		clear(r.places)
		return
	case '.' | ' ':
		Eventually(r.running).Should(BeFalse(), "the provider is replaced")
		return
	}
	provider := r.provider
	if r.places[place] = provider == r.program.provider && (step|' ' == 'd' || step|' ' == 'a'); !r.places[place] {
		other := newProgram(serving("other"))
		r.others = append(r.others, other)
		provider = other.provider
	}
	if step < 'a' {
		Expect(r.api.SetProviderAndWait(waiting(), provider, opts...)).To(Succeed())
	} else {
		Expect(r.api.SetProvider(context.Background(), provider, opts...)).To(Succeed())
	}
}

// running reports whether the provider has not been shut down.
func (r *registrar) running() bool {
	detail := r.provider.StringEvaluation(context.Background(), "flag", "", openfeature.FlattenedContext{"targetingKey": "u"})
	return detail.ResolutionDetail().ErrorCode == ""
}

// value evaluates the flag named flag where the provider is registered.
func (r *registrar) value() string {
	client := r.client
	if !r.places["d"] {
		client = r.api.NewClient(openfeature.WithDomain("a"))
	}
	return value(client)
}

// openFeatureGoroutines returns the goroutines of OpenFeature's SDK that initialize or shut down
// providers.
func openFeatureGoroutines() []string {
	return goroutines(".(*EvaluationAPI).initNew", ".(*EvaluationAPI).shutdownOld")
}

var _ = Describe("Replacement", func() {
	// OpenFeature passes the context of the registration to the shutdown of the replaced provider.
	It("delivers all events although the registration's context is canceled at once", func() {
		const events = 5_000
		p, next := start(func(s *setup) {
			s.config.Events = delivery.Lossless(nil, delivery.WithLogger(discard), delivery.WithRequestEvents(500))
		}), newProgram()
		p.box.DelayEvents(20 * time.Millisecond)
		for range events {
			p.client.Track(context.Background(), "checkout", sandy, details(1))
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		Expect(p.api.SetProviderAndWait(ctx, next.provider)).To(Succeed())
		cancel()
		Expect(p.provider.ShutdownWithContext(waiting())).To(Succeed(), "which waits for the one that is running")
		Expect(p.provider.Stats().Delivered).To(BeEquivalentTo(events))
		Expect(p.provider.Stats().Dropped.Total()).To(BeZero())
		Expect(p.box.EventCount(launchdarklytest.KindCustom)).To(Equal(events))
		Expect(p.problems.all()).To(BeEmpty())
	})

	It("respects the deadline of the registration's context", func() {
		p, next := start(), newProgram()
		p.box.RefuseEvents(503)
		p.client.Track(context.Background(), "checkout", sandy, details(1))
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		Expect(p.api.SetProviderAndWait(ctx, next.provider)).To(Succeed())
		Eventually(func() uint64 { return p.provider.Stats().Dropped.Closed }).Should(BeEquivalentTo(1))
		Eventually(p.problems.all).Should(ContainElement(MatchError(launchdarkly.ErrClosed)))
	})
})
