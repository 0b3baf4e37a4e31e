package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// discard is a logger for what a spec does not look at.
var discard = slog.New(slog.DiscardHandler)

// sandy is the user of specs that are not about contexts.
var sandy = user("sandy")

// user makes an evaluation context; attributes are pairs of name and value.
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
	log      *logbook
	problems *problems // what the error handler heard
	events   *events   // what OpenFeature told about the provider

	connection *connection // by which flags come, unless a spec chooses another data source
}

// setup is what a spec can choose about its program.
type setup struct {
	box     *launchdarklytest.Server
	sdkKey  string
	config  ld.Config
	options []launchdarkly.Option

	connection *connection
}

// newProgram makes a program whose provider is not registered yet.
func newProgram(choices ...func(*setup)) *program {
	GinkgoHelper()
	p := &program{log: new(logbook), problems: new(problems)}
	p.box = newBox()
	s := setup{box: p.box, sdkKey: p.box.SDKKey(), config: p.box.Config()}
	p.connection = &connection{stream: s.config.DataSource}
	s.config.DataSource, s.connection = p.connection, p.connection
	for _, choose := range choices {
		choose(&s)
	}
	options := append([]launchdarkly.Option{
		launchdarkly.WithConfig(s.config),
		launchdarkly.WithLogger(p.log.logger()),
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

// start makes a program and registers its provider.
func start(choices ...func(*setup)) *program {
	GinkgoHelper()
	p := newProgram(choices...)
	Expect(p.register()).To(Succeed())
	return p
}

// useNewAPI gives the program another OpenFeature API, without any provider.
func (p *program) useNewAPI() {
	p.api, p.events = newAPI()
	p.client = p.api.NewClient()
}

func (p *program) register() error { return p.api.SetProviderAndWait(waiting(), p.provider) }

// registerInBackground does not wait for the initialization. The end of the spec does: OpenFeature's SDK initializes a
// provider whenever it gets to it, also after a shutdown, which would start the provider again.
func (p *program) registerInBackground() {
	GinkgoHelper()
	Expect(p.api.SetProvider(waiting(), p.provider)).To(Succeed())
	DeferCleanup(func() {
		p.box.ReleaseStreams()
		Eventually(p.client.State).ShouldNot(Equal(openfeature.NotReadyState))
	})
}

// flush waits until LaunchDarkly has everything.
func (p *program) flush() {
	GinkgoHelper()
	Expect(p.provider.Flush(waiting())).To(Succeed())
}

// track tracks one event and waits until LaunchDarkly has it.
func (p *program) track(
	name string, evaluationContext openfeature.EvaluationContext, details openfeature.TrackingEventDetails,
) {
	GinkgoHelper()
	p.client.Track(context.Background(), name, evaluationContext, details)
	p.flush()
}

// allAt has every service of LaunchDarkly's at one URL.
func allAt(url string) interfaces.ServiceEndpoints {
	return interfaces.ServiceEndpoints{Streaming: url, Polling: url, Events: url}
}

func newBox() *launchdarklytest.Server {
	box := launchdarklytest.NewServer()
	DeferCleanup(box.Close)
	return box
}

// newClient makes a client of the application's.
func newClient(box *launchdarklytest.Server, config ld.Config) *ld.LDClient {
	GinkgoHelper()
	client, err := ld.MakeCustomClient(box.SDKKey(), config, patience)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(client.Close)
	return client
}

// newAPI makes an OpenFeature API that ends with the spec.
func newAPI() (*openfeature.EvaluationAPI, *events) {
	api := isolated.NewAPI()
	DeferCleanup(func() { _ = api.Shutdown(waiting()) })
	return api, listenTo(api)
}

// shutDown is for the end of a spec. It does nothing where the spec has shut the provider down.
func shutDown(provider *launchdarkly.Provider) { _ = provider.ShutdownWithContext(waiting()) }

func configure(change func(*ld.Config)) func(*setup) {
	return func(s *setup) { change(&s.config) }
}

func options(options ...launchdarkly.Option) func(*setup) {
	return func(s *setup) { s.options = append(s.options, options...) }
}

// given prepares LaunchDarkly before anybody connects.
func given(prepare func(box *launchdarklytest.Server)) func(*setup) {
	return func(s *setup) { prepare(s.box) }
}

// received gives the one custom event with the key as LaunchDarkly got it, but for its date.
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

// logbook keeps what is logged, one line an entry.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Write implements [io.Writer].
func (l *logbook) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logbook) lines() []string { return slices.Collect(strings.Lines(l.String())) }

// problems keeps what an error handler is told.
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

// events keeps what OpenFeature tells about providers, by kind: its handlers run in no order.
type events struct {
	mu     sync.Mutex
	byType map[openfeature.EventType][]openfeature.EventDetails
}

// listenTo an API or a client has to come before a provider is registered: later, OpenFeature would tell the current state,
// too.
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

// counter is for Eventually and Consistently.
func (e *events) counter(eventType openfeature.EventType) func() int {
	return func() int { return len(e.of(eventType)) }
}
