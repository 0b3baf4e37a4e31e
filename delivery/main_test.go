package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"go.uber.org/goleak"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/internal/sdkleaks"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// patience bounds the wait for an expected event.
const patience = 20 * time.Second

var sandy = ldcontext.New("sandy")

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // saves a quarter of the time; the heap is measured after a collection
	goleak.VerifyTestMain(m, sdkleaks.Ignore()...)
}

// fixture is a client of LaunchDarkly's SDK with the processor under test, and a test server.
type fixture struct {
	*testing.T
	box       *launchdarklytest.Server
	client    *ld.LDClient
	processor *delivery.Processor
	drops     *drops
}

// drops records the errors passed to the error handler.
type drops struct {
	mu     sync.Mutex
	errors []error
	events int
}

func (d *drops) hear(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.errors = append(d.errors, err)
	if drop, ok := errors.AsType[*delivery.DropError](err); ok {
		d.events += drop.Events
	}
}

func (d *drops) all() ([]error, int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.errors, d.events
}

// rarely returns a builder whose flush interval does not end during a test.
func rarely() *ldcomponents.EventProcessorBuilder {
	return ldcomponents.SendEvents().FlushInterval(time.Hour)
}

// quick returns an option for tests with failing requests.
func quick() delivery.Option { return delivery.WithBackoff(time.Millisecond, 5*time.Millisecond) }

// start returns a fixture that the end of the test closes.
func start(t *testing.T, events *ldcomponents.EventProcessorBuilder, opts ...delivery.Option) *fixture {
	t.Helper()
	return startWith(t, events, nil, opts...)
}

// startWith is start with a change of the SDK's configuration.
func startWith(
	t *testing.T, events *ldcomponents.EventProcessorBuilder, change func(*fixture, *ld.Config), opts ...delivery.Option,
) *fixture {
	t.Helper()
	f := &fixture{T: t, box: launchdarklytest.NewServer(), drops: &drops{}}
	t.Cleanup(f.box.Close)
	f.box.SetValue("flag", true)
	ours := []delivery.Option{
		delivery.WithLogger(slog.New(slog.DiscardHandler)), delivery.WithErrorHandler(f.drops.hear),
	}
	lossless := delivery.Lossless(events, append(ours, opts...)...)
	config := f.box.Config()
	config.Events = lossless
	if change != nil {
		change(f, &config)
	}
	var err error
	if f.client, err = ld.MakeCustomClient(f.box.SDKKey(), config, patience); err != nil {
		t.Fatal(err)
	}
	f.processor = lossless.Processor()
	t.Cleanup(func() {
		f.stop()
		_ = f.client.Close()
		f.check()
	})
	return f
}

// stop shuts the processor down without delivering the waiting events.
func (f *fixture) stop() {
	_ = f.processor.Shutdown(over())
}

// check checks that the counters of both groups balance, and returns them.
func (f *fixture) check() delivery.Stats {
	f.Helper()
	s := f.processor.Stats()
	if s.Tracked != s.Delivered+s.Waiting+s.SampledOut+s.Dropped.Total() {
		f.Errorf("tracked events don't balance: %+v", s)
	}
	if e := s.EvaluationEvents; e.Recorded != e.Delivered+e.Waiting+e.SampledOut+e.Dropped.Total() {
		f.Errorf("evaluation events don't balance: %+v", s)
	}
	return s
}

// track tracks n events, whose metric values are their numbers from first on.
func (f *fixture) track(first, n int) {
	f.Helper()
	for i := first; i < first+n; i++ {
		if err := f.client.TrackMetric("purchase", sandy, float64(i), ldvalue.Null()); err != nil {
			f.Fatal(err)
		}
	}
}

func (f *fixture) flush() {
	f.Helper()
	if err := f.processor.FlushContext(waiting(f.T)); err != nil {
		f.Fatal(err)
	}
}

// arrived checks that the events from 0 to n-1 arrived, each once, and no others.
func (f *fixture) arrived(n int) {
	f.Helper()
	times := make(map[float64]int)
	for _, event := range f.box.CustomEvents("purchase") {
		times[*event.MetricValue]++
	}
	for i := range n {
		if times[float64(i)] != 1 {
			f.Fatalf("event %d of %d arrived %d times", i, n, times[float64(i)])
		}
	}
	if len(times) != n {
		f.Fatalf("%d of %d events arrived", len(times), n)
	}
}

// inOrder checks that the events arrived in the order in which they were tracked.
func (f *fixture) inOrder() {
	f.Helper()
	last := -1.0
	for _, event := range f.box.CustomEvents("purchase") {
		if *event.MetricValue <= last {
			f.Fatalf("event %v came after event %v", *event.MetricValue, last)
		}
		last = *event.MetricValue
	}
}

// undelivered checks that err is an UndeliveredError with a number of events, and with the cause
// unless that is nil.
func (f *fixture) undelivered(err error, events int, evaluations bool, cause error) {
	f.Helper()
	u, ok := errors.AsType[*delivery.UndeliveredError](err)
	if !ok {
		f.Fatalf("got %v", err)
	}
	if u.Events != events || (u.Evaluations > 0) != evaluations || cause != nil && !errors.Is(err, cause) {
		f.Errorf("got %v; want %d, %v, %v", err, events, evaluations, cause)
	}
}

// requests waits for n requests with events.
func (f *fixture) requests(n int) []launchdarklytest.Request {
	f.Helper()
	requests, err := f.box.WaitForRequests(waiting(f.T), n, nil)
	if err != nil {
		f.Fatal(err)
	}
	return requests
}

// waiting returns a context that bounds the wait for an expected event.
func waiting(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// over returns a context that is done.
func over() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// await polls until ok returns true.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx := waiting(t)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("timeout waiting for %s", what)
		}
	}
}

// lines is a writer that keeps the lines of a log.
type lines struct {
	mu    sync.Mutex
	lines []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(p))
	return len(p), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprint(l.lines)
}

func (l *lines) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.lines)
}
