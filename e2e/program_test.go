package e2e

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/suite"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// discard is a logger for specs that do not examine the log.
var discard = slog.New(slog.DiscardHandler)

// sandy is the evaluation context of specs that do not test contexts.
var sandy = user("sandy")

// user returns an evaluation context; attributes are pairs of name and value.
func user(key string, attributes ...any) openfeature.EvaluationContext {
	return openfeature.NewEvaluationContext(key, pairs(attributes...))
}

func pairs(attributes ...any) map[string]any {
	m := make(map[string]any)
	for i := 0; i < len(attributes); i += 2 {
		m[attributes[i].(string)] = attributes[i+1]
	}
	return m
}

// program is an application with its own LaunchDarkly, provider and OpenFeature API.
type program struct {
	box      *launchdarklytest.Server
	provider *launchdarkly.Provider
	api      *openfeature.EvaluationAPI
	client   *openfeature.Client
	log      *suite.Log
	problems *problems // errors passed to the error handler
	events   *events   // provider events

	connection *connection // the data source, unless a spec chooses another one
}

// setup is the configuration of a program, which specs can change.
type setup struct {
	box     *launchdarklytest.Server
	sdkKey  string
	config  ld.Config
	options []launchdarkly.Option

	connection *connection
}

// newProgram returns a program whose provider is not registered yet.
func newProgram(choices ...func(*setup)) *program {
	GinkgoHelper()
	p := &program{log: new(suite.Log), problems: new(problems)}
	p.box = newBox()
	s := setup{box: p.box, sdkKey: p.box.SDKKey(), config: p.box.Config()}
	p.connection = &connection{stream: s.config.DataSource}
	s.config.DataSource, s.connection = p.connection, p.connection
	for _, choose := range choices {
		choose(&s)
	}
	options := append([]launchdarkly.Option{
		launchdarkly.WithConfig(s.config),
		launchdarkly.WithLogger(p.log.Logger()),
		launchdarkly.WithErrorHandler(p.problems.add),
		launchdarkly.WithInitTimeout(patience),
	}, s.options...)
	var err error
	p.provider, err = launchdarkly.NewProvider(s.sdkKey, options...)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { shutDown(p.provider) })
	p.useNewAPI()
	return p
}

// start returns a program with a registered provider.
func start(choices ...func(*setup)) *program {
	GinkgoHelper()
	p := newProgram(choices...)
	Expect(p.register()).To(Succeed())
	return p
}

// useNewAPI replaces the program's OpenFeature API with one without a provider.
func (p *program) useNewAPI() {
	p.api, p.events = newAPI()
	p.client = p.api.NewClient()
}

func (p *program) register() error { return p.api.SetProviderAndWait(waiting(), p.provider) }

// registerInBackground does not wait for the initialization. The spec's cleanup does: OpenFeature's
// SDK can initialize a provider after its shutdown, which would start the provider again.
func (p *program) registerInBackground() {
	GinkgoHelper()
	Expect(p.api.SetProvider(waiting(), p.provider)).To(Succeed())
	DeferCleanup(func() {
		p.box.ReleaseStreams()
		Eventually(p.client.State).ShouldNot(Equal(openfeature.NotReadyState))
	})
}

// flush waits until LaunchDarkly has received all events.
func (p *program) flush() {
	GinkgoHelper()
	Expect(p.provider.Flush(waiting())).To(Succeed())
}

// track tracks an event and waits until LaunchDarkly has received it.
func (p *program) track(
	name string, evaluationContext openfeature.EvaluationContext, details openfeature.TrackingEventDetails,
) {
	GinkgoHelper()
	p.client.Track(context.Background(), name, evaluationContext, details)
	p.flush()
}

// allAt returns endpoints with all of LaunchDarkly's services at one URL.
func allAt(url string) interfaces.ServiceEndpoints {
	return interfaces.ServiceEndpoints{Streaming: url, Polling: url, Events: url}
}

func newBox() *launchdarklytest.Server {
	box := launchdarklytest.NewServer()
	DeferCleanup(box.Close)
	return box
}

// newClient returns a client that the application makes.
func newClient(box *launchdarklytest.Server, config ld.Config) *ld.LDClient {
	GinkgoHelper()
	client, err := ld.MakeCustomClient(box.SDKKey(), config, patience)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(client.Close)
	return client
}

// newAPI returns an OpenFeature API that is shut down after the spec.
func newAPI() (*openfeature.EvaluationAPI, *events) {
	api := isolated.NewAPI()
	DeferCleanup(func() { _ = api.Shutdown(waiting()) })
	return api, listenTo(api)
}

// shutDown is a cleanup. It does nothing if the spec has shut the provider down.
func shutDown(provider *launchdarkly.Provider) { _ = provider.ShutdownWithContext(waiting()) }

func configure(change func(*ld.Config)) func(*setup) {
	return func(s *setup) { change(&s.config) }
}

func options(options ...launchdarkly.Option) func(*setup) {
	return func(s *setup) { s.options = append(s.options, options...) }
}

// given prepares LaunchDarkly before the provider connects.
func given(prepare func(box *launchdarklytest.Server)) func(*setup) {
	return func(s *setup) { prepare(s.box) }
}

// received returns the only custom event with the key, as received and without its date.
func received(box *launchdarklytest.Server, key string) string {
	GinkgoHelper()
	events := box.CustomEvents(key)
	Expect(events).To(HaveLen(1))
	var fields map[string]json.RawMessage
	Expect(json.Unmarshal(events[0].Raw, &fields)).To(Succeed())
	Expect(fields).To(HaveKey("creationDate"))
	delete(fields, "creationDate")
	text, err := json.Marshal(fields)
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}

// problems records the calls of an error handler.
type problems struct {
	mu   sync.Mutex
	errs []error
	ctxs []context.Context
}

func (p *problems) add(ctx context.Context, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errs = append(p.errs, err)
	p.ctxs = append(p.ctxs, ctx)
}

func (p *problems) all() []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.errs)
}

func (p *problems) contexts() []context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.ctxs)
}

// events records provider events by type, because OpenFeature runs handlers in no particular order.
type events struct {
	mu     sync.Mutex
	byType map[openfeature.EventType][]openfeature.EventDetails
}

// listenTo records the events of an API or a client. It must be called before a provider is
// registered: later, OpenFeature also reports the current state.
func listenTo(source openfeature.IEventing) *events {
	e := &events{byType: make(map[openfeature.EventType][]openfeature.EventDetails)}
	for _, eventType := range []openfeature.EventType{
		openfeature.ProviderReady, openfeature.ProviderStale, openfeature.ProviderError, openfeature.ProviderConfigChange,
	} {
		handler := func(details openfeature.EventDetails) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.byType[eventType] = append(e.byType[eventType], details)
		}
		source.AddHandler(eventType, &handler)
	}
	return e
}

func (e *events) of(eventType openfeature.EventType) []openfeature.EventDetails {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.byType[eventType])
}

// counter returns a function that counts the events of a type, for Eventually and Consistently.
func (e *events) counter(eventType openfeature.EventType) func() int {
	return func() int { return len(e.of(eventType)) }
}
