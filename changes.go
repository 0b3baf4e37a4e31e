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
	// maxChanges is the maximum number of flag keys in an event. If more flags have changed, the
	// event has no keys.
	maxChanges = 10_000
)

// changeCollector debounces flag changes into one event. The zero value is ready for use.
type changeCollector struct {
	due   *openfeature.Event  // to be sent, if not nil
	timer *time.Timer         // not nil between a change and the next collect
	first time.Time           // the time of the first change since the last collect
	keys  map[string]struct{} // what has changed since then, or nil if that is more than maxChanges
}

// add records a change of a flag.
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

// quiet returns a channel that is ready when collect has to be called. It is nil if nothing has
// changed.
func (c *changeCollector) quiet() <-chan time.Time {
	if c.timer == nil {
		return nil
	}
	return c.timer.C
}

// collect makes an event due, for all changes since the last call. It merges an event that is still
// due into it.
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

// sent records that the event was sent.
func (c *changeCollector) sent() { c.due = nil }

// stop releases the timer.
func (c *changeCollector) stop() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
}
