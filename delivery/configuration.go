package delivery

import (
	"slices"
	"sync/atomic"
	"time"

	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
)

// contextKeysCapacity is how many contexts LaunchDarkly's processor remembers having described. The
// SDK's default, 1,000, makes 2,000 users in turn be described with each event.
const contextKeysCapacity = 20_000

// Configuration is an event processor configuration as LaunchDarkly's SDK takes them, in the Events
// field of its Config. Make one with [Lossless].
type Configuration struct {
	events *ldcomponents.EventProcessorBuilder
	opts   []Option
	from   *Configuration // which this one was derived from, if any
	latest atomic.Pointer[Processor]
}

var _ subsystems.ComponentConfigurer[ldevents.EventProcessor] = (*Configuration)(nil)

// Lossless configures the delivery of events as described in the package documentation. All
// settings of the builder hold, and it is not changed; nil means ldcomponents.SendEvents(). A
// capacity above 100,000 takes the place of the default of [WithMaxEvents]; a smaller one has no
// meaning here. The number of context keys that are remembered is 20,000 where it is the SDK's
// default of 1,000.
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

// WithDefaults returns a configuration with further options, which those that this one has win
// over.
func (c *Configuration) WithDefaults(opts ...Option) *Configuration {
	return &Configuration{events: c.events, opts: slices.Concat(opts, c.opts), from: c}
}

// Processor returns what [Configuration.Build] made last, of this configuration or of one that was
// derived from it; nil before that. It is safe for concurrent use.
func (c *Configuration) Processor() *Processor { return c.latest.Load() }

// Build is called by LaunchDarkly's SDK. It starts the goroutines that deliver; Close or Shutdown
// end them.
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
	basic := subsystems.BasicClientContext{ // without diagnostics: the SDK sends them with its own processor only
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
		secrets:  hideKey(client.GetSDKKey()),
	}
	p := newProcessor(s, f, e)
	for built := c; built != nil; built = built.from {
		built.latest.Store(p)
	}
	return p, nil
}
