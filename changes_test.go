package launchdarkly

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

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
				if waited := time.Since(start); waited > maxChangeDelay+changeDebounce {
					t.Errorf("waited for %s", waited)
				}
				return
			case <-time.After(changeDebounce / 2):
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
