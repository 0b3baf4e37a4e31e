package e2e

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest/ldmatchers"
)

// The titles of conformance specs begin with the numbers of OpenFeature's requirements. README.md
// lists them.

// typed sets a flag of each type, named after its type.
func typed(box *launchdarklytest.Server) {
	box.SetValue("boolean", ldvalue.Bool(true))
	box.SetValue("string", ldvalue.String("green"))
	box.SetValue("integer", ldvalue.Int(42))
	box.SetValue("float", ldvalue.Float64(2.5))
	box.SetValue("object", ldvalue.ObjectBuild().Set("color", ldvalue.String("green")).Build())
}

// outcome is the result of an evaluation of any type.
type outcome struct {
	value any
	openfeature.EvaluationDetails
	err error
}

// outcomeOf converts the results of a client's method.
func outcomeOf[T any](details openfeature.GenericEvaluationDetails[T], err error) outcome {
	return outcome{value: details.Value, EvaluationDetails: details.EvaluationDetails, err: err}
}

// eachType evaluates the flags that are named after their types, or a single flag if name is not
// empty, with defaults that differ from the values of typed.
func eachType(client *openfeature.Client, name string, evaluationContext openfeature.EvaluationContext) []outcome {
	ctx := context.Background()
	flag := func(ofType string) string {
		if name == "" {
			return ofType
		}
		return name
	}
	return []outcome{
		outcomeOf(client.BooleanValueDetails(ctx, flag("boolean"), false, evaluationContext)),
		outcomeOf(client.StringValueDetails(ctx, flag("string"), "default", evaluationContext)),
		outcomeOf(client.IntValueDetails(ctx, flag("integer"), 7, evaluationContext)),
		outcomeOf(client.FloatValueDetails(ctx, flag("float"), 7.5, evaluationContext)),
		outcomeOf(client.ObjectValueDetails(ctx, flag("object"), theme, evaluationContext)),
	}
}

// defaultsOfEachType are the defaults of eachType.
func defaultsOfEachType() []any { return []any{false, "default", int64(7), 7.5, theme} }

func valuesOf(outcomes []outcome) []any {
	values := make([]any, len(outcomes))
	for i, o := range outcomes {
		values[i] = o.value
	}
	return values
}

// decision evaluates one of the flags of decisions.
func decision(p *program, flag string, evaluationContext openfeature.EvaluationContext) outcome {
	return outcomeOf(p.client.StringValueDetails(context.Background(), flag, "default", evaluationContext))
}

// registerGlobally registers the provider with OpenFeature's process-wide API.
func registerGlobally(p *program) {
	GinkgoHelper()
	DeferCleanup(func() { _ = openfeature.ShutdownWithContext(waiting()) })
	Expect(openfeature.SetProviderWithContextAndWait(waiting(), p.provider)).To(Succeed())
}

// wrongKey makes the SDK stop connecting, as it does for an invalid SDK key.
func wrongKey(s *setup) { s.connection.setRefused(true) }

// impatient sets an init timeout that is too short for a connection.
func impatient(s *setup) { options(launchdarkly.WithInitTimeout(1))(s) }

var _ = Describe("OpenFeature 1, flag evaluation", func() {
	Describe("setting the provider", func() {
		It("1.1.2.1 evaluations return LaunchDarkly's values once the provider is set", func() {
			p := newProgram(serving("a"))
			Expect(value(p.client)).To(Equal("default"))
			p.registerInBackground()
			Eventually(p.client.State).Should(Equal(openfeature.ReadyState))
			Expect(value(p.client)).To(Equal("a"))
		})

		It("1.1.2.2 the API initializes the provider before it resolves a flag", func() {
			p := newProgram(serving("a"), given((*launchdarklytest.Server).HoldStreams))
			p.registerInBackground()
			Expect(p.box.WaitForStreams(waiting(), 1)).To(Succeed())
			Expect(decision(p, "flag", sandy).ErrorCode).To(Equal(openfeature.ProviderNotReadyCode))
			Expect(p.provider.Stats().Evaluations).To(BeZero())

			p.box.ReleaseStreams()
			Eventually(p.client.State).Should(Equal(openfeature.ReadyState))
			Expect(value(p.client)).To(Equal("a"))
		})

		It("1.1.2.3 the API shuts down a replaced provider, which delivers its events and closes its connection", func() {
			p, next := start(serving("a")), newProgram(serving("b"))
			p.client.Track(context.Background(), "checkout", sandy, details(1))
			Expect(p.api.SetProviderAndWait(waiting(), next.provider)).To(Succeed())
			Expect(value(p.client)).To(Equal("b"))
			Eventually(p.box).Should(ldmatchers.HaveReceived(ldmatchers.CustomEvent("checkout")))
			Eventually(p.box.Streams).Should(BeZero())
			Expect(next.box.Streams()).To(Equal(1))
		})

		It("1.1.2.4 setting the provider can wait for its initialization, and returns the initialization's error", func() {
			p := newProgram(serving("a"), given((*launchdarklytest.Server).HoldStreams))
			registered := make(chan error, 1)
			go func() { registered <- p.register() }()
			Expect(p.box.WaitForStreams(waiting(), 1)).To(Succeed())
			Consistently(registered).ShouldNot(Receive())
			p.box.ReleaseStreams()
			Eventually(registered).Should(Receive(BeNil()))
			Expect(p.client.State()).To(Equal(openfeature.ReadyState))

			Expect(newProgram(wrongKey).register()).To(MatchError(ContainSubstring("401")))
		})

		It("1.1.3 the API binds the provider to a domain until another provider replaces it", func() {
			p, next := newProgram(serving("a")), newProgram(serving("b"))
			blue := openfeature.WithDomain("blue")
			client := p.api.NewClient(blue)
			Expect(p.api.SetProviderAndWait(waiting(), p.provider, blue)).To(Succeed())
			Expect(value(client)).To(Equal("a"))
			Expect(value(p.client)).To(Equal("default"), "outside of the domain")
			Expect(p.api.SetProviderAndWait(waiting(), next.provider, blue)).To(Succeed())
			Expect(value(client)).To(Equal("b"))
		})

		It("1.1.5 the API returns the provider's metadata, with and without a domain", func() {
			p := newProgram()
			registerGlobally(p)
			Expect(openfeature.ProviderMetadata().Name).To(Equal("LaunchDarkly"))
			Expect(openfeature.SetNamedProviderWithContextAndWait(waiting(), "blue", p.provider)).To(Succeed())
			Expect(openfeature.NamedProviderMetadata("blue").Name).To(Equal("LaunchDarkly"))
			Expect(openfeature.NamedProviderMetadata("unbound").Name).To(Equal("LaunchDarkly"))
		})
	})

	Describe("evaluating", func() {
		It("1.3.1.1 the client returns LaunchDarkly's value of each type for the call's evaluation context", func() {
			p := start(given(typed), given(func(box *launchdarklytest.Server) { onlyFor(box, "sandy") }))
			ctx := context.Background()
			Expect(p.client.BooleanValue(ctx, "boolean", false, sandy)).To(BeTrue())
			Expect(p.client.StringValue(ctx, "string", "default", sandy)).To(Equal("green"))
			Expect(p.client.IntValue(ctx, "integer", 7, sandy)).To(Equal(int64(42)))
			Expect(p.client.FloatValue(ctx, "float", 7.5, sandy)).To(Equal(2.5))
			Expect(p.client.ObjectValue(ctx, "object", theme, sandy)).To(Equal(map[string]any{"color": "green"}))
			Expect(p.client.StringValue(ctx, "targeted", "default", sandy)).To(Equal("for sandy"))
			Expect(p.client.StringValue(ctx, "targeted", "default", user("kim"))).To(Equal("for others"))
		})

		It("1.3.3.1 the client returns the same LaunchDarkly number as an integer and as a float", func() {
			p := start(given(typed))
			Expect(p.client.IntValue(context.Background(), "integer", 7, sandy)).To(Equal(int64(42)))
			Expect(p.client.FloatValue(context.Background(), "integer", 7.5, sandy)).To(Equal(42.0))
		})

		DescribeTable("1.3.4 the client returns the default if LaunchDarkly's value has another type",
			func(flag string, others ...int) {
				p := start(given(typed))
				outcomes := eachType(p.client, flag, sandy)
				for _, i := range others {
					Expect(outcomes[i].value).To(Equal(defaultsOfEachType()[i]))
					Expect(outcomes[i].Reason).To(Equal(openfeature.ErrorReason))
					Expect(outcomes[i].ErrorCode).To(Equal(openfeature.TypeMismatchCode))
					Expect(outcomes[i].Variant).To(BeEmpty())
					Expect(outcomes[i].err).To(HaveOccurred())
				}
			},
			Entry("a boolean", "boolean", 1, 2, 3),
			Entry("a string", "string", 0, 2, 3),
			Entry("an integer", "integer", 0, 1),
			Entry("a float", "float", 0, 1),
			Entry("an object", "object", 0, 1, 2, 3),
		)
	})

	Describe("evaluation details", func() {
		It("1.4.1.1 the client returns evaluation details for each type", func() {
			p := start(given(typed))
			outcomes := eachType(p.client, "", sandy)
			Expect(valuesOf(outcomes)).To(Equal([]any{true, "green", int64(42), 2.5, map[string]any{"color": "green"}}))
			for i, ofType := range []openfeature.Type{
				openfeature.Boolean, openfeature.String, openfeature.Int, openfeature.Float, openfeature.Object,
			} {
				Expect(outcomes[i].err).NotTo(HaveOccurred())
				Expect(outcomes[i].FlagType).To(Equal(ofType))
				Expect(outcomes[i].ResolutionDetail).To(Equal(openfeature.ResolutionDetail{
					Variant:      "0",
					Reason:       "FALLTHROUGH",
					FlagMetadata: openfeature.FlagMetadata{"reasonKind": "FALLTHROUGH", "variationIndex": 0},
				}))
			}
		})

		It("1.4.3 details contain LaunchDarkly's value", func() {
			p := start(given(decisions))
			Expect(decision(p, "targeted", sandy).value).To(Equal("b"))
			Expect(decision(p, "targeted", user("kim")).value).To(Equal("a"))
			Expect(decision(p, "off", sandy).value).To(Equal("c"))
		})

		It("1.4.5 details contain the flag key that was requested", func() {
			p := start(given(func(box *launchdarklytest.Server) {
				box.SetValue("Näh.flag-1_x", ldvalue.String("a"))
			}))
			found := decision(p, "Näh.flag-1_x", sandy)
			Expect(found.err).NotTo(HaveOccurred())
			Expect(found.FlagKey).To(Equal("Näh.flag-1_x"))
			Expect(decision(p, "unknown", sandy).FlagKey).To(Equal("unknown"))
		})

		It("1.4.6 details contain the variation index as the variant", func() {
			p := start(given(decisions))
			Expect(decision(p, "plain", sandy).Variant).To(Equal("0"))
			Expect(decision(p, "targeted", sandy).Variant).To(Equal("1"))
			Expect(decision(p, "off", sandy).Variant).To(Equal("2"))
			Expect(decision(p, "off-for-nothing", sandy).Variant).To(BeEmpty(), "no variation was served")
		})

		It("1.4.7 details contain the provider's reason", func() {
			p := start(given(decisions))
			Expect(decision(p, "plain", sandy).Reason).To(Equal(openfeature.Reason("FALLTHROUGH")))
			Expect(decision(p, "targeted", sandy).Reason).To(Equal(openfeature.TargetingMatchReason))
			Expect(decision(p, "off", sandy).Reason).To(Equal(openfeature.DisabledReason))
		})

		It("1.4.8 details contain an error code if an evaluation of any type fails", func() {
			p := start()
			for _, o := range eachType(p.client, "unknown", sandy) {
				Expect(o.err).To(HaveOccurred())
				Expect(o.ErrorCode).To(Equal(openfeature.FlagNotFoundCode))
			}
			for _, o := range eachType(p.client, "unknown", user("")) {
				Expect(o.err).To(HaveOccurred())
				Expect(o.ErrorCode).To(Equal(openfeature.TargetingKeyMissingCode))
			}
		})

		It("1.4.9 details contain the reason ERROR if an evaluation fails", func() {
			for _, reasons := range [][]launchdarkly.Option{nil, {launchdarkly.WithStandardReasons()}} {
				p := start(given(decisions), options(reasons...))
				Expect(decision(p, "unknown", sandy).Reason).To(Equal(openfeature.ErrorReason))
				Expect(decision(p, "broken", sandy).Reason).To(Equal(openfeature.ErrorReason))
				Expect(decision(p, "plain", user("")).Reason).To(Equal(openfeature.ErrorReason))
				Expect(decision(p, "plain", user("sandy", "kind", "a b")).Reason).To(Equal(openfeature.ErrorReason))
			}
		})

		It("1.4.10 details contain the default if an evaluation fails, and nothing panics", func() {
			p := newProgram(given(typed))
			hostile := user("sandy", "channel", channel, "cycle", cycle, "nan", math.NaN(), "name", 7)
			failing := func() {
				GinkgoHelper()
				for _, flag := range []string{"unknown", "\xff", "a\x00b"} {
					for _, who := range []openfeature.EvaluationContext{{}, sandy, hostile, user("sandy", "kind", "a b")} {
						Expect(valuesOf(eachType(p.client, flag, who))).To(Equal(defaultsOfEachType()))
					}
				}
			}
			failing()
			Expect(p.register()).To(Succeed())
			failing()
			Expect(eachType(p.client, "", hostile)[1].value).To(Equal("green"), "that is no failure")
			Expect(p.api.Shutdown(waiting())).To(Succeed())
			failing()
			Expect(valuesOf(eachType(p.client, "", sandy))).To(Equal(defaultsOfEachType()))
		})

		It("1.4.12 details are returned without waiting for a service", func() {
			p := start(given(decisions))
			goStale(p)
			p.box.DelayEvents(time.Hour)
			DeferCleanup(p.box.DelayEvents, time.Duration(0))
			var evaluations sync.WaitGroup
			for range 8 {
				evaluations.Go(func() {
					defer GinkgoRecover()
					for range 100 {
						Expect(decision(p, "targeted", sandy).value).To(Equal("b"))
					}
				})
			}
			evaluations.Wait()
			Expect(p.provider.Stats().Evaluations).To(Equal(uint64(800)))
		})

		It("1.4.13 details contain an error message with the cause", func() {
			p := start(given(decisions))
			Expect(decision(p, "unknown", sandy).ErrorMessage).To(ContainSubstring("unknown feature key: unknown"))
			Expect(decision(p, "plain", user("", "plan", "gold")).ErrorMessage).To(ContainSubstring("targeting key missing"))
			Expect(decision(p, "plain", user("sandy", "kind", "a b")).ErrorMessage).
				To(ContainSubstring("context kind contains disallowed characters"))
		})

		It("1.4.14 details contain the provider's flag metadata, or an empty record if the provider was not called", func() {
			p := newProgram(given(decisions), given((*launchdarklytest.Server).HoldStreams))
			p.registerInBackground()
			metadata := decision(p, "plain", sandy).FlagMetadata
			Expect(metadata).NotTo(BeNil())
			Expect(metadata).To(BeEmpty())

			p.box.ReleaseStreams()
			Eventually(p.client.State).Should(Equal(openfeature.ReadyState))
			Expect(decision(p, "second-rule", user("sandy", "country", "NL")).FlagMetadata).To(Equal(
				openfeature.FlagMetadata{"reasonKind": "RULE_MATCH", "ruleIndex": 1, "ruleId": "dutch", "variationIndex": 1}))
			Expect(decision(p, "unknown", sandy).FlagMetadata).To(Equal(
				openfeature.FlagMetadata{"reasonKind": "ERROR", "errorKind": "FLAG_NOT_FOUND"}))
		})

		It("1.4.14.1 details do not share flag metadata with another evaluation", func() {
			p := start(given(decisions))
			for _, flag := range []string{"plain", "unknown"} {
				first := decision(p, flag, sandy).FlagMetadata
				want := decision(p, flag, sandy).FlagMetadata
				first["reasonKind"], first["more"] = "changed", true
				Expect(decision(p, flag, sandy).FlagMetadata).To(Equal(want))
			}
		})
	})

	It("1.5.1 hooks of an evaluation run in order, together with the provider's hooks", func() {
		var notes journal
		p := start(serving("a"), options(launchdarkly.WithHooks(notes.hook("provider"))))
		p.client.String(context.Background(), "flag", "default", sandy,
			openfeature.WithHooks(notes.hook("first"), notes.hook("second")))
		Expect(notes.of("before")).To(Equal([]string{"first", "second", "provider"}))
		notes.clear()
		value(p.client)
		Expect(notes.of("before")).To(Equal([]string{"provider"}), "the hooks of one evaluation are those of one")
	})

	Describe("shutting down", func() {
		It("1.6.1 the API's shutdown shuts down the provider of each domain, delivers events and closes connections", func() {
			p, other := start(serving("a")), newProgram(serving("b"))
			blue := openfeature.WithDomain("blue")
			Expect(p.api.SetProviderAndWait(waiting(), other.provider, blue)).To(Succeed())
			p.client.Track(context.Background(), "checkout", sandy, details(1))
			p.api.NewClient(blue).Track(context.Background(), "checkout", sandy, details(2))
			Expect(p.api.Shutdown(waiting())).To(Succeed())
			Expect(p.box.CustomEvents()).To(ConsistOf(ldmatchers.CustomEvent("checkout").WithMetric(1)))
			Expect(other.box.CustomEvents()).To(ConsistOf(ldmatchers.CustomEvent("checkout").WithMetric(2)))
			Eventually(p.box.Streams).Should(BeZero())
			Eventually(other.box.Streams).Should(BeZero())
		})

		It("1.6.2 the API's shutdown removes provider, hooks and context, and the provider can be set again", func() {
			var notes journal
			p := newProgram(given(decisions))
			registerGlobally(p)
			openfeature.AddHooks(notes.hook("api"))
			openfeature.SetEvaluationContext(sandy)
			evaluate := func() string {
				return openfeature.NewDefaultClient().String(
					context.Background(), "targeted", "default", openfeature.EvaluationContext{})
			}
			Expect(evaluate()).To(Equal("b"))
			Expect(openfeature.ShutdownWithContext(waiting())).To(Succeed())
			notes.clear()
			Expect(evaluate()).To(Equal("default"))
			Expect(openfeature.ProviderMetadata()).To(Equal(openfeature.NoopProvider{}.Metadata()))

			registerGlobally(p)
			Expect(evaluate()).To(Equal("default"), "there is no key any more")
			openfeature.SetEvaluationContext(sandy)
			Expect(evaluate()).To(Equal("b"))
			Expect(notes.of("before")).To(BeEmpty())
		})
	})

	Describe("provider status", func() {
		It("1.7.1 the status follows the connection: NOT_READY, READY, STALE, ERROR, FATAL", func() {
			p := newProgram(serving("a"), given((*launchdarklytest.Server).HoldStreams))
			p.registerInBackground()
			Expect(p.client.State()).To(Equal(openfeature.NotReadyState))
			p.box.ReleaseStreams()
			Eventually(p.client.State).Should(Equal(openfeature.ReadyState))
			goStale(p)
			comeBack(p)
			loseKey(p)
			Eventually(p.client.State).Should(Equal(openfeature.ErrorState))

			unknown := newProgram(wrongKey)
			Expect(unknown.register()).NotTo(Succeed())
			Expect(unknown.client.State()).To(Equal(openfeature.FatalState))
		})

		It("1.7.3 the status is READY after an initialization that received flags", func() {
			p := newProgram(serving("a"))
			Expect(p.client.State()).To(Equal(openfeature.NotReadyState))
			Expect(p.register()).To(Succeed())
			Expect(p.client.State()).To(Equal(openfeature.ReadyState))
		})

		It("1.7.4 the status is ERROR after an initialization that timed out without flags", func() {
			p := newProgram(serving("a"), given((*launchdarklytest.Server).HoldStreams), impatient)
			Expect(p.register()).NotTo(Succeed())
			Expect(p.client.State()).To(Equal(openfeature.ErrorState))
		})

		It("1.7.5 the status is FATAL after an initialization with an invalid SDK key", func() {
			p := newProgram(serving("a"), wrongKey)
			Expect(p.register()).NotTo(Succeed())
			Expect(p.client.State()).To(Equal(openfeature.FatalState))
		})

		// unasked asserts that the client does not call a provider.
		unasked := func(p *program, notes *journal, code openfeature.ErrorCode) {
			GinkgoHelper()
			notes.clear()
			outcomes := eachType(p.client, "flag", sandy)
			Expect(valuesOf(outcomes)).To(Equal(defaultsOfEachType()))
			for _, o := range outcomes {
				Expect(o.err).To(HaveOccurred())
				Expect(o.Reason).To(Equal(openfeature.ErrorReason))
				Expect(o.ErrorCode).To(Equal(code))
			}
			Expect(notes.of("error")).To(HaveLen(len(outcomes)))
			Expect(notes.of("before")).To(BeEmpty())
			Expect(p.provider.Stats().Evaluations).To(BeZero())
		}

		It("1.7.6 evaluations return the default and run error hooks while the status is NOT_READY", func() {
			var notes journal
			p := newProgram(serving("a"), given((*launchdarklytest.Server).HoldStreams),
				options(launchdarkly.WithHooks(notes.hook("provider"))))
			p.registerInBackground()
			unasked(p, &notes, openfeature.ProviderNotReadyCode)
		})

		It("1.7.7 evaluations return the default and run error hooks while the status is FATAL", func() {
			var notes journal
			p := newProgram(serving("a"), wrongKey, options(launchdarkly.WithHooks(notes.hook("provider"))))
			Expect(p.register()).NotTo(Succeed())
			unasked(p, &notes, openfeature.ProviderFatalCode)
		})

		It("1.7.8 the application receives the error code of a failed initialization", func() {
			initError, ok := errors.AsType[*openfeature.ProviderInitError](newProgram(wrongKey).register())
			Expect(ok).To(BeTrue())
			Expect(initError.ErrorCode).To(Equal(openfeature.ProviderFatalCode))
		})
	})

	Describe("isolated APIs", func() {
		It("1.8.1 isolated APIs do not share providers, contexts, hooks or events", func() {
			var notes journal
			p, other := newProgram(given(decisions)), newProgram(serving("b"))
			Expect(p.register()).To(Succeed())
			Expect(other.register()).To(Succeed())
			p.api.AddHooks(notes.hook("api"))
			p.api.SetEvaluationContext(sandy)
			Expect(decision(p, "targeted", openfeature.EvaluationContext{}).value).To(Equal("b"))
			Expect(notes.of("before")).To(HaveLen(1))

			Expect(decision(other, "flag", openfeature.EvaluationContext{}).ErrorCode).
				To(Equal(openfeature.TargetingKeyMissingCode))
			Expect(value(other.client)).To(Equal("b"))
			Expect(notes.of("before")).To(HaveLen(1))
			p.track("checkout", sandy, details(1))
			other.flush()
			Expect(other.box.CustomEvents()).To(BeEmpty())
			goStale(p)
			Eventually(p.events.counter(openfeature.ProviderStale)).Should(Equal(1))
			Expect(other.client.State()).To(Equal(openfeature.ReadyState))
			Consistently(other.events.counter(openfeature.ProviderStale)).Should(BeZero())
			Expect(p.api.Shutdown(waiting())).To(Succeed())
			Expect(value(other.client)).To(Equal("b"))
		})

		It("1.8.2 isolated APIs behave like the process-wide API", func() {
			isolated, shared := start(given(decisions)), newProgram(given(decisions))
			registerGlobally(shared)
			shared.client = openfeature.NewDefaultClient()
			for _, flag := range []string{"plain", "targeted", "off", "unknown", "broken"} {
				Expect(decision(shared, flag, sandy)).To(Equal(decision(isolated, flag, sandy)))
			}
			for _, p := range []*program{isolated, shared} {
				p.track("checkout", sandy, details(99.77, "currency", "EUR"))
				goStale(p)
			}
			Expect(received(shared.box, "checkout")).To(MatchJSON(received(isolated.box, "checkout")))
		})

		It("1.8.4 an isolated API rejects a provider of another API until that API has released it", func() {
			p := start(serving("a"))
			next, _ := newAPI()
			Expect(next.SetProviderAndWait(waiting(), p.provider)).NotTo(Succeed())
			Expect(value(next.NewClient())).To(Equal("default"))
			Expect(value(p.client)).To(Equal("a"), "the first API keeps it")
			Expect(p.api.Shutdown(waiting())).To(Succeed())
			Expect(next.SetProviderAndWait(waiting(), p.provider)).To(Succeed())
			Expect(value(next.NewClient())).To(Equal("a"))
		})
	})
})
