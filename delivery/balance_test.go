package delivery_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// TestStatsBalanceUnderLoad records events concurrently into a queue that may be too small, flushes
// 100 times, and makes the service fail in all ways. In the end, each event is counted exactly
// once.
func TestStatsBalanceUnderLoad(t *testing.T) {
	const goroutines, flushes, each = 8, 100, 10 // events of each goroutine for each flush
	f := startWith(t, ldcomponents.SendEvents().FlushInterval(5*time.Millisecond), func(f *fixture, _ *ld.Config) {
		f.box.SetFlags(ldbuilders.NewFlagBuilder("flag").On(true).Variations(ldvalue.Bool(true)).FallthroughVariation(0).
			TrackEvents(true).Build())
	}, quick(), delivery.WithRequestEvents(100), delivery.WithMaxEvents(2_000), delivery.WithMaxWait(time.Millisecond))
	faults := []func(){
		func() { f.box.RefuseEvents(503, launchdarklytest.Times(2)) },
		func() { f.box.ResetEvents(1) },
		func() { f.box.RefuseEvents(403, launchdarklytest.Times(1)) },
		func() { f.box.LimitEvents(30) },
		func() { f.box.RefuseEvents(401, launchdarklytest.Times(4)) },
		func() { f.box.LimitEvents(0) },
		func() { f.box.DelayEvents(5 * time.Millisecond) },
		func() { f.box.DelayEvents(0) },
	}
	var recording, flushing sync.WaitGroup
	for round := range flushes {
		faults[round%len(faults)]()
		for g := range goroutines {
			recording.Go(func() {
				for i := range each {
					id := (round*goroutines+g)*each + i
					_ = f.client.TrackMetric("purchase", sandy, float64(id), ldvalue.Null())
				}
			})
			recording.Go(func() {
				for i := range each {
					_, _ = f.client.BoolVariation("flag", ldcontext.New(strconv.Itoa((round*goroutines+g)*each+i)), false)
				}
			})
		}
		flushing.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(round)*time.Millisecond)
			defer cancel()
			_ = f.processor.FlushContext(ctx) // events may be dropped, or not be delivered in time
		})
		f.check()
		f.client.Flush()
		if round%4 == 0 { // up to 64 of each at once
			recording.Wait()
			flushing.Wait()
		}
	}
	recording.Wait()
	flushing.Wait()
	f.box.AcceptEvents()
	f.box.ResetEvents(0)
	_ = f.processor.Shutdown(waiting(t)) // as above

	s := f.check()
	if s.Tracked != goroutines*flushes*each || s.Evaluations != goroutines*flushes*each {
		t.Errorf("not all recorded events are counted: %+v", s)
	}
	if s.Waiting+s.WaitingBytes+s.EvaluationEvents.Waiting+s.EvaluationEvents.WaitingBytes != 0 || s.OldestWaiting != 0 {
		t.Errorf("events still wait: %+v", s)
	}
	if _, n := f.drops.all(); uint64(n) != s.Dropped.Total() {
		t.Errorf("%d tracked events were reported as dropped: %+v", n, s)
	}
	arrived := make(map[float64]bool)
	for _, e := range f.box.CustomEvents("purchase") {
		arrived[*e.MetricValue] = true
	}
	if uint64(len(arrived)) != s.Delivered {
		t.Errorf("%d tracked events arrived, %+v", len(arrived), s)
	}
	// The flag is tracked, so that each evaluation is an event of its own. Some may have arrived
	// twice, and the summaries of a request are merged.
	others := uint64(f.box.EventCount() - f.box.EventCount(launchdarklytest.KindCustom))
	if e := s.EvaluationEvents; e.Delivered > others+s.Requests || e.Delivered+s.Repeated < others {
		t.Errorf("%d other events arrived, %+v", others, s)
	}
	t.Logf("%+v", s)
}
