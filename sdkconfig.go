package launchdarkly

import (
	"context"
	"net/http"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
)

// wrapperName is the name of this provider in LaunchDarkly's usage statistics.
const wrapperName = "open-feature-go-server"

// ownedClient is a client that the provider created.
type ownedClient struct {
	*ld.LDClient
	processor *delivery.Processor // nil if events are off or use another processor
	silent    bool                // see knownStatus
	requests  *requestStopper
	logs      *logSwitch // nil if the SDK logs elsewhere
}

// newOwnedClient creates a client, which starts to connect. onDrop is called for dropped events.
func newOwnedClient(sdkKey string, s settings, onDrop func(error)) (*ownedClient, error) {
	config := newSDKConfig(s, onDrop)
	client, err := ld.MakeCustomClient(sdkKey, config.Config, 0)
	if err != nil {
		config.requests.stop()
		return nil, err
	}
	c := &ownedClient{LDClient: client, requests: config.requests, logs: config.logs}
	if config.delivery != nil {
		c.processor = config.delivery.Processor()
	}
	if config.system != nil {
		c.silent = config.system.silent
	}
	return c, nil
}

// end closes the client. If ctx is done first, the rest of closing it continues in the background:
// the SDK may be blocked by an unread listener of the application, or by a persistent store.
func (c *ownedClient) end(ctx context.Context) error {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = c.Close() // as of 7.15.5, it always returns nil
	}()
	var err error
	select {
	case <-closed:
	case <-ctx.Done():
		err = ctx.Err()
	}
	c.requests.stop()
	if c.logs != nil {
		c.logs.off.Store(true)
	}
	return err
}

// sdkConfig is the configuration for a client that the provider creates. It adds to the
// application's configuration the provider's name in request headers, lossless delivery, the
// provider's logger, and a way to stop requests. The application's builders are not modified.
type sdkConfig struct {
	ld.Config
	delivery *delivery.Configuration // nil if events are off or use another processor
	requests *requestStopper
	logs     *logSwitch               // nil if the SDK logs elsewhere
	system   *dataSystemConfiguration // nil if there is no DataSystem
}

func newSDKConfig(s settings, onDrop func(error)) sdkConfig {
	c := sdkConfig{Config: s.config, requests: newRequestStopper()}

	base := s.config.HTTP
	if base == nil {
		base = ldcomponents.HTTPConfiguration()
	}
	c.HTTP = httpConfiguration{base: base, requests: c.requests}

	if s.config.Logging == nil || s.ownLogger {
		c.logs = &logSwitch{logger: s.logger}
		c.Logging = loggingConfiguration{base: s.config.Logging, logs: c.logs}
	}

	if s.config.DataSystem != nil {
		c.system = &dataSystemConfiguration{base: s.config.DataSystem}
		c.DataSystem = c.system
	}

	defaults := []delivery.Option{delivery.WithLogger(s.logger), delivery.WithErrorHandler(onDrop)}
	switch events := s.config.Events.(type) {
	case nil:
		c.delivery = delivery.Lossless(nil, defaults...)
	case *ldcomponents.EventProcessorBuilder:
		c.delivery = delivery.Lossless(events, defaults...)
	case *delivery.Configuration:
		c.delivery = events.WithDefaults(defaults...)
	}
	if c.delivery != nil {
		c.delivery = c.delivery.With(s.delivery...)
		c.Events = c.delivery
	}
	return c
}

// httpConfiguration adds the provider's name and a way to stop requests to an HTTP configuration.
type httpConfiguration struct {
	base     subsystems.ComponentConfigurer[subsystems.HTTPConfiguration]
	requests *requestStopper
}

// Build implements [subsystems.ComponentConfigurer].
func (h httpConfiguration) Build(client subsystems.ClientContext) (subsystems.HTTPConfiguration, error) {
	config, err := h.base.Build(client)
	if err != nil {
		return config, err
	}
	config.WrapperName, config.WrapperVersion = wrapperName, Version
	if config.DefaultHeaders = config.DefaultHeaders.Clone(); config.DefaultHeaders == nil {
		config.DefaultHeaders = http.Header{}
	}
	config.DefaultHeaders.Set("X-LaunchDarkly-Wrapper", wrapperName+"/"+Version)
	create := subsystems.BasicClientContext{HTTP: config}.GetHTTP().CreateHTTPClient // never nil
	config.CreateHTTPClient = func() *http.Client { return h.requests.wrap(create()) }
	return config, nil
}

// DescribeConfiguration implements [subsystems.DiagnosticDescription].
func (h httpConfiguration) DescribeConfiguration(client subsystems.ClientContext) ldvalue.Value {
	if d, ok := h.base.(subsystems.DiagnosticDescription); ok {
		return d.DescribeConfiguration(client)
	}
	return ldvalue.Null()
}
