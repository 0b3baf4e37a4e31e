package delivery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
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
	log      *logbook
	reported *reported
}

// start makes a program. The options are those of delivery.
func start(options ...delivery.Option) *program {
	GinkgoHelper()
	p := &program{box: launchdarklytest.NewServer(), log: new(logbook), reported: new(reported)}
	DeferCleanup(p.box.Close)
	p.box.SetValue("flag", ldvalue.Bool(true))
	config := p.box.Config()
	providerOptions := []launchdarkly.Option{
		launchdarkly.WithLogger(slog.New(slog.NewTextHandler(p.log, nil))),
		launchdarkly.WithErrorHandler(p.reported.hear),
	}
	if options != nil { // otherwise the provider comes as it is
		logger := slog.New(slog.NewTextHandler(p.log, nil))
		config.Events = delivery.Lossless(nil, append(options, delivery.WithLogger(logger))...)
	}
	var err error
	p.provider, err = launchdarkly.NewProvider(p.box.SDKKey(), append(providerOptions, launchdarkly.WithConfig(config))...)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { _ = p.provider.ShutdownWithContext(suite.Within(0)) }) // unless the spec has done it
	api := isolated.NewAPI()
	DeferCleanup(func() { _ = api.Shutdown(suite.Within(time.Second)) })
	Expect(api.SetProviderAndWait(waiting(), p.provider)).To(Succeed())
	p.client = api.NewClient()
	return p
}

var sandy = openfeature.NewEvaluationContext("sandy", nil)

// track tracks the events from first to first+n, whose serial number is their metric.
func (p *program) track(first, n int) {
	ctx := context.Background()
	for serial := first; serial < first+n; serial++ {
		p.client.Track(ctx, "purchase", sandy, openfeature.NewTrackingEventDetails(float64(serial)))
	}
}

// trackFrom has goroutines track so many events each, and returns when they have.
func (p *program) trackFrom(goroutines, each int) {
	var tracking sync.WaitGroup
	for g := range goroutines {
		tracking.Go(func() { p.track(g*each, each) })
	}
	tracking.Wait()
}

// trackAtRate tracks so many events a second until done, and returns how many they were.
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

func (p *program) flush() {
	GinkgoHelper()
	Expect(p.provider.Flush(waiting())).To(Succeed())
}

// arrived is that all events of all goroutines have, each once, those of each goroutine in order.
func (p *program) arrived(goroutines, each int) {
	GinkgoHelper()
	Expect(p.misplaced(goroutines, each)).To(Succeed())
}

func (p *program) misplaced(goroutines, each int) error {
	next := make([]int, goroutines)
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
			return fmt.Errorf("nobody tracked %s", event)
		}
		g := serial / each
		if want := g*each + next[g]; serial != want {
			return fmt.Errorf("event %d came in place of %d", serial, want)
		}
		next[g]++
	}
	for g, n := range next {
		if n != each {
			return fmt.Errorf("goroutine %d: %d of %d events arrived", g, n, each)
		}
	}
	return nil
}

// accounts is that they add up.
func (p *program) accounts() launchdarkly.Stats {
	GinkgoHelper()
	s := p.provider.Stats()
	Expect(suite.AddsUp(s)).To(Succeed())
	return s
}

// undelivered is how many events err says are not delivered.
func undelivered(err error) int {
	GinkgoHelper()
	u, ok := errors.AsType[*delivery.UndeliveredError](err)
	Expect(ok).To(BeTrue(), "%v", err)
	return u.Events
}

// logbook keeps what is logged.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer].
func (l *logbook) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

// lines are those that contain the text.
func (l *logbook) lines(with string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, with) {
			found = append(found, line)
		}
	}
	return found
}

// reported counts the events that the error handler heard were dropped.
type reported struct {
	dropped atomic.Uint64
	mu      sync.Mutex
	first   error
}

func (r *reported) hear(_ context.Context, err error) {
	drop, ok := errors.AsType[*delivery.DropError](err)
	if !ok {
		return
	}
	r.dropped.Add(uint64(drop.Events))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.first == nil {
		r.first = err
	}
}

func (r *reported) cause() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.first
}
