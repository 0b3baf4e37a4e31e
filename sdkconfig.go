package launchdarkly

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/internal/httpstop"
	"github.com/openfeature-launchdarkly/go-provider/internal/logtext"
	"github.com/openfeature-launchdarkly/go-provider/internal/ratelimit"
)

// wrapperName is what LaunchDarkly's usage statistics know this provider as.
const wrapperName = "open-feature-go-server"

// sdkConfig is the configuration for a client that the provider owns: the application's, with our name in the request
// headers, lossless delivery, our logger, and a way to stop what the SDK does not stop. The application's builders
// stay as they are.
type sdkConfig struct {
	ld.Config
	delivery *delivery.Configuration // nil where events take another way
	requests *requestStopper
	logs     *logSwitch               // nil where the SDK logs elsewhere
	system   *dataSystemConfiguration // nil where there is no DataSystem
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

	ours := []delivery.Option{delivery.WithLogger(s.logger), delivery.WithErrorHandler(onDrop)}
	switch events := s.config.Events.(type) {
	case nil:
		c.delivery = delivery.Lossless(nil, ours...)
	case *ldcomponents.EventProcessorBuilder:
		c.delivery = delivery.Lossless(events, ours...)
	case *delivery.Configuration:
		c.delivery = events.WithDefaults(ours...)
	}
	if c.delivery != nil {
		c.Events = c.delivery
	}
	return c
}

// dataSystemConfiguration looks at what an application's DataSystem is made of.
type dataSystemConfiguration struct {
	base subsystems.ComponentConfigurer[subsystems.DataSystemConfiguration]
	// silent is whether, as of 7.15.4, the SDK goes on saying that it initializes: nothing keeps the data up to date, it is
	// that of a store, or got once.
	silent bool
}

// Build implements [subsystems.ComponentConfigurer].
func (d *dataSystemConfiguration) Build(client subsystems.ClientContext) (subsystems.DataSystemConfiguration, error) {
	config, err := d.base.Build(client)
	d.silent = len(config.Synchronizers.SynchronizerBuilders) == 0
	return config, err
}

// httpConfiguration adds to an HTTP configuration of the application's.
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

// requestStopper ends the HTTP requests of a client that was closed, where the SDK does not. Closed before the first
// connection of its stream, the SDK as of 7.15.4 goes on trying to connect for as long as the process lives.
type requestStopper struct {
	stopped context.Context
	stop    context.CancelFunc

	mu         sync.Mutex
	transports []*httpstop.Transport
}

func newRequestStopper() *requestStopper {
	var r requestStopper
	r.stopped, r.stop = context.WithCancel(context.Background())
	return &r
}

// wrap makes a client that stops. The status that later requests get makes the SDK give up.
func (r *requestStopper) wrap(client *http.Client) *http.Client {
	wrapped := *client
	transport := &httpstop.Transport{Next: client.Transport, Stopped: r.stopped, Status: http.StatusGone}
	wrapped.Transport = transport
	r.mu.Lock()
	defer r.mu.Unlock()
	r.transports = append(r.transports, transport)
	return &wrapped
}

// closeIdle ends the goroutines of connections that are kept for later.
func (r *requestStopper) closeIdle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, transport := range r.transports {
		transport.CloseIdleConnections()
	}
}

// loggingConfiguration sends the SDK's lines to the provider's logger; the rest of the application's logging
// configuration holds.
type loggingConfiguration struct {
	base subsystems.ComponentConfigurer[subsystems.LoggingConfiguration]
	logs *logSwitch
}

// Build implements [subsystems.ComponentConfigurer].
func (l loggingConfiguration) Build(client subsystems.ClientContext) (subsystems.LoggingConfiguration, error) {
	base := l.base
	if base == nil {
		base = ldcomponents.Logging()
	}
	config, err := base.Build(client)
	if err != nil {
		return config, err
	}
	for ldLevel, level := range map[ldlog.LogLevel]slog.Level{
		ldlog.Debug: slog.LevelDebug,
		ldlog.Info:  slog.LevelInfo,
		ldlog.Warn:  slog.LevelWarn,
		ldlog.Error: slog.LevelError,
	} {
		prefix := strings.ToUpper(ldLevel.Name()) + ":" // slog has the level already
		config.Loggers.SetBaseLoggerForLevel(ldLevel, sdkLogger{logs: l.logs, level: level, prefix: prefix})
	}
	return config, nil
}

// logSwitch is where the SDK's lines go, until it is turned off for good. Some warnings and errors come with each
// evaluation, for as long as a connection or a persistent store is missing: the same one appears once a minute.
type logSwitch struct {
	logger   *slog.Logger
	off      atomic.Bool
	problems ratelimit.Limiter
}

// sdkLogger is a level of the SDK's logger.
type sdkLogger struct {
	logs   *logSwitch
	level  slog.Level
	prefix string
}

var _ ldlog.BaseLogger = sdkLogger{}

// Println implements [ldlog.BaseLogger].
func (l sdkLogger) Println(values ...any) { l.log(fmt.Sprintln(values...)) }

// Printf implements [ldlog.BaseLogger].
func (l sdkLogger) Printf(format string, values ...any) { l.log(fmt.Sprintf(format, values...)) }

func (l sdkLogger) log(line string) {
	if l.logs.off.Load() {
		return
	}
	line = strings.TrimSpace(strings.TrimPrefix(line, l.prefix))
	attributes := []slog.Attr{slog.String("component", "launchdarkly-sdk")}
	if l.level >= slog.LevelWarn {
		line = logtext.Cut(line)
		suppressed, ok := l.logs.problems.Allow(ratelimit.Cause{Kind: l.prefix, Detail: line})
		if !ok {
			return
		}
		if suppressed > 0 {
			attributes = append(attributes, slog.Int("suppressed", suppressed))
		}
	}
	l.logs.logger.LogAttrs(context.Background(), l.level, line, attributes...)
}
