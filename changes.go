package launchdarkly

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/open-feature/go-sdk/openfeature"
)

const (
	// changeDebounce is the debounce interval for flag changes.
	changeDebounce = 100 * time.Millisecond
	// maxChangeDelay bounds the delay of flag changes while more of them arrive.
	maxChangeDelay = time.Second
	// maxChanges is the largest number of flags that an event names; of more, it names none.
	maxChanges = 10_000
)

// changeCollector debounces flag changes into one event. Its zero value is ready.
type changeCollector struct {
	due   *openfeature.Event  // to be sent, if not nil
	timer *time.Timer         // not nil between a change and the next collect
	first time.Time           // the time of the first change since the last collect
	keys  map[string]struct{} // what has changed since then, or nil if that is more than maxChanges
}

// add takes in a change of a flag.
func (c *changeCollector) add(key string) {
	now := time.Now()
	if c.timer == nil {
		c.first = now
		c.timer = time.NewTimer(changeDebounce)
		c.keys = make(map[string]struct{})
	} else {
		c.timer.Reset(min(changeDebounce, max(c.first.Add(maxChangeDelay).Sub(now), 0)))
	}
	if c.keys == nil {
		return
	}
	if c.keys[key] = struct{}{}; len(c.keys) > maxChanges {
		c.keys = nil
	}
}

// quiet returns a channel that is ready when it is time to collect, or nil while nothing has
// changed.
func (c *changeCollector) quiet() <-chan time.Time {
	if c.timer == nil {
		return nil
	}
	return c.timer.C
}

// collect makes the changes due, together with those of an event that was not sent yet.
func (c *changeCollector) collect() {
	c.stop()
	if c.due != nil && c.due.FlagChanges == nil {
		c.keys = nil
	}
	if c.due != nil && c.keys != nil {
		for _, key := range c.due.FlagChanges {
			c.keys[key] = struct{}{}
		}
	}
	c.due = &openfeature.Event{ProviderName: providerName, EventType: openfeature.ProviderConfigChange}
	if c.keys == nil || len(c.keys) > maxChanges {
		c.due.Message = fmt.Sprintf("more than %d flags have changed", maxChanges)
	} else {
		c.due.FlagChanges = slices.Sorted(maps.Keys(c.keys))
		c.due.Message = "flags have changed"
	}
	c.keys = nil
}

// sent notes that the event that was due has been sent.
func (c *changeCollector) sent() { c.due = nil }

// stop frees the timer.
func (c *changeCollector) stop() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
}
