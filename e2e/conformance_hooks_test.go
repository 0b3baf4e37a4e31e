package e2e

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// journal records the calls of hooks. Its zero value is empty.
type journal struct {
	mu    sync.Mutex
	calls []hookCall
}

// hookCall is one stage of one hook.
type hookCall struct {
	stage, hook string
	context     openfeature.HookContext
	details     openfeature.InterfaceEvaluationDetails // of the stages after and finally
	err         error                                  // of the stage error
	hints       openfeature.HookHints
}

// hook returns a hook that records its calls.
func (j *journal) hook(name string) *journalHook { return &journalHook{name: name, journal: j} }

// adding returns a hook that adds attributes to the evaluation context.
func (j *journal) adding(name string, added openfeature.EvaluationContext) *journalHook {
	return &journalHook{name: name, journal: j, added: &added}
}

// failing returns a hook that fails in a stage.
func (j *journal) failing(name, stage string) *journalHook {
	return &journalHook{name: name, journal: j, fails: stage}
}

func (j *journal) add(call hookCall) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.calls = append(j.calls, call)
}

func (j *journal) clear() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.calls = nil
}

// stage returns the calls of a stage, in order.
func (j *journal) stage(stage string) []hookCall {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(j.calls), func(c hookCall) bool { return c.stage != stage })
}

// of returns the names of the hooks that were called for a stage.
func (j *journal) of(stage string) []string {
	var names []string
	for _, call := range j.stage(stage) {
		names = append(names, call.hook)
	}
	return names
}

// all returns a line with stage and hook for each call.
func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var lines []string
	for _, call := range j.calls {
		lines = append(lines, call.stage+" "+call.hook)
	}
	return lines
}

// journalHook records its calls.
type journalHook struct {
	name    string
	journal *journal
	added   *openfeature.EvaluationContext
	fails   string
}

var errHook = errors.New("the hook has failed")

func (h *journalHook) Before(_ context.Context, c openfeature.HookContext, hints openfeature.HookHints) (
	*openfeature.EvaluationContext, error,
) {
	h.journal.add(hookCall{stage: "before", hook: h.name, context: c, hints: hints})
	if h.fails == "before" {
		return nil, errHook
	}
	return h.added, nil
}

func (h *journalHook) After(_ context.Context, c openfeature.HookContext, d openfeature.InterfaceEvaluationDetails,
	hints openfeature.HookHints,
) error {
	h.journal.add(hookCall{stage: "after", hook: h.name, context: c, details: d, hints: hints})
	if h.fails == "after" {
		return errHook
	}
	return nil
}

func (h *journalHook) Error(_ context.Context, c openfeature.HookContext, err error, hints openfeature.HookHints) {
	h.journal.add(hookCall{stage: "error", hook: h.name, context: c, err: err, hints: hints})
}

func (h *journalHook) Finally(_ context.Context, c openfeature.HookContext, d openfeature.InterfaceEvaluationDetails,
	hints openfeature.HookHints,
) {
	h.journal.add(hookCall{stage: "finally", hook: h.name, context: c, details: d, hints: hints})
}

var _ = Describe("OpenFeature 4, hooks", func() {
	var notes *journal

	BeforeEach(func() { notes = new(journal) })

	// withHooks starts a program with a hook on each level. The given hooks replace the default
	// ones.
	withHooks := func(others map[string]*journalHook, choices ...func(*setup)) *program {
		GinkgoHelper()
		at := func(level string) *journalHook {
			if hook, ok := others[level]; ok {
				return hook
			}
			return notes.hook(level)
		}
		p := start(append(choices, options(launchdarkly.WithHooks(at("provider"))))...)
		p.api.AddHooks(at("api"))
		p.client.AddHooks(at("client"))
		return p
	}
	// evaluate evaluates a flag with a hook for the call.
	evaluate := func(p *program, flag string, opts ...openfeature.Option) outcome {
		return outcomeOf(p.client.StringValueDetails(context.Background(), flag, "default", sandy,
			append(opts, openfeature.WithHooks(notes.hook("call")))...))
	}

	It("4.1.2 hooks receive the metadata of the provider and of the client", func() {
		p := start(serving("a"), options(launchdarkly.WithHooks(notes.hook("provider"))))
		blue := openfeature.WithDomain("blue")
		Expect(p.api.SetProviderAndWait(waiting(), p.provider, blue)).To(Succeed())
		Expect(value(p.api.NewClient(blue))).To(Equal("a"))
		for _, stage := range []string{"before", "after", "finally"} {
			Expect(notes.stage(stage)).To(HaveLen(1))
			Expect(notes.stage(stage)[0].context.ProviderMetadata().Name).To(Equal("LaunchDarkly"))
			Expect(notes.stage(stage)[0].context.ClientMetadata().Domain()).To(Equal("blue"))
		}
	})

	It("4.3.2.1 before hooks run before LaunchDarkly evaluates, with the context that they return", func() {
		p := start(given(decisions), options(launchdarkly.WithHooks(notes.adding("provider", user("", "country", "NL")))))
		Expect(decision(p, "second-rule", sandy).value).To(Equal("b"))
		Expect(notes.of("before")).To(Equal([]string{"provider"}))
	})

	It("4.3.4 before hooks pass the evaluation context to the next hook, up to the provider's hooks", func() {
		p := withHooks(map[string]*journalHook{
			"api":    notes.adding("api", user("", "region", "eu")),
			"client": notes.adding("client", user("", "service", "shop")),
		}, given(trackedFlag))
		evaluate(p, "flag")
		calls := notes.stage("before")
		Expect(calls).To(HaveLen(4))
		Expect(calls[3].hook).To(Equal("provider"))
		Expect(flat(calls[3].context.EvaluationContext())).To(Equal(map[string]any{
			"targetingKey": "sandy", "region": "eu", "service": "shop",
		}))
	})

	It("4.3.5 before hooks add to the evaluation context that LaunchDarkly evaluates", func() {
		p := withHooks(map[string]*journalHook{
			"api":      notes.adding("api", user("", "region", "eu")),
			"provider": notes.adding("provider", user("", "plan", "gold")),
		}, given(trackedFlag))
		Expect(evaluatedWith(context.Background(), p, user("sandy", "plan", "free", "age", 42))).To(MatchJSON(
			`{"kind": "user", "key": "sandy", "region": "eu", "plan": "gold", "age": 42}`))
	})

	It("4.3.6 after hooks receive LaunchDarkly's evaluation details", func() {
		p := withHooks(nil, given(decisions))
		evaluated := evaluate(p, "targeted")
		Expect(notes.of("after")).To(HaveLen(4))
		for _, call := range notes.stage("after") {
			Expect(call.details).To(Equal(openfeature.InterfaceEvaluationDetails{
				Value: "b", EvaluationDetails: evaluated.EvaluationDetails,
			}))
			Expect(call.details.Variant).To(Equal("1"))
		}
	})

	It("4.3.7 error hooks receive the error if an evaluation fails", func() {
		p := withHooks(nil, given(decisions))
		failed := evaluate(p, "unknown")
		Expect(notes.of("after")).To(BeEmpty())
		Expect(notes.of("error")).To(HaveLen(4))
		for _, call := range notes.stage("error") {
			Expect(call.err).To(Equal(failed.err))
			Expect(call.err).To(MatchError(ContainSubstring(string(openfeature.FlagNotFoundCode))))
		}
	})

	It("4.3.8 finally hooks run last, with the details of the evaluation or of its failure", func() {
		p := withHooks(nil, given(decisions))
		for _, flag := range []string{"targeted", "unknown"} {
			notes.clear()
			evaluated := evaluate(p, flag)
			lines := notes.all()
			Expect(lines).To(HaveLen(12))
			Expect(lines[8:]).To(HaveEach(HavePrefix("finally ")))
			for _, call := range notes.stage("finally") {
				Expect(call.details.Value).To(Equal(evaluated.value))
				Expect(call.details.EvaluationDetails).To(Equal(evaluated.EvaluationDetails))
			}
		}
	})

	It("4.4.1 hooks can be added to the API, the client, the call and the provider", func() {
		p := withHooks(nil, given(decisions))
		evaluate(p, "targeted")
		Expect(notes.of("before")).To(ConsistOf("api", "client", "call", "provider"))
	})

	It("4.4.2 before hooks run in the order API, client, call, provider; other stages in reverse order", func() {
		p := withHooks(nil, given(decisions))
		forth := []string{"api", "client", "call", "provider"}
		back := []string{"provider", "call", "client", "api"}
		evaluate(p, "targeted")
		Expect(notes.of("before")).To(Equal(forth))
		Expect(notes.of("after")).To(Equal(back))
		Expect(notes.of("finally")).To(Equal(back))
		notes.clear()
		evaluate(p, "unknown")
		Expect(notes.of("before")).To(Equal(forth))
		Expect(notes.of("error")).To(Equal(back))
		Expect(notes.of("finally")).To(Equal(back))
	})

	It("4.4.5 error hooks run if a hook of the provider fails, before or after the evaluation", func() {
		for _, stage := range []string{"before", "after"} {
			notes.clear()
			p := withHooks(map[string]*journalHook{"provider": notes.failing("provider", stage)}, given(decisions))
			Expect(evaluate(p, "targeted").err).To(MatchError(errHook))
			Expect(notes.of("error")).To(Equal([]string{"provider", "call", "client", "api"}))
			for _, call := range notes.stage("error") {
				Expect(call.err).To(MatchError(errHook))
			}
		}
	})

	It("4.4.6 the remaining hooks of a stage do not run after one of them has failed", func() {
		p := withHooks(map[string]*journalHook{"provider": notes.failing("provider", "after")}, given(decisions))
		evaluate(p, "targeted")
		Expect(notes.of("after")).To(Equal([]string{"provider"}))

		notes.clear()
		p = withHooks(map[string]*journalHook{"client": notes.failing("client", "before")}, given(decisions))
		evaluate(p, "targeted")
		Expect(notes.of("before")).To(Equal([]string{"api", "client"}))
		Expect(notes.of("after")).To(BeEmpty())
		Expect(notes.of("finally")).To(HaveLen(4))
	})

	It("4.4.7 a failed before hook makes the evaluation return the default without calling LaunchDarkly", func() {
		p := withHooks(map[string]*journalHook{"provider": notes.failing("provider", "before")}, given(decisions))
		Expect(evaluate(p, "targeted").value).To(Equal("default"))
		Expect(p.provider.Stats().Evaluations).To(BeZero())
		p.flush()
		Expect(p.box.EventCount(launchdarklytest.KindSummary)).To(BeZero())
	})

	It("4.5.2 hooks receive the call's hints in each stage, including the provider's hooks", func() {
		p := withHooks(nil, given(decisions))
		hints := openfeature.WithHookHints(openfeature.NewHookHints(map[string]any{"trace": "t-1"}))
		evaluate(p, "targeted", hints)
		evaluate(p, "unknown", hints)
		Expect(strings.Join(notes.all(), "\n")).To(And(ContainSubstring("after provider"), ContainSubstring("error provider")))
		for _, stage := range []string{"before", "after", "error", "finally"} {
			for _, call := range notes.stage(stage) {
				Expect(call.hints.Value("trace")).To(Equal("t-1"), stage+" "+call.hook)
			}
		}
	})
})
