package delivery

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
)

// never is a flush interval that leaves all flushing to us.
const never = 10 * 365 * 24 * time.Hour

// Configuration is an event processor configuration as LaunchDarkly's SDK takes them, in the Events field of its
// Config. Make one with [Lossless].
type Configuration struct {
	events *ldcomponents.EventProcessorBuilder
	opts   []Option
	from   *Configuration // which this one was derived from, if any
	latest atomic.Pointer[Processor]
}

var _ subsystems.ComponentConfigurer[ldevents.EventProcessor] = (*Configuration)(nil)

// Lossless configures the delivery of events as described in the package documentation. All settings of the builder
// hold, and it is not changed; nil means ldcomponents.SendEvents(). Its capacity is that of the path for evaluations,
// and that of the queue of custom events where it is larger than the default and [WithMaxEvents] is not used.
//
//	config := ld.Config{
//		Events: delivery.Lossless(ldcomponents.SendEvents().FlushInterval(time.Second)),
//	}
func Lossless(events *ldcomponents.EventProcessorBuilder, opts ...Option) *Configuration {
	if events == nil {
		events = ldcomponents.SendEvents()
	}
	return &Configuration{events: events, opts: opts}
}

// With returns a configuration with further options, which win over those that this one has.
func (c *Configuration) With(opts ...Option) *Configuration {
	return &Configuration{events: c.events, opts: slices.Concat(c.opts, opts), from: c}
}

// WithDefaults returns a configuration with further options, which those that this one has win over.
func (c *Configuration) WithDefaults(opts ...Option) *Configuration {
	return &Configuration{events: c.events, opts: slices.Concat(opts, c.opts), from: c}
}

// Processor returns what [Configuration.Build] made last, of this configuration or of one that was derived from it; nil
// before that. It is safe for concurrent use.
func (c *Configuration) Processor() *Processor { return c.latest.Load() }

// Build is called by LaunchDarkly's SDK. It starts the goroutines that deliver; Close or Shutdown end them.
func (c *Configuration) Build(client subsystems.ClientContext) (ldevents.EventProcessor, error) {
	description := c.events.DescribeConfiguration(client)
	s := newSettings(c.opts, description.GetByKey("eventsCapacity").IntValue())
	interval := time.Duration(description.GetByKey("eventsFlushIntervalMillis").IntValue()) * time.Millisecond
	if interval <= 0 {
		interval = ldcomponents.DefaultFlushInterval
	}
	basic := subsystems.BasicClientContext{
		SDKKey:           client.GetSDKKey(),
		ApplicationInfo:  client.GetApplicationInfo(),
		InstanceID:       client.GetInstanceID(),
		HTTP:             client.GetHTTP(),
		Logging:          client.GetLogging(),
		Offline:          client.GetOffline(),
		ServiceEndpoints: client.GetServiceEndpoints(),
	}
	stopping, stop := context.WithCancel(context.Background())
	p := &Processor{queue: newQueue(s), stop: stop, accounted: make(chan struct{}), closed: make(chan struct{})}
	p.reporter.settings = s
	var err error
	if p.evaluations, err = newEvaluationLane(stopping, c, basic); err != nil {
		stop()
		return nil, err
	}
	r := &retrier{settings: s, stopping: stopping, attempted: p.attempted, watched: p.queue.progress.watched}
	if p.custom, err = newCustomLane(c, basic, p.queue, r, p.reporter.dropped); err != nil {
		stop()
		_ = p.evaluations.processor.Close()
		return nil, err
	}
	p.delivering.Go(func() { p.custom.run(stopping, interval) })
	p.summing.Go(func() { p.evaluations.run(stopping, interval) })
	for built := c; built != nil; built = built.from {
		built.latest.Store(p)
	}
	return p, nil
}
