package delivery

import (
	"slices"
	"sync/atomic"
	"time"

	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
)

// contextKeysCapacity is the number of contexts for which LaunchDarkly's processor remembers that
// it has sent an index event. With the SDK's default of 1,000, a cycle of 2,000 users sends an
// index event with every event.
const contextKeysCapacity = 20_000

// Configuration is an event processor configuration for the Events field of LaunchDarkly's Config.
// Create one with [Lossless].
type Configuration struct {
	events *ldcomponents.EventProcessorBuilder
	opts   []Option
	from   *Configuration // the configuration from which this one was derived; nil for none
	latest atomic.Pointer[Processor]
}

var _ subsystems.ComponentConfigurer[ldevents.EventProcessor] = (*Configuration)(nil)

// Lossless returns a configuration that delivers events as described in the package documentation.
// It uses the settings of the builder, or of ldcomponents.SendEvents() if events is nil, and does
// not modify the builder. A capacity above 100,000 replaces the default of [WithMaxEvents]; a
// smaller one has no effect. A context keys capacity of 1,000, the SDK's default, is increased to
// 20,000.
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

// With returns a configuration with further options, which override those of c.
func (c *Configuration) With(opts ...Option) *Configuration {
	return &Configuration{events: c.events, opts: slices.Concat(c.opts, opts), from: c}
}

// WithDefaults returns a configuration with further options, which those of c override.
func (c *Configuration) WithDefaults(opts ...Option) *Configuration {
	return &Configuration{events: c.events, opts: slices.Concat(opts, c.opts), from: c}
}

// Processor returns the processor that [Configuration.Build] created last, for c or for a
// configuration derived from it, or nil if there is none. It is safe for concurrent use.
func (c *Configuration) Processor() *Processor { return c.latest.Load() }

// Build implements [subsystems.ComponentConfigurer]. LaunchDarkly's SDK calls it. It starts the
// goroutines that deliver events, which [Processor.Close] or [Processor.Shutdown] end.
func (c *Configuration) Build(client subsystems.ClientContext) (ldevents.EventProcessor, error) {
	description := c.events.DescribeConfiguration(client)
	number := func(key string) int { return description.GetByKey(key).IntValue() }
	s := newSettings(c.opts, number("eventsCapacity"))
	interval := time.Duration(number("eventsFlushIntervalMillis")) * time.Millisecond
	if interval <= 0 {
		interval = ldcomponents.DefaultFlushInterval
	}
	contextKeys := number("userKeysCapacity")
	if contextKeys == ldcomponents.DefaultContextKeysCapacity {
		contextKeys = contextKeysCapacity
	}
	basic := subsystems.BasicClientContext{ // without diagnostics, which only the SDK's own processor sends
		SDKKey:           client.GetSDKKey(),
		ApplicationInfo:  client.GetApplicationInfo(),
		InstanceID:       client.GetInstanceID(),
		HTTP:             client.GetHTTP(),
		Logging:          client.GetLogging(),
		Offline:          client.GetOffline(),
		ServiceEndpoints: client.GetServiceEndpoints(),
	}
	f, err := newFormatter(c.events, basic, contextKeys)
	if err != nil {
		return nil, err
	}
	f.interval = interval
	template := f.template()
	s.spool.environment = environmentOf(client.GetSDKKey())
	s.spool.schema = template.Header.Get(schemaHeader)
	httpClient, timeout := newClient(basic, s.requestTimeout)
	e := &endpoint{
		client:   httpClient,
		template: template,
		timeout:  timeout,
		compress: description.GetByKey("enableGzip").BoolValue(),
		secrets:  keyRedactor(client.GetSDKKey()),
	}
	p := newProcessor(s, f, e)
	for built := c; built != nil; built = built.from {
		built.latest.Store(p)
	}
	return p, nil
}
