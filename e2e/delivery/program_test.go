package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/suite"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// program is an application with its own LaunchDarkly, provider and OpenFeature API.
type program struct {
	box      *launchdarklytest.Server
	provider *launchdarkly.Provider
	client   *openfeature.Client
	log      *suite.Log
	reported *reported
}

// tracked is a flag with an evaluation event for each evaluation.
var tracked = ldbuilders.NewFlagBuilder("tracked").On(true).FallthroughVariation(0).OffVariation(0).
	Variations(ldvalue.Bool(true)).TrackEvents(true).Build()

// start starts a program with options for delivery.
func start(options ...delivery.Option) *program {
	GinkgoHelper()
	p := &program{box: launchdarklytest.NewServer(), log: new(suite.Log), reported: new(reported)}
	DeferCleanup(p.box.Close)
	p.box.SetFlags(ldbuilders.NewFlagBuilder("flag").On(true).FallthroughVariation(0).OffVariation(0).
		Variations(ldvalue.Bool(true)).Build(), tracked)
	config := p.box.Config()
	providerOptions := []launchdarkly.Option{
		launchdarkly.WithLogger(slog.New(slog.NewTextHandler(p.log, nil))),
		launchdarkly.WithErrorHandler(p.reported.handle),
	}
	if options != nil { // otherwise, the provider has its defaults
		providerOptions = append(providerOptions, launchdarkly.WithDelivery(options...))
	}
	var err error
	p.provider, err = launchdarkly.NewProvider(p.box.SDKKey(), append(providerOptions, launchdarkly.WithConfig(config))...)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { _ = p.provider.ShutdownWithContext(suite.Within(0)) }) // does nothing if the spec has shut it down
	api := isolated.NewAPI()
	DeferCleanup(func() { _ = api.Shutdown(suite.Within(time.Second)) })
	Expect(api.SetProviderAndWait(waiting(), p.provider)).To(Succeed())
	p.client = api.NewClient()
	return p
}

var sandy = openfeature.NewEvaluationContext("sandy", nil)

// track tracks n events from first on, with the serial number as the metric value.
func (p *program) track(first, n int) {
	ctx := context.Background()
	for serial := first; serial < first+n; serial++ {
		p.client.Track(ctx, "purchase", sandy, openfeature.NewTrackingEventDetails(float64(serial)))
	}
}

// trackFrom tracks events from several goroutines, and returns once they have ended.
func (p *program) trackFrom(goroutines, each int) {
	var tracking sync.WaitGroup
	for g := range goroutines {
		tracking.Go(func() { p.track(g*each, each) })
	}
	tracking.Wait()
}

// trackAtRate tracks perSecond events a second until done, and returns their number.
func (p *program) trackAtRate(perSecond int, done <-chan struct{}) int {
	const ticksPerSecond = 100
	ticker := time.NewTicker(time.Second / ticksPerSecond)
	defer ticker.Stop()
	began, tracked := time.Now(), 0
	for {
		select {
		case <-done:
			return tracked
		case now := <-ticker.C: // one that comes late brings more
			due := int(now.Sub(began).Seconds() * float64(perSecond))
			p.track(tracked, due-tracked)
			tracked = max(tracked, due)
		}
	}
}

// expose evaluates the tracked flag for a user.
func (p *program) expose(n int) {
	_, _ = p.client.BooleanValue(context.Background(), "tracked", false,
		openfeature.NewEvaluationContext(fmt.Sprint("user-", n), nil))
}

// exposeAtRate evaluates the tracked flag for distinct users.
func (p *program) exposeAtRate(users, perSecond int) {
	const ticksPerSecond = 100
	ticker := time.NewTicker(time.Second / ticksPerSecond)
	defer ticker.Stop()
	began := time.Now()
	for n := 0; n < users; {
		now := <-ticker.C
		for due := min(users, int(now.Sub(began).Seconds()*float64(perSecond))); n < due; n++ {
			p.expose(n)
		}
	}
}

// exposed asserts that the exposures of all users have arrived, once each.
func (p *program) exposed(users int) {
	GinkgoHelper()
	seen := make(map[string]int, users)
	for event := range p.box.AllEvents() {
		if event.Kind == launchdarklytest.KindFeature {
			seen[event.Context.GetByKey("key").StringValue()]++
		}
	}
	Expect(seen).To(HaveLen(users))
	for user, times := range seen {
		Expect(times).To(Equal(1), user)
	}
}

func (p *program) flush() {
	GinkgoHelper()
	Expect(p.provider.Flush(waiting())).To(Succeed())
}

// arrived asserts that all events of all goroutines have arrived, once each. Events of a request
// that failed for long may arrive after later ones.
func (p *program) arrived(goroutines, each int) {
	GinkgoHelper()
	Expect(p.misplaced(goroutines, each, false)).To(Succeed())
}

// arrivedInOrder asserts the same, and that the events of each goroutine are in order.
func (p *program) arrivedInOrder(goroutines, each int) {
	GinkgoHelper()
	Expect(p.misplaced(goroutines, each, true)).To(Succeed())
}

func (p *program) misplaced(goroutines, each int, ordered bool) error {
	next, seen := make([]int, goroutines), make(map[int]bool, goroutines*each)
	for event := range p.box.AllEvents() {
		if event.Kind != launchdarklytest.KindCustom {
			continue
		}
		serial := -1
		switch {
		case event.MetricValue != nil:
			serial = int(*event.MetricValue)
		case event.Data.GetByKey("serial").IsInt():
			serial = event.Data.GetByKey("serial").IntValue()
		}
		if serial < 0 || serial >= goroutines*each {
			return fmt.Errorf("received an event that was not tracked: %s", event)
		}
		g := serial / each
		if want := g*each + next[g]; ordered && serial != want {
			return fmt.Errorf("event %d came in place of %d", serial, want)
		}
		if seen[serial] {
			return fmt.Errorf("event %d came twice", serial)
		}
		seen[serial] = true
		next[g]++
	}
	for g, n := range next {
		if n != each {
			return fmt.Errorf("goroutine %d: %d of %d events arrived", g, n, each)
		}
	}
	return nil
}

// accounts asserts that the counters add up, and returns them.
func (p *program) accounts() launchdarkly.Stats {
	GinkgoHelper()
	s := p.provider.Stats()
	Expect(suite.AddsUp(s)).To(Succeed())
	return s
}

// undelivered returns the number of undelivered events in err.
func undelivered(err error) int {
	GinkgoHelper()
	u, ok := errors.AsType[*delivery.UndeliveredError](err)
	Expect(ok).To(BeTrue(), "%v", err)
	return u.Events
}

// reported counts the dropped events that were passed to the error handler.
type reported struct {
	dropped     atomic.Uint64
	evaluations atomic.Uint64
}

func (r *reported) handle(_ context.Context, err error) {
	drop, ok := errors.AsType[*delivery.DropError](err)
	if !ok {
		return
	}
	r.dropped.Add(uint64(drop.Events))
	r.evaluations.Add(uint64(drop.Evaluations))
}
