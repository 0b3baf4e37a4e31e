package soak

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/suite"
	"github.com/openfeature-launchdarkly/go-provider/hooks"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// workers is the number of goroutines that evaluate and track.
const workers = 8

// The providers of a world, each with its own LaunchDarkly, which can be derived from the values
// that it serves.
const (
	ownA     = iota // owns its client; registered repeatedly
	ownB            // owns its client, too
	borrowed        // uses a client that the application made
	fresh           // a new provider for each registration
	places
)

// world is an application with its LaunchDarklys and the injected faults.
type world struct {
	seed   uint64
	boxes  [places]*launchdarklytest.Server
	issued [places]atomic.Int64 // the last number that flags were set to, see setFlag
	ledger *ledger
	faults *counters
	logger *slog.Logger

	api       *openfeature.EvaluationAPI
	client    *openfeature.Client
	app       *ld.LDClient // the client of the borrowed provider
	providers []*provider  // in the order of places, then further fresh ones
	current   *provider    // the registered one; used by replacements only

	evaluations atomic.Int64
	summary     string
}

// unread discards formatted log lines. slog.DiscardHandler would skip the formatting.
type unread struct{}

// Write implements [io.Writer].
func (unread) Write(line []byte) (int, error) { return len(line), nil }

// provider reports when OpenFeature has shut it down.
type provider struct {
	*launchdarkly.Provider
	shutdowns chan error
}

// ShutdownWithContext implements [openfeature.ContextAwareStateHandler].
func (p *provider) ShutdownWithContext(ctx context.Context) error {
	err := p.Provider.ShutdownWithContext(ctx)
	p.shutdowns <- err
	return err
}

func newWorld(seed uint64) *world {
	GinkgoHelper()
	w := &world{
		seed:   seed,
		ledger: newLedger(),
		faults: newCounters(),
		logger: slog.New(slog.NewTextHandler(unread{}, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	DeferCleanup(w.dismantle) // releases all received events
	for place := range w.boxes {
		w.boxes[place] = launchdarklytest.NewServer()
		for _, flag := range flags {
			w.setFlag(place, flag, true)
		}
	}

	w.providers = []*provider{ownA: w.newProvider(ownA), ownB: w.newProvider(ownB), borrowed: w.newBorrower()}
	w.api = isolated.NewAPI()
	w.api.AddHooks(hooks.NewEvaluationHook(hooks.NewSlogSink(w.logger, slog.LevelDebug)))
	w.client = w.api.NewClient()
	w.client.AddHooks(hooks.NewEvaluationHook(hooks.NewTrackerSink(exposures{w})))
	w.current = w.providers[ownA]
	Expect(w.api.SetProviderAndWait(waiting(), w.current)).To(Succeed())
	return w
}

// initTimeout is short, because no other provider can be registered meanwhile.
const initTimeout = 300 * time.Millisecond

func (w *world) options(config ld.Config) []launchdarkly.Option {
	return []launchdarkly.Option{
		launchdarkly.WithConfig(config),
		launchdarkly.WithLogger(w.logger),
		launchdarkly.WithErrorHandler(w.ledger.handle),
		launchdarkly.WithInitTimeout(initTimeout),
	}
}

// events sets a short flush interval, so that faults affect requests.
func events() *ldcomponents.EventProcessorBuilder {
	return ldcomponents.SendEvents().FlushInterval(50 * time.Millisecond)
}

func (w *world) newProvider(place int) *provider {
	GinkgoHelper()
	box := w.boxes[place]
	config := box.Config()
	config.Events = events()
	p, err := launchdarkly.NewProvider(box.SDKKey(), w.options(config)...)
	Expect(err).NotTo(HaveOccurred())
	return &provider{Provider: p, shutdowns: make(chan error, 1)}
}

func (w *world) newBorrower() *provider {
	GinkgoHelper()
	box := w.boxes[borrowed]
	config := box.Config()
	config.Events = delivery.Lossless(events(), delivery.WithLogger(w.logger),
		delivery.WithErrorHandler(func(err error) { w.ledger.handle(context.Background(), err) }))
	var err error
	w.app, err = ld.MakeCustomClient(box.SDKKey(), config, patience)
	Expect(err).NotTo(HaveOccurred())
	p, err := launchdarkly.NewProviderWithClient(w.app, w.options(config)...)
	Expect(err).NotTo(HaveOccurred())
	return &provider{Provider: p, shutdowns: make(chan error, 1)}
}

// The flags, one for each type.
const (
	boolFlag   = "bool"
	stringFlag = "string"
	intFlag    = "int"
	floatFlag  = "float"
	objectFlag = "object"
)

var flags = []string{boolFlag, stringFlag, intFlag, floatFlag, objectFlag}

// variation is the index of the variation that all flags serve.
const variation = 1

// setFlag sets a flag to a new value: an increasing number from which its LaunchDarkly can be
// derived.
func (w *world) setFlag(place int, key string, on bool) {
	number := w.issued[place].Add(1)*places + int64(place)
	var value ldvalue.Value
	switch key {
	case boolFlag:
		value = ldvalue.Bool(number/places%2 == 0)
	case stringFlag:
		value = ldvalue.String(fmt.Sprint("value ", number))
	case intFlag:
		value = ldvalue.Float64(float64(number))
	case floatFlag:
		value = ldvalue.Float64(float64(number) + 0.5)
	case objectFlag:
		value = ldvalue.ObjectBuild().SetFloat64("number", float64(number)).Build()
	}
	w.boxes[place].SetFlags(ldbuilders.NewFlagBuilder(key).On(on).
		Variations(ldvalue.Null(), value).FallthroughVariation(variation).OffVariation(variation).Build())
}

// random returns a separate source for each goroutine, so that its behavior depends on the seed
// only.
func (w *world) random(goroutine int) *rand.Rand {
	return rand.New(rand.NewPCG(w.seed, uint64(goroutine)))
}

// run runs the workers and the faults.
func (w *world) run(duration time.Duration) {
	over := suite.Within(duration)
	var running sync.WaitGroup
	for id := range workers {
		running.Go(func() { defer GinkgoRecover(); newWorker(w, id).run(over) })
	}
	for i, inject := range []func(context.Context, *rand.Rand){w.streams, w.events, w.replacements} {
		running.Go(func() { defer GinkgoRecover(); inject(over, w.random(workers+i)) })
	}
	running.Wait()
}

// recover ends all faults.
func (w *world) recover() {
	for _, box := range w.boxes {
		box.AcceptStreams()
		box.ReleaseStreams()
		acceptEvents(box)
	}
}

// end delivers all events, and shuts all providers down.
func (w *world) end() {
	GinkgoHelper()
	w.flush(waiting(), w.current) // it may report evaluations that were lost before
	Expect(w.current.Flush(waiting())).To(Succeed(), "no fault is injected any more")
	Expect(w.current.Stats().Waiting).To(BeZero())
	Expect(w.api.Shutdown(waiting())).To(Succeed())
	for _, p := range w.providers {
		Expect(p.Provider.ShutdownWithContext(waiting())).To(Succeed())
	}
	Expect(w.app.Close()).To(Succeed())
}

// dismantle releases what belongs to the test, so that the remaining memory is the product's.
func (w *world) dismantle() {
	for place, box := range w.boxes {
		if box != nil {
			box.Close()
			w.boxes[place] = nil
		}
	}
	w.ledger.forget()
	w.providers = slices.Clip(slices.Delete(w.providers, fresh, len(w.providers))) // applications do not keep replaced providers
	w.current, w.client, w.faults = nil, nil, nil
}

// check asserts that the accounts balance.
func (w *world) check() {
	GinkgoHelper()
	var total launchdarkly.Stats
	for _, p := range w.providers {
		s := p.Stats()
		Expect(suite.AddsUp(s)).To(Succeed())
		total.Tracked += s.Tracked
		total.Delivered += s.Delivered
		total.Waiting += s.Waiting
		total.HandedOver += s.HandedOver
		total.Retries += s.Retries
		total.Dropped.EmptyEventName += s.Dropped.EmptyEventName
		total.Dropped.InvalidContext += s.Dropped.InvalidContext
		total.Dropped.EventsOff += s.Dropped.EventsOff
		total.Dropped.Dropped = delivery.Stats{Dropped: total.Dropped.Dropped}.Plus(delivery.Stats{Dropped: s.Dropped.Dropped}).Dropped
	}
	arrived := 0
	for _, box := range w.boxes {
		arrived += box.EventCount(launchdarklytest.KindCustom)
	}
	l := w.ledger
	w.summary = fmt.Sprintf("%d evaluations; %d events tracked (%d of them exposures), %d delivered with %d retries, "+
		"%d refused after shutdown, %d for their context, %d without a name; faults: %s",
		w.evaluations.Load(), total.Tracked, l.exposures.Load(), total.Delivered, total.Retries,
		total.Dropped.Closed, total.Dropped.InvalidContext, total.Dropped.EmptyEventName, w.faults)
	GinkgoWriter.Println(w.summary)

	Expect(l.problems()).To(BeEmpty())
	Expect(l.misplaced(w.boxes[:])).To(Succeed())
	Expect(total).To(Equal(launchdarkly.Stats{
		Tracked:   uint64(l.tracked.Load()),
		Delivered: uint64(arrived),
		Dropped: launchdarkly.Dropped{
			EmptyEventName: l.unnamed,
			InvalidContext: l.invalid,
			Dropped:        delivery.Dropped{Closed: l.closed},
		},
		Retries: total.Retries,
	}))
}

// exposures tracks the hook's events with the registered provider.
type exposures struct{ w *world }

// Track implements [openfeature.Tracker].
func (e exposures) Track(
	ctx context.Context, name string, about openfeature.EvaluationContext, details openfeature.TrackingEventDetails,
) {
	e.w.ledger.tracked.Add(1)
	e.w.ledger.exposures.Add(1)
	e.w.client.Track(ctx, name, about, details)
}

// flush calls Flush. A fault of the events service may lose evaluation events, and a canceled
// context may leave events.
func (w *world) flush(ctx context.Context, p *provider) {
	w.explain("flush", p.Flush(ctx), ctx.Err() != nil)
}

// explain records an error other than lost evaluation events.
func (w *world) explain(what string, err error, late bool) {
	u, ok := errors.AsType[*delivery.UndeliveredError](err)
	if err != nil && !(ok && (u.Events == 0 || late)) {
		w.ledger.problem("%s: %v", what, err)
	}
}

// counters counts by name.
type counters struct {
	mu     sync.Mutex
	counts map[string]int
}

func newCounters() *counters { return &counters{counts: make(map[string]int)} }

func (c *counters) add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[name]++
}

// String lists the counts.
func (c *counters) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(c.counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", c.counts[name], name))
	}
	return strings.Join(parts, ", ")
}
