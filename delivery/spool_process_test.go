package delivery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// withDisk replaces the file system of the spool.
func withDisk(d disk) Option { return optionFunc(func(s *settings) { s.spool.disk = d }) }

// spooling is processes, one after the other or at once, that share a directory and an events
// service.
type spooling struct {
	*testing.T
	box       *launchdarklytest.Server
	directory string
	log       *bytes.Buffer // guarded by mu, as a Write is
	mu        sync.Mutex
}

func newSpooling(t *testing.T) *spooling {
	s := &spooling{
		T: t, box: launchdarklytest.NewServer(), directory: filepath.Join(t.TempDir(), "spool"), log: &bytes.Buffer{},
	}
	t.Cleanup(s.box.Close)
	return s
}

// Write adds to the log.
func (s *spooling) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(line)
}

func (s *spooling) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// process starts a process. It ends with the test, if not before.
func (s *spooling) process(opts ...Option) *Processor {
	return s.processOf(launchdarklytest.ValidSDKKey, opts...)
}

func (s *spooling) processOf(sdkKey string, opts ...Option) *Processor {
	s.Helper()
	opts = append([]Option{
		WithSpool(s.directory), WithBackoff(time.Millisecond, 20*time.Millisecond),
		WithLogger(slog.New(slog.NewTextHandler(s, nil))),
	}, opts...)
	config := Lossless(ldcomponents.SendEvents().FlushInterval(50*time.Millisecond), opts...)
	_, err := config.Build(subsystems.BasicClientContext{
		SDKKey:           sdkKey,
		HTTP:             subsystems.HTTPConfiguration{DefaultHeaders: map[string][]string{"Authorization": {sdkKey}}},
		Logging:          subsystems.LoggingConfiguration{Loggers: ldlog.NewDisabledLoggers()},
		ServiceEndpoints: interfaces.ServiceEndpoints{Events: s.box.URL()},
	})
	if err != nil {
		s.Fatal(err)
	}
	p := config.Processor()
	s.Cleanup(func() { _ = p.Shutdown(ended()) })
	return p
}

func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// within is a context for what must happen.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// track tracks n events, numbered from first.
func track(p *Processor, first, n int) {
	for i := first; i < first+n; i++ {
		p.RecordCustomEvent(purchaseOf(i))
	}
}

func purchaseOf(i int) ldevents.CustomEventData {
	private := ldcontext.NewBuilder("sandy").SetString("email", "sandy@example.com").Private("email").Build()
	return ldevents.CustomEventData{
		BaseEvent:   ldevents.BaseEvent{CreationDate: ldtime.UnixMillisNow(), Context: ldevents.Context(private)},
		Key:         "purchase",
		HasMetric:   true,
		MetricValue: float64(i),
	}
}

func evaluation(i int) ldevents.EvaluationData {
	return ldevents.EvaluationData{
		BaseEvent: ldevents.BaseEvent{CreationDate: ldtime.UnixMillisNow(), Context: simulatedUser},
		Key:       "flag", Value: ldvalue.Int(i), Variation: ldvalue.NewOptionalInt(i % 2), Version: ldvalue.NewOptionalInt(1),
		RequireFullEvent: true,
	}
}

// arrive waits until n events have, and checks that they are those from 0 on, each once.
func (s *spooling) arrive(n int) {
	s.Helper()
	err := s.box.WaitForEventCount(within(s.T), n, "custom")
	times := map[int]int{}
	for _, e := range s.box.CustomEvents("purchase") {
		times[int(*e.MetricValue)]++
	}
	for i := range n {
		if times[i] != 1 {
			s.Errorf("event %d of %d arrived %d times", i, n, times[i])
		}
	}
	if err != nil || len(times) != n {
		s.Fatalf("%d of %d events arrived: %v", len(times), n, err)
	}
}

// await waits for what nothing announces.
func (s *spooling) await(what string, ok func() bool) {
	s.Helper()
	ctx := within(s.T)
	for !ok() {
		select {
		case <-ctx.Done():
			s.Fatalf("waited in vain for %s\n%s\n%s", what, s.logged(), s.content())
		case <-time.After(time.Millisecond):
		}
	}
}

// balance is that the counters do.
func (s *spooling) balance(p *Processor) Stats {
	s.Helper()
	n := p.Stats()
	if n.Tracked+n.Adopted != n.Delivered+n.Waiting+n.SampledOut+n.OnDisk+n.Dropped.Total() {
		s.Errorf("tracked events don't balance: %+v", n)
	}
	e := n.EvaluationEvents
	if e.Recorded+e.Adopted != e.Delivered+e.Waiting+e.SampledOut+e.OnDisk+e.Dropped.Total() {
		s.Errorf("evaluation events don't balance: %+v", n)
	}
	return n
}

// shutdown ends a process once everything is delivered.
func (s *spooling) shutdown(p *Processor) {
	s.Helper()
	if err := p.Shutdown(within(s.T)); err != nil {
		s.Error(err)
	}
	s.balance(p)
}

// files returns all files of the directory.
func (s *spooling) files() (paths []string) {
	_ = filepath.WalkDir(s.directory, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			paths = append(paths, path)
		}
		return nil
	})
	return paths
}

// removeDirectory removes the directory, in which files may be made meanwhile.
func (s *spooling) removeDirectory() {
	s.Helper()
	s.await("the end of the directory", func() bool { return os.RemoveAll(s.directory) == nil })
}

// content returns what is in all files.
func (s *spooling) content() string {
	var all strings.Builder
	for _, path := range s.files() {
		text, _ := os.ReadFile(path)
		all.Write(text)
	}
	return all.String()
}

func TestSpoolLeavesUndeliveredEventsToTheNextProcess(t *testing.T) {
	s := newSpooling(t)
	s.box.RefuseEvents(503)
	first := s.process()
	track(first, 0, 100)
	for i := range 10 {
		first.RecordEvaluation(evaluation(i))
	}
	err := first.Shutdown(ended())
	undelivered, ok := errors.AsType[*UndeliveredError](err)
	if !ok || undelivered.Events != 100 || undelivered.OnDisk != undelivered.Events+undelivered.Evaluations {
		t.Errorf("got %v, %+v", err, undelivered)
	}
	if !strings.Contains(err.Error(), "on disk") {
		t.Errorf("got %v", err)
	}
	left := s.balance(first)
	if left.OnDisk != 100 || left.EvaluationEvents.OnDisk < 10 || left.Dropped.Total() > 0 || left.Waiting > 0 {
		t.Errorf("got %+v", left)
	}
	s.box.AcceptEvents()
	second := s.process()
	s.arrive(100)
	s.shutdown(second)
	n := second.Stats()
	if n.Adopted != 100 || n.Delivered != 100 || n.EvaluationEvents.Adopted != left.EvaluationEvents.OnDisk {
		t.Errorf("got %+v", n)
	}
	if got := s.box.EventCount("feature"); got != 10 {
		t.Errorf("%d evaluations arrived", got)
	}
	if left := s.files(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestSpoolRepeatsARequestUnderItsPayloadID(t *testing.T) {
	s := newSpooling(t)
	s.box.ResetEvents(-1) // it takes the events, and does not answer
	first := s.process()
	track(first, 0, 50)
	s.await("a request", func() bool { return len(s.box.Requests()) > 0 })
	_ = first.Shutdown(ended())
	s.box.ResetEvents(0)
	s.process()
	s.await("a repetition", func() bool {
		requests := s.box.Requests()
		return requests[len(requests)-1].Duplicate && requests[len(requests)-1].Status == 202
	})
	s.arrive(50)
}

func TestSpoolIsReadableByItsOwnerOnly(t *testing.T) {
	s := newSpooling(t)
	s.box.RefuseEvents(503)
	track(s.process(), 0, 100)
	s.await("events on disk", func() bool { return strings.Count(s.content(), `"key":"purchase"`) == 100 })
	text := s.content()
	if strings.Contains(text, "sandy@example.com") {
		t.Error("a private attribute is on disk")
	}
	for _, path := range append(s.files(), text) {
		if strings.Contains(path, launchdarklytest.ValidSDKKey) {
			t.Error("the SDK key is on disk")
		}
	}
	if info, err := os.Stat(s.directory); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory: %v, %v", info.Mode(), err)
	}
	for _, path := range s.files() {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

func TestSpoolDoesWithoutADirectory(t *testing.T) {
	s := newSpooling(t)
	if err := os.WriteFile(s.directory, nil, 0o600); err != nil { // a file
		t.Fatal(err)
	}
	p := s.process()
	track(p, 0, 1000)
	s.arrive(1000)
	s.await("the failure to be counted", func() bool { return p.Stats().SpoolFailures > 0 })
	if n := strings.Count(s.logged(), "writing to the spool failed"); n != 1 {
		t.Errorf("%d lines: %s", n, s.logged())
	}
	if err := os.Remove(s.directory); err != nil {
		t.Fatal(err)
	}
	s.box.RefuseEvents(503)
	track(p, 1000, 10)
	s.await("events on disk", func() bool { return strings.Count(s.content(), `"key":"purchase"`) == 10 })
	s.await("a line about it", func() bool { return strings.Contains(s.logged(), "spool works again") })
	s.box.AcceptEvents()
	s.arrive(1010)
	s.shutdown(p)
}

func TestSpoolSurvivesAFullDisk(t *testing.T) {
	s := newSpooling(t)
	disk := newFaultyDisk()
	p := s.process(withDisk(disk))
	s.box.RefuseEvents(503)
	track(p, 0, 100)
	s.await("events on disk", func() bool { return strings.Count(s.content(), `"key":"purchase"`) == 100 })
	disk.set(func(d *faultyDisk) { d.full = 100 })
	track(p, 100, 100)
	s.await("a failure", func() bool { return p.Stats().SpoolFailures > 0 })
	s.box.AcceptEvents() // the disk is full still
	s.arrive(200)
	disk.set(func(d *faultyDisk) { d.full = 0 })
	s.box.RefuseEvents(503)
	track(p, 200, 100)
	s.await("the disk to be used again", func() bool { return strings.Contains(s.content(), `"metricValue":299`) })
	_ = p.Shutdown(ended())
	if n := s.balance(p); n.OnDisk != 100 || n.Dropped.Total() > 0 {
		t.Errorf("got %+v", n)
	}
	s.box.AcceptEvents()
	s.process()
	s.arrive(300)
}

// With a disk on which nothing ever becomes durable, and yet nothing fails, Track takes what it
// takes otherwise.
func TestSpoolDoesNotDelayTrack(t *testing.T) {
	t.Parallel() // it mostly waits
	s := newSpooling(t)
	disk := newFaultyDisk()
	p := s.process(withDisk(disk))
	s.await("a set", func() bool { return len(s.files()) > 0 })
	syncs := func() (n int) {
		disk.set(func(d *faultyDisk) { n = d.syncs })
		return n
	}
	before := syncs()
	disk.set(func(d *faultyDisk) { d.slow = 2 * time.Second })
	track(p, 0, 1)
	s.await("an fsync", func() bool { return syncs() > before })
	began := time.Now()
	track(p, 1, 2999)
	if took := time.Since(began); took > 3*time.Second/2 { // less than one fsync
		t.Errorf("3000 events took %v", took)
	}
	disk.set(func(d *faultyDisk) { d.slow = 0 })
	s.arrive(3000)
	s.shutdown(p)
}

func TestSyncTrackWaitsForTheDisk(t *testing.T) {
	s := newSpooling(t)
	s.box.RefuseEvents(503)
	p := s.process(WithSyncTrack())
	var tracking sync.WaitGroup
	for worker := range 8 {
		tracking.Go(func() {
			for i := range 20 {
				track(p, worker*20+i, 1)
				if text := fmt.Sprintf(`"metricValue":%d}`, worker*20+i); !strings.Contains(s.content(), text) {
					t.Errorf("%s is not on disk", text)
				}
			}
		})
	}
	tracking.Wait()
	_ = p.Shutdown(ended())
	s.box.AcceptEvents()
	s.process()
	s.arrive(160)
}

func TestSyncTrackDoesNotWaitForABrokenDisk(t *testing.T) {
	s := newSpooling(t)
	disk := newFaultyDisk()
	p := s.process(WithSyncTrack(), withDisk(disk))
	track(p, 0, 10)
	disk.set(func(d *faultyDisk) { d.fail = fs.ErrPermission })
	track(p, 10, 10)
	s.arrive(20)
	disk.set(func(d *faultyDisk) { d.fail = nil })
	s.shutdown(p)
}

func TestSpoolsOfSeveralProcesses(t *testing.T) {
	for _, processes := range []int{2, 10} {
		t.Run(strconv.Itoa(processes), func(t *testing.T) {
			s := newSpooling(t)
			s.box.RefuseEvents(503)
			var running []*Processor
			for i := range processes {
				p := s.process()
				running = append(running, p)
				track(p, i*30, 20)
			}
			for i, p := range running {
				if i%2 == 0 { // half of them end
					_ = p.Shutdown(ended())
				} else {
					track(p, i*30+20, 10)
				}
			}
			for i := range running {
				if i%2 == 0 {
					track(running[1], i*30+20, 10)
				}
			}
			s.box.AcceptEvents()
			s.process() // adopts at its start what the others find within a minute
			s.arrive(processes * 30)
		})
	}
}

func TestSpoolLeavesOtherKeysAlone(t *testing.T) {
	s := newSpooling(t)
	other := s.processOf("sdk-other")
	track(other, 0, 10)
	_ = other.Shutdown(ended())
	if n := s.balance(other); n.OnDisk != 10 {
		t.Fatalf("got %+v", n)
	}
	before := s.content()
	p := s.process()
	s.await("a report", func() bool { return strings.Contains(s.logged(), "events of another SDK key") })
	s.shutdown(p)
	if s.content() != before {
		t.Error("they were changed")
	}
	for _, path := range s.files() {
		old := time.Now().Add(-31 * 24 * time.Hour)
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	p = s.process()
	s.await("their end", func() bool { return !strings.Contains(s.content(), "purchase") })
	s.shutdown(p)
	if n := len(s.box.CustomEvents()); n > 0 {
		t.Errorf("%d events arrived", n)
	}
}

func TestSpoolIsRemovedWhileInUse(t *testing.T) {
	s := newSpooling(t)
	s.box.RefuseEvents(503)
	p := s.process()
	track(p, 0, 50)
	s.await("events on disk", func() bool { return strings.Contains(s.content(), `"metricValue":49`) })
	s.removeDirectory()
	p.spool.mu.Lock()
	p.spool.measured = time.Time{} // it is listed for the next write
	p.spool.mu.Unlock()
	track(p, 50, 50)
	s.await("events in a new file", func() bool { return strings.Contains(s.content(), `"metricValue":99`) })
	s.box.AcceptEvents()
	s.arrive(100)
	s.shutdown(p)
}

func TestSpoolIsRemovedWhileItAdopts(t *testing.T) {
	s := newSpooling(t)
	s.box.RefuseEvents(503)
	first := s.process()
	track(first, 0, 50)
	_ = first.Shutdown(ended())
	second := s.process()
	s.await("adoption", func() bool { return second.Stats().Adopted == 50 })
	track(second, 50, 50)
	s.removeDirectory()
	track(second, 100, 50)
	s.await("events in a new file", func() bool { return strings.Contains(s.content(), `"metricValue":149`) })
	s.box.AcceptEvents()
	s.arrive(150)
	s.shutdown(second)
}

func TestSpoolIsTruncatedWhileInUse(t *testing.T) {
	s := newSpooling(t)
	s.box.RefuseEvents(503)
	var drops sync.Map
	p := s.process(WithRequestEvents(10), WithErrorHandler(func(err error) { drops.Store(err, true) }))
	track(p, 0, 100)
	s.await("events on disk", func() bool { return strings.Contains(s.content(), `"metricValue":99`) })
	for _, path := range segmentsOf(s.directory) {
		if err := os.Truncate(path, 1000); err != nil {
			t.Fatal(err)
		}
	}
	track(p, 100, 20)
	s.box.AcceptEvents()
	if err := p.Shutdown(within(t)); !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v", err)
	}
	n := s.balance(p)
	if n.Dropped.Damaged == 0 || n.Dropped.Damaged != n.Dropped.Total() || n.Delivered+n.Dropped.Damaged != 120 {
		t.Errorf("got %+v", n)
	}
	reported := 0
	drops.Range(func(err, _ any) bool {
		if drop, ok := errors.AsType[*DropError](err.(error)); ok {
			reported += drop.Events
		}
		return true
	})
	if reported != int(n.Dropped.Damaged) {
		t.Errorf("%d events were reported, %d counted", reported, n.Dropped.Damaged)
	}
}

func TestSpoolIsBounded(t *testing.T) {
	s := newSpooling(t)
	s.box.RefuseEvents(503)
	const most, memory = 512 << 10, 128 << 10
	p := s.process(WithSpoolMaxBytes(most), WithMaxBytes(memory), WithMaxWait(0))
	const n = 8000
	for i := range n {
		track(p, i, 1)
		p.RecordEvaluation(evaluation(i))
		if i%100 == 0 {
			time.Sleep(5 * time.Millisecond)
		}
	}
	s.await("events to be dropped", func() bool { return s.balance(p).Dropped.QueueFull > 0 })
	size := int64(0)
	for _, path := range s.files() {
		if info, err := os.Stat(path); err == nil {
			size += info.Size()
		}
	}
	if size > most || size < most/2 {
		t.Errorf("%d bytes are on disk", size)
	}
	evaluations, tracked := 0, 0
	for line := range strings.Lines(s.content()) {
		if strings.Contains(line, `"kind":"feature"`) {
			evaluations += len(line)
		} else {
			tracked += len(line)
		}
	}
	if evaluations > most/2 || evaluations == 0 || tracked == 0 {
		t.Errorf("%d bytes of evaluations, %d of others", evaluations, tracked)
	}
	s.box.AcceptEvents()
	if err := p.FlushContext(within(t)); !errors.Is(err, ErrQueueFull) {
		t.Errorf("got %v", err)
	}
	s.shutdown(p)
	stats := s.balance(p)
	if stats.Delivered+stats.Dropped.QueueFull != n || stats.EvaluationEvents.Waiting > 0 {
		t.Errorf("got %+v", stats)
	}
	last := -1.0
	disorder := 0
	for _, e := range s.box.CustomEvents("purchase") {
		if *e.MetricValue < last {
			disorder++
		}
		last = *e.MetricValue
	}
	if disorder > 10 { // what was in memory only comes later
		t.Errorf("%d events came before an earlier one", disorder)
	}
}

func TestSpoolKeepsSummariesFew(t *testing.T) {
	s := newSpooling(t)
	s.box.RefuseEvents(503)
	p := s.process()
	for i := range 3000 {
		e := evaluation(i)
		e.RequireFullEvent = false
		p.RecordEvaluation(e)
		if i%100 == 0 {
			time.Sleep(10 * time.Millisecond)
		}
	}
	s.await("a summary on disk", func() bool { return strings.Contains(s.content(), `"kind":"summary"`) })
	_ = p.Shutdown(ended())
	s.box.AcceptEvents()
	q := s.process()
	s.await("a summary", func() bool { return s.box.EventCount(launchdarklytest.KindSummary) > 0 })
	s.shutdown(q)
	summaries, evaluations := 0, 0
	for _, e := range s.box.Events() {
		if e.Kind == launchdarklytest.KindSummary {
			summaries++
			for _, counter := range e.Features.GetByKey("flag").GetByKey("counters").AsValueArray().AsSlice() {
				evaluations += counter.GetByKey("count").IntValue()
			}
		}
	}
	if summaries == 0 || summaries > 2 || evaluations != 3000 {
		t.Errorf("%d summaries arrived, of %d evaluations", summaries, evaluations)
	}
}

// commitCounter counts how often the spool looks for its lock, as each commit does.
type commitCounter struct {
	osDisk
	commits atomic.Int64
}

func (c *commitCounter) same(path string, f file) bool {
	c.commits.Add(1)
	return c.osDisk.same(path, f)
}

func TestSpoolIsIdleWhileAFlushWaits(t *testing.T) {
	s := newSpooling(t)
	s.box.RefuseEvents(http.StatusServiceUnavailable)
	var d commitCounter
	p := s.process(WithSyncTrack(), withDisk(&d), WithBackoff(time.Minute, time.Minute))
	track(p, 0, 10)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := p.FlushContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if n := d.commits.Load(); n > 1_000 {
		t.Errorf("%d commits", n)
	}
}
