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
	due   *openfeature.Event // to be sent, if not nil
	keys  map[string]struct{}
	many  bool        // more than maxChanges; keys is nil then
	timer *time.Timer // not nil between a change and the next collect
	first time.Time   // the time of the first change since the last collect
}

// add takes in a change of a flag.
func (c *changeCollector) add(key string) {
	now := time.Now()
	if c.timer == nil {
		c.first = now
		c.timer = time.NewTimer(changeDebounce)
	} else {
		c.timer.Reset(min(changeDebounce, max(c.first.Add(maxChangeDelay).Sub(now), 0)))
	}
	if c.many {
		return
	}
	if c.keys == nil {
		c.keys = make(map[string]struct{})
	}
	c.keys[key] = struct{}{}
	if len(c.keys) > maxChanges {
		c.many, c.keys = true, nil
	}
}

// quiet returns a channel that is ready when it is time to collect, or nil while nothing has changed.
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
		c.many = true
	}
	if c.due != nil && !c.many {
		for _, key := range c.due.FlagChanges {
			c.keys[key] = struct{}{}
		}
	}
	event := openfeature.Event{ProviderName: providerName, EventType: openfeature.ProviderConfigChange}
	if c.many || len(c.keys) > maxChanges {
		event.Message = fmt.Sprintf("more than %d flags have changed", maxChanges)
	} else {
		event.FlagChanges = slices.Sorted(maps.Keys(c.keys))
		event.Message = "flags have changed"
	}
	c.due = &event
	c.keys, c.many = nil, false
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
