package delivery_test

import (
	"context"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

func TestDeliversEachEventOnceInOrder(t *testing.T) {
	const events = 10_000
	f := start(t, rarely(), delivery.WithMaxEvents(events))
	f.track(0, events)
	f.flush()
	f.arrived(events)
	f.inOrder()
	if s := f.check(); s.Delivered != events || s.Waiting != 0 || s.WaitingBytes != 0 || s.Retries != 0 {
		t.Errorf("%+v", s)
	}
	for _, r := range f.box.Requests() {
		if r.EventCount > 2*delivery.DefaultRequestEvents {
			t.Errorf("a request carries %d events", r.EventCount)
		}
	}
}

// Each event has an index event, so that together they exceed the buffers of the SDK's processor.
func TestDeliversEventsWithIndexEvents(t *testing.T) {
	const events = 5_000
	f := start(t, rarely().ContextKeysCapacity(10*events), delivery.WithRequestEvents(500))
	for i := range events {
		_ = f.client.TrackMetric("purchase", ldcontext.New(strconv.Itoa(i)), float64(i), ldvalue.Null())
	}
	f.flush()
	f.arrived(events)
	if n := f.box.EventCount(launchdarklytest.KindIndex); n != events {
		t.Errorf("%d index events", n)
	}
}

func TestDeliversFullRequestsWithoutFlush(t *testing.T) {
	f := start(t, rarely(), delivery.WithRequestEvents(10))
	f.track(0, 25)
	if err := f.box.WaitForEventCount(waiting(t), 20); err != nil { // one is the index event
		t.Fatal(err)
	}
	await(t, "the rest to wait", func() bool { return f.processor.Stats().Delivered == 19 })
	f.client.Flush()
	if err := f.box.WaitForEventCount(waiting(t), 25, launchdarklytest.KindCustom); err != nil {
		t.Fatal(err)
	}
	f.flush()
	f.arrived(25)
}

func TestDeliversAtEachInterval(t *testing.T) {
	f := start(t, ldcomponents.SendEvents().FlushInterval(5*time.Millisecond))
	for i := range 3 {
		f.track(i, 1)
		_, _ = f.client.BoolVariation("flag", sandy, false)
		if err := f.box.WaitForEventCount(waiting(t), i+1, launchdarklytest.KindCustom); err != nil {
			t.Fatal(err)
		}
		if err := f.box.WaitForEventCount(waiting(t), i+1, launchdarklytest.KindSummary); err != nil {
			t.Fatal(err)
		}
	}
}

// The store is full before the events fill a request.
func TestDeliversLargeEventsWithoutFlush(t *testing.T) {
	const maxBytes = 100_000
	f := start(t, rarely(), delivery.WithMaxBytes(maxBytes), delivery.WithMaxWait(0))
	large := ldvalue.String(strings.Repeat("x", maxBytes*3/4))
	for i := range 3 {
		await(t, "room", func() bool {
			_ = f.client.TrackData("large", sandy, large)
			return int(f.processor.Stats().Delivered) > i
		})
	}
}

func TestFlushWithoutEventsReturnsAtOnce(t *testing.T) {
	f := start(t, rarely())
	if err := f.processor.FlushContext(over()); err != nil {
		t.Error(err)
	}
	if !f.processor.FlushBlocking(time.Hour) || !f.processor.FlushBlocking(0) {
		t.Error("FlushBlocking returns false")
	}
	f.track(0, 1)
	_, _ = f.client.BoolVariation("flag", sandy, false)
	f.flush()
	if err := f.processor.FlushContext(over()); err != nil {
		t.Error(err)
	}
	if n := len(f.box.Requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestFlushReturnsTheNumberOfUndeliveredEvents(t *testing.T) {
	f := start(t, rarely(), quick(), delivery.WithRequestEvents(10))
	f.track(0, 10)
	f.flush()
	f.box.RefuseEvents(503)
	f.track(10, 25)
	f.undelivered(f.processor.FlushContext(over()), 25, false, context.Canceled)
	f.requests(4) // it is retried
	f.undelivered(f.processor.FlushContext(over()), 25, false, context.Canceled)
	if f.processor.FlushBlocking(time.Millisecond) {
		t.Error("FlushBlocking returns true")
	}
	f.box.AcceptEvents()
	f.flush()
	f.arrived(35)
	if s := f.check(); s.Retries == 0 || s.Requests < 4 || s.Delivered != 35 {
		t.Errorf("%+v", s)
	}
}

func TestFlushCoversEventsOfAllKinds(t *testing.T) {
	f := start(t, rarely())
	for i := range 3 {
		_, _ = f.client.BoolVariation("flag", sandy, false)
		f.flush()
		if n := f.box.EventCount(launchdarklytest.KindSummary); n != i+1 {
			t.Fatalf("%d summaries after flush %d", n, i+1)
		}
	}
	_ = f.client.Identify(ldcontext.New("kim"))
	f.flush()
	if n := f.box.EventCount(launchdarklytest.KindIdentify); n != 1 {
		t.Errorf("%d identify events", n)
	}
	f.processor.RecordRawEvent([]byte(`{"kind": "custom", "key": "raw"}`))
	f.flush()
	if n := len(f.box.CustomEvents("raw")); n != 1 {
		t.Errorf("%d raw events", n)
	}
	_ = f.client.TrackMigrationOp(ldevents.MigrationOpEventData{
		BaseEvent: ldevents.BaseEvent{Context: ldevents.Context(sandy)}, FlagKey: "flag",
	})
	f.flush()
	if n := f.box.EventCount(launchdarklytest.KindMigrationOp); n != 1 {
		t.Errorf("%d migration events", n)
	}
	if s := f.check(); s.Evaluations != 6 || s.Tracked != 0 {
		t.Errorf("%+v", s)
	}
}

// The flush of the SDK's processor does not return if its buffer is empty.
func TestFlushReturnsIfTheSDKOmitsAllEvents(t *testing.T) {
	f := start(t, rarely().OmitAnonymousContexts(true))
	_ = f.client.Identify(ldcontext.NewBuilder("nobody").Anonymous(true).Build())
	f.flush()
	if n := len(f.box.Requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestFlushCoversIndexEventsOfSampledOutEvents(t *testing.T) {
	f := start(t, rarely())
	f.track(0, 1)
	f.flush()
	for round := range 3 {
		for i := range 3 { // too few to be formatted before the flush
			f.processor.RecordCustomEvent(ldevents.CustomEventData{
				BaseEvent:     ldevents.BaseEvent{Context: ldevents.Context(ldcontext.New(strconv.Itoa(3*round + i)))},
				Key:           "sampled out",
				SamplingRatio: ldvalue.NewOptionalInt(0),
			})
		}
		f.flush()
		if n := f.box.EventCount(launchdarklytest.KindIndex); n != 1+3*(round+1) {
			t.Errorf("%d index events after flush %d", n, round+1)
		}
	}
	if s := f.check(); s.SampledOut != 9 || s.Waiting+s.EvaluationEvents.Waiting != 0 {
		t.Errorf("%+v", s)
	}
}

func TestRetriesWithTheSamePayloadID(t *testing.T) {
	for name, fault := range map[string]func(*launchdarklytest.Server){
		"response lost": func(box *launchdarklytest.Server) { box.ResetEvents(3) },
		"503":           func(box *launchdarklytest.Server) { box.RefuseEvents(503, launchdarklytest.Times(3)) },
	} {
		t.Run(name, func(t *testing.T) {
			var log lines
			f := start(t, rarely(), quick(), delivery.WithLogger(logTo(&log)))
			fault(f.box)
			f.track(0, 10)
			f.flush()
			f.arrived(10)
			requests := f.box.Requests()
			for _, r := range requests {
				if r.PayloadID() == "" || r.PayloadID() != requests[0].PayloadID() {
					t.Errorf("payload IDs %q and %q", requests[0].PayloadID(), r.PayloadID())
				}
			}
			if s := f.check(); len(requests) != 4 || s.Retries != 3 || s.Requests != 1 {
				t.Errorf("%d requests, %+v", len(requests), s)
			}
			await(t, "the line on recovery", func() bool { return log.count() > 1 })
			if log.count() != 2 || !strings.Contains(log.String(), "will retry") ||
				!strings.Contains(log.String(), "delivered again") {
				t.Errorf("logged %s", &log)
			}
		})
	}
}

func TestDividesRequestsWithTooManyEvents(t *testing.T) {
	for _, limit := range []int{1, 7, 99, 100} {
		t.Run(strconv.Itoa(limit), func(t *testing.T) {
			f := start(t, rarely(), quick(), delivery.WithRequestEvents(100))
			_ = f.client.TrackMetric("purchase", sandy, 0, ldvalue.Null()) // and the index event
			f.flush()
			f.box.LimitEvents(limit)
			f.track(1, 999)
			f.flush()
			f.arrived(1000)
			f.inOrder()
			tooLarge := 0
			for _, r := range f.box.Requests() {
				if r.Status == 413 {
					tooLarge++
				}
			}
			// It adapts to the first request, and rarely tries a larger one.
			if most := 2*100/limit + 2*1000/limit/16 + 5; limit < 100 && tooLarge > most {
				t.Errorf("%d requests were too large", tooLarge)
			}
			f.check()
		})
	}
}

// Requests grow again after one event was too large.
func TestTooLargeEventDelaysNoOtherEvent(t *testing.T) {
	const each = 64
	f := start(t, rarely(), quick(), delivery.WithRequestEvents(each))
	f.box.LimitEventBytes(100_000)
	large := ldvalue.String(strings.Repeat("x", 200_000))
	f.track(0, each/2)
	_ = f.client.TrackData("large", sandy, large)
	f.track(each/2, each/2)
	f.undelivered(f.processor.FlushContext(waiting(t)), 1, false, delivery.ErrTooLarge)
	f.track(each, 100*each)
	f.undelivered(f.processor.FlushContext(waiting(t)), 1, false, delivery.ErrTooLarge)
	if n := len(f.box.CustomEvents("purchase")); n != 101*each {
		t.Errorf("%d of %d others arrived", n, 101*each)
	}
	largest := 0
	for _, r := range f.box.Requests()[50:] {
		largest = max(largest, r.EventCount)
	}
	if largest != each {
		t.Errorf("later requests have at most %d events", largest)
	}
	if s := f.check(); s.Waiting != 1 { // it is retried for minutes
		t.Errorf("%+v", s)
	}
}

// The SDK's processor formats these events as invalid JSON.
func TestEventWithoutValidJSONIsDroppedAlone(t *testing.T) {
	nan := ldvalue.Float64(math.NaN())
	bad := ldcontext.NewBuilder("bad").SetFloat64("height", math.Inf(1)).Build()
	for _, c := range []struct {
		name    string
		gzip    bool
		track   func(*fixture)
		arrives string // the key with which it arrives; empty if it is dropped
	}{
		{"metric", false, func(f *fixture) { _ = f.client.TrackMetric("p", sandy, math.NaN(), ldvalue.Null()) }, ""},
		{"data", false, func(f *fixture) { _ = f.client.TrackData("p", sandy, ldvalue.ArrayOf(nan)) }, ""},
		{"raw data", false, func(f *fixture) { _ = f.client.TrackData("p", sandy, ldvalue.ArrayOf(ldvalue.Raw([]byte(`{"a":`)))) }, ""},
		{"context", false, func(f *fixture) { _ = f.client.TrackEvent("p", bad) }, ""},
		{"context, compressed", true, func(f *fixture) { _ = f.client.TrackEvent("p", bad) }, ""},
		{"invalid UTF-8 in a context", false, func(f *fixture) { _ = f.client.TrackEvent("p", ldcontext.New("bad\xff")) }, "p"},
		{"invalid UTF-8 in a name", true, func(f *fixture) { _ = f.client.TrackEvent("p\xff", sandy) }, "p\uFFFD"},
		{"invalid UTF-8 in data", false, func(f *fixture) { _ = f.client.TrackData("p", sandy, ldvalue.String("\xc3\x28")) }, "p"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := start(t, rarely().EnableGzip(c.gzip))
			const events, poisoned = 1000, 10
			for i := range poisoned {
				f.track(i*events/poisoned, events/poisoned)
				c.track(f)
			}
			err := f.processor.FlushContext(waiting(t))
			refused := poisoned
			if c.arrives != "" {
				refused = 0
				if n := len(f.box.CustomEvents(c.arrives)); err != nil || n != poisoned {
					t.Errorf("%d arrived, %v", n, err)
				}
			} else {
				f.undelivered(err, poisoned, false, delivery.ErrRefused)
				if err := f.processor.FlushContext(waiting(t)); err != nil {
					t.Errorf("a loss is reported twice: %v", err)
				}
			}
			if n := len(f.box.CustomEvents("purchase")); n != events {
				t.Errorf("%d of %d others arrived", n, events)
			}
			if s := f.check(); s.Dropped.Refused != uint64(refused) || s.Dropped.Total() != uint64(refused) {
				t.Errorf("%+v", s)
			}
			if _, n := f.drops.all(); n != refused {
				t.Errorf("%d events were reported", n)
			}
			for _, r := range f.box.Requests() {
				if r.Problem != "" {
					t.Errorf("a request was not JSON: %s", r.Problem)
				}
			}
		})
	}
}

func TestFullQueueDropsEventsAndRecovers(t *testing.T) {
	const maxEvents = 50
	f := start(t, rarely(), quick(), delivery.WithMaxEvents(maxEvents), delivery.WithRequestEvents(20))
	f.box.RefuseEvents(500)
	f.track(0, 20)
	f.requests(2)
	await(t, "the failure", func() bool { return f.processor.Stats().Retries > 0 })
	f.track(20, 480)
	if s := f.check(); s.Tracked != 500 || s.Waiting != maxEvents || s.Dropped.QueueFull != 450 {
		t.Errorf("%+v", s)
	}
	if _, n := f.drops.all(); n != 450 {
		t.Errorf("%d events were reported", n)
	}
	f.box.AcceptEvents()
	f.undelivered(f.processor.FlushContext(waiting(t)), 450, false, delivery.ErrQueueFull)
	f.flush() // a loss is reported once
	f.arrived(maxEvents)
	f.track(maxEvents, 10)
	f.flush()
	f.arrived(maxEvents + 10)
}

func TestShutdownDeliversAndRejectsFurtherEvents(t *testing.T) {
	f := start(t, rarely())
	f.track(0, 10_000)
	_, _ = f.client.BoolVariation("flag", sandy, false)
	if err := f.processor.Shutdown(waiting(t)); err != nil {
		t.Fatal(err)
	}
	f.arrived(10_000)
	if n := f.box.EventCount(launchdarklytest.KindSummary); n != 1 || !f.processor.Ended() {
		t.Errorf("%d summaries, ended %v", n, f.processor.Ended())
	}

	f.track(0, 5)
	for range 20_000 { // more than the buffer of the SDK's processor
		f.processor.RecordEvaluation(ldevents.EvaluationData{Key: "flag"})
	}
	f.undelivered(f.processor.FlushContext(waiting(t)), 5, true, delivery.ErrClosed)
	f.client.Flush()
	if err := f.processor.Shutdown(waiting(t)); err != nil {
		t.Errorf("second shutdown: %v", err)
	}
	if err := f.processor.Close(); err != nil {
		t.Errorf("close after shutdown: %v", err)
	}
	if s := f.check(); s.Dropped.Closed != 5 || s.Delivered != 10_000 || s.EvaluationEvents.Dropped.Closed != 20_000 {
		t.Errorf("%+v", s)
	}
	if _, n := f.drops.all(); n != 5 {
		t.Errorf("%d events were reported", n)
	}
}

func TestShutdownDropsTheRestWhenItsContextIsDone(t *testing.T) {
	for name, fault := range map[string]func(*launchdarklytest.Server){
		"failing": func(box *launchdarklytest.Server) { box.RefuseEvents(503) },
		"hanging": func(box *launchdarklytest.Server) { box.RefuseEvents(503); box.DelayEvents(time.Hour) },
		"Retry-After": func(box *launchdarklytest.Server) {
			box.RefuseEvents(429, launchdarklytest.RetryAfter(time.Hour))
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, rarely(), delivery.WithRequestEvents(10))
			fault(f.box)
			f.track(0, 35)
			_, _ = f.client.BoolVariation("flag", sandy, false)
			f.requests(1)
			ctx, cancel := context.WithCancel(waiting(t))
			result := make(chan error, 3)
			go func() { result <- f.processor.Shutdown(ctx) }()
			await(t, "the shutdown to begin", func() bool {
				_ = f.client.TrackEvent("late", sandy)
				return f.processor.Stats().Dropped.Closed > 0
			})
			left := int(f.check().Waiting)
			// A second call whose context is done returns at once, without effect on the first.
			f.undelivered(f.processor.Shutdown(over()), left, true, context.Canceled)
			go func() { result <- f.processor.Shutdown(waiting(t)) }()
			go func() { result <- f.client.Close() }()
			cancel()
			for range 3 {
				if err := <-result; err != nil {
					f.undelivered(err, left, true, context.Canceled)
				}
			}
			await(t, "the end", f.processor.Ended)
			s := f.check()
			if _, n := f.drops.all(); s.Waiting != 0 || s.Delivered != 0 || uint64(n) != s.Dropped.Closed {
				t.Errorf("%d events were reported, %+v", n, s)
			}
		})
	}
}

// A process that exits after Shutdown never sees later reports.
func TestShutdownReportsLossesBeforeItReturns(t *testing.T) {
	f := start(t, rarely(), delivery.WithRequestEvents(10))
	f.box.RefuseEvents(503)
	f.track(0, 35)
	_, _ = f.client.BoolVariation("flag", sandy, false)
	f.requests(1)
	f.undelivered(f.processor.Shutdown(over()), 35, true, context.Canceled)
	s := f.check()
	if _, n := f.drops.all(); n != 35 || s.Dropped.Closed != 35 || s.Waiting != 0 {
		t.Errorf("%d events were reported, %+v", n, s)
	}
}

func TestShutdownReturnsWhileAnErrorHandlerBlocks(t *testing.T) {
	release := make(chan struct{})
	f := start(t, rarely(), delivery.WithErrorHandler(func(error) { <-release }))
	f.box.RefuseEvents(503)
	f.track(0, 35)
	f.undelivered(f.processor.Shutdown(over()), 35, true, context.Canceled)
	if f.processor.Ended() {
		t.Error("it ended before the handler returned")
	}
	close(release)
	await(t, "the end", f.processor.Ended)
}

func TestCloseOfTheClientDelivers(t *testing.T) {
	f := start(t, rarely())
	f.track(0, 5_000)
	_, _ = f.client.BoolVariation("flag", sandy, false)
	if err := f.client.Close(); err != nil {
		t.Fatal(err)
	}
	f.arrived(5_000)
	if n := f.box.EventCount(launchdarklytest.KindSummary); n != 1 {
		t.Errorf("%d summaries", n)
	}
	if !f.processor.Ended() {
		t.Error("the processor has not ended")
	}
}
