package redis

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

var (
	sandy = openfeature.NewEvaluationContext("sandy", nil)
	one   = openfeature.NewTrackingEventDetails(1)
)

// program is an application with its own LaunchDarkly, provider and OpenFeature API.
type program struct {
	box      *launchdarklytest.Server
	provider *launchdarkly.Provider
	api      *openfeature.EvaluationAPI
	client   *openfeature.Client
	events   *events
}

func newBox() *launchdarklytest.Server {
	box := launchdarklytest.NewServer()
	DeferCleanup(box.Close)
	return box
}

// newProgram makes a program whose provider is not registered yet.
func newProgram(
	box *launchdarklytest.Server, change func(*ld.Config), options ...launchdarkly.Option,
) *program {
	GinkgoHelper()
	config := box.Config()
	change(&config)
	provider, err := launchdarkly.NewProvider(box.SDKKey(), append([]launchdarkly.Option{
		launchdarkly.WithConfig(config),
		launchdarkly.WithLogger(slog.New(slog.DiscardHandler)),
		launchdarkly.WithInitTimeout(patience),
	}, options...)...)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { _ = provider.ShutdownWithContext(waiting()) })
	api := isolated.NewAPI()
	DeferCleanup(func() { _ = api.Shutdown(waiting()) })
	return &program{box: box, provider: provider, api: api, client: api.NewClient(), events: listenTo(api)}
}

// start makes a program and registers its provider.
func start(box *launchdarklytest.Server, change func(*ld.Config)) *program {
	GinkgoHelper()
	p := newProgram(box, change)
	Expect(p.register()).To(Succeed())
	Expect(p.client.State()).To(Equal(openfeature.ReadyState))
	return p
}

func (p *program) register() error { return p.api.SetProviderAndWait(waiting(), p.provider) }

// value evaluates the flag named flag.
func (p *program) value() string {
	return p.client.String(context.Background(), "flag", "default", sandy)
}

func (p *program) details() (openfeature.StringEvaluationDetails, error) {
	return p.client.StringValueDetails(context.Background(), "flag", "default", sandy)
}

func (p *program) track(name string) { p.client.Track(context.Background(), name, sandy, one) }

func (p *program) flush() {
	GinkgoHelper()
	Expect(p.provider.Flush(waiting())).To(Succeed())
}

// storeAvailable asks LaunchDarkly's SDK.
func (p *program) storeAvailable() bool {
	return p.provider.Client().GetDataStoreStatusProvider().GetStatus().Available
}

// events counts what OpenFeature tells about a provider.
type events struct {
	mu   sync.Mutex
	seen []openfeature.EventType
}

// listenTo has to come before a provider is registered: later, OpenFeature would tell the current state, too.
func listenTo(api *openfeature.EvaluationAPI) *events {
	e := &events{}
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

// count is for Eventually and Consistently.
func (e *events) count(eventType openfeature.EventType) func() int {
	return func() int {
		e.mu.Lock()
		defer e.mu.Unlock()
		return len(slices.DeleteFunc(slices.Clone(e.seen), func(seen openfeature.EventType) bool { return seen != eventType }))
	}
}
