// Package program runs an application for a suite: an OpenFeature API of its own, with a provider
// and what OpenFeature reports about it.
package program

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/suite"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// Default is what Value and Details return for a flag without a value.
const Default = "default"

// Sandy returns the evaluation context of programs.
func Sandy() openfeature.EvaluationContext { return openfeature.NewEvaluationContext("sandy", nil) }

// Program is an application. It is shut down after its spec.
type Program struct {
	Provider *launchdarkly.Provider
	API      *openfeature.EvaluationAPI
	Client   *openfeature.Client
	Events   *Events
}

// New returns a program whose provider is not registered yet.
func New(config ld.Config, options ...launchdarkly.Option) *Program {
	ginkgo.GinkgoHelper()
	provider, err := launchdarkly.NewProvider(launchdarklytest.ValidSDKKey, append([]launchdarkly.Option{
		launchdarkly.WithConfig(config),
		launchdarkly.WithLogger(slog.New(slog.DiscardHandler)),
		launchdarkly.WithInitTimeout(suite.Patience),
	}, options...)...)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	ginkgo.DeferCleanup(func() { _ = provider.ShutdownWithContext(Waiting()) })
	api := isolated.NewAPI()
	ginkgo.DeferCleanup(func() { _ = api.Shutdown(Waiting()) })
	return &Program{Provider: provider, API: api, Client: api.NewClient(), Events: listen(api)}
}

// Start returns a program with a registered provider.
func Start(config ld.Config, options ...launchdarkly.Option) *Program {
	ginkgo.GinkgoHelper()
	p := New(config, options...)
	gomega.Expect(p.Register()).To(gomega.Succeed())
	gomega.Expect(p.Client.State()).To(gomega.Equal(openfeature.ReadyState))
	return p
}

// Register registers the provider and waits until it is initialized.
func (p *Program) Register() error { return p.API.SetProviderAndWait(Waiting(), p.Provider) }

// Value evaluates the flag named flag, whose values are strings.
func (p *Program) Value() string {
	return p.Client.String(context.Background(), "flag", Default, Sandy())
}

// Details evaluates the flag named flag, whose values are strings.
func (p *Program) Details() (openfeature.StringEvaluationDetails, error) {
	return p.Client.StringValueDetails(context.Background(), "flag", Default, Sandy())
}

// Track tracks an event with the metric value 1.
func (p *Program) Track(name string) {
	p.Client.Track(context.Background(), name, Sandy(), openfeature.NewTrackingEventDetails(1))
}

// Flush waits until everything is delivered.
func (p *Program) Flush() {
	ginkgo.GinkgoHelper()
	gomega.Expect(p.Provider.Flush(Waiting())).To(gomega.Succeed())
}

// Waiting returns a context that ends after [suite.Patience].
func Waiting() context.Context { return suite.Within(suite.Patience) }

// NewBox returns a LaunchDarkly that is closed after the spec.
func NewBox() *launchdarklytest.Server {
	box := launchdarklytest.NewServer()
	ginkgo.DeferCleanup(box.Close)
	return box
}

// Serving returns a LaunchDarkly that serves a value for the flag named flag.
func Serving(value string) *launchdarklytest.Server {
	box := NewBox()
	box.SetValue("flag", value)
	return box
}

// Events counts the provider events that OpenFeature reports.
type Events struct {
	mu   sync.Mutex
	seen []openfeature.EventType
}

// listen must be called before a provider is registered: later, OpenFeature reports the current
// state, too.
func listen(api *openfeature.EvaluationAPI) *Events {
	e := &Events{}
	for _, eventType := range []openfeature.EventType{
		openfeature.ProviderReady, openfeature.ProviderStale, openfeature.ProviderError, openfeature.ProviderConfigChange,
	} {
		handler := func(openfeature.EventDetails) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.seen = append(e.seen, eventType)
		}
		api.AddHandler(eventType, &handler)
	}
	return e
}

// Count returns a function that counts the events of a type, for Eventually and Consistently.
func (e *Events) Count(eventType openfeature.EventType) func() int {
	return func() int {
		e.mu.Lock()
		defer e.mu.Unlock()
		return len(slices.DeleteFunc(slices.Clone(e.seen), func(seen openfeature.EventType) bool { return seen != eventType }))
	}
}
