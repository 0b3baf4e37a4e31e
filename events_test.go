package launchdarkly

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/testhelpers/ldtestdata"
	"github.com/open-feature/go-sdk/openfeature"
)

func TestStateTracker(t *testing.T) {
	ready := openfeature.Event{EventType: openfeature.ProviderReady}
	stale := openfeature.Event{EventType: openfeature.ProviderStale}
	failed := openfeature.Event{EventType: openfeature.ProviderError}
	fatal := openfeature.Event{EventType: openfeature.ProviderError,
		ProviderEventDetails: openfeature.ProviderEventDetails{ErrorCode: openfeature.ProviderFatalCode}}
	nothing := openfeature.Event{}

	for name, test := range map[string]struct {
		told        openfeature.Event // by the initialization
		transitions []openfeature.Event
		want        []openfeature.Event // when each is read before the next comes
		wantUnread  []openfeature.Event // when nobody reads before the end
	}{
		"before initialization":     {nothing, []openfeature.Event{ready, stale}, nil, nil},
		"the same again":            {ready, []openfeature.Event{ready, ready}, nil, nil},
		"nothing new":               {ready, []openfeature.Event{nothing}, nil, nil},
		"stale once":                {ready, []openfeature.Event{stale, stale}, []openfeature.Event{stale}, []openfeature.Event{stale}},
		"stale and back":            {ready, []openfeature.Event{stale, ready}, []openfeature.Event{stale, ready}, nil},
		"late connection":           {failed, []openfeature.Event{ready}, []openfeature.Event{ready}, []openfeature.Event{ready}},
		"late refusal":              {failed, []openfeature.Event{fatal, fatal}, []openfeature.Event{fatal}, []openfeature.Event{fatal}},
		"the last of several holds": {ready, []openfeature.Event{stale, ready, stale, failed}, []openfeature.Event{stale, ready, stale, failed}, []openfeature.Event{failed}},
	} {
		t.Run(name, func(t *testing.T) {
			for read, want := range map[bool][]openfeature.Event{true: test.want, false: test.wantUnread} {
				var s stateTracker
				s.told(test.told)
				var got []openfeature.EventType
				take := func() {
					if event := s.pending; event != nil {
						got = append(got, event.EventType)
						s.sent(event)
					}
				}
				for _, transition := range test.transitions {
					s.transition(transition)
					if read {
						take()
					}
				}
				take()
				take()
				var wanted []openfeature.EventType
				for _, event := range want {
					wanted = append(wanted, event.EventType)
				}
				if !slices.Equal(got, wanted) {
					t.Errorf("read at once: %v; got %v, want %v", read, got, wanted)
				}
			}
		})
	}

	t.Run("another took its place while it was sent", func(t *testing.T) {
		var s stateTracker
		s.told(ready)
		s.transition(stale)
		sending := s.pending
		s.transition(failed)
		s.sent(sending)
		if s.pending == nil || s.pending.EventType != openfeature.ProviderError {
			t.Errorf("pending %v", s.pending)
		}
		s.transition(stale)
		if s.pending != nil {
			t.Errorf("back to what was sent, and %v is pending", s.pending)
		}
	})
}

func TestChangeCollector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c changeCollector
		defer c.stop()
		if c.quiet() != nil {
			t.Error("nothing has changed, and there is something to wait for")
		}
		for i := range 1000 {
			c.add(fmt.Sprintf("flag-%03d", 999-i))
			c.add("flag-000")
		}
		<-c.quiet()
		c.collect()
		if n := len(c.due.FlagChanges); n != 1000 || !slices.IsSorted(c.due.FlagChanges) {
			t.Errorf("%d changes", n)
		}

		c.add("another") // before the first event was read
		<-c.quiet()
		c.collect()
		if n := len(c.due.FlagChanges); n != 1001 {
			t.Errorf("%d changes, want all that were not read", n)
		}

		c.due = nil // read
		c.add("alone")
		<-c.quiet()
		c.collect()
		if got := c.due.FlagChanges; !slices.Equal(got, []string{"alone"}) {
			t.Errorf("changes %v", got)
		}
	})
}

// TestChangeCollectorDoesNotWaitForever has a flag change all the time.
func TestChangeCollectorDoesNotWaitForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c changeCollector
		defer c.stop()
		start := time.Now()
		for i := 0; ; i++ {
			c.add("flag")
			select {
			case <-c.quiet():
				if waited := time.Since(start); waited > maxQuietTime+quietTime {
					t.Errorf("waited for %s", waited)
				}
				return
			case <-time.After(quietTime / 2):
			}
			if i > 1000 {
				t.Fatal("no end in sight")
			}
		}
	})
}

func TestChangeCollectorIsBounded(t *testing.T) {
	for _, changes := range [][2]int{{maxChanges * 3 / 4, maxChanges * 3 / 4}, {1, maxChanges + 1}, {maxChanges + 1, 1}} {
		testBound(t, changes)
	}
}

// testBound has two rounds of changes that are too many together.
func testBound(t *testing.T, changes [2]int) {
	synctest.Test(t, func(t *testing.T) {
		var c changeCollector
		defer c.stop()
		for round, n := range changes {
			for i := range n {
				c.add(fmt.Sprintf("%d-%d", round, i))
			}
			<-c.quiet()
			c.collect()
		}
		if c.due.FlagChanges != nil {
			t.Errorf("%d changes are named; none means any flag", len(c.due.FlagChanges))
		}
		c.add("one more")
		<-c.quiet()
		c.collect()
		if c.due.FlagChanges != nil {
			t.Errorf("changes %v, but others have not been told", c.due.FlagChanges)
		}
	})
}

// OpenFeature's SDK tells how an initialization went after it has returned: what has happened since must come later.
func TestStateWaitsForOpenFeature(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := ldtestdata.DataSource()
		client, err := ld.MakeCustomClient("key", ld.Config{
			DataSource: source, Events: ldcomponents.NoEvents(), Logging: ldcomponents.NoLogging(), DiagnosticOptOut: true,
		}, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		p, err := NewProviderWithClient(client)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Shutdown()
		if err := p.InitWithContext(t.Context(), openfeature.EvaluationContext{}); err != nil {
			t.Fatal(err)
		}
		initialized := time.Now()
		source.UpdateStatus(interfaces.DataSourceStateInterrupted, interfaces.DataSourceErrorInfo{})
		event := <-p.EventChannel()
		if waited := time.Since(initialized); event.EventType != openfeature.ProviderStale || waited != settleTime {
			t.Errorf("%v after %s", event, waited)
		}
		source.UpdateStatus(interfaces.DataSourceStateValid, interfaces.DataSourceErrorInfo{})
		event = <-p.EventChannel()
		if waited := time.Since(initialized); event.EventType != openfeature.ProviderReady || waited != settleTime {
			t.Errorf("%v after %s", event, waited)
		}
	})
}
