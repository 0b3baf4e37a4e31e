package launchdarkly

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"

	"github.com/openfeature-launchdarkly/go-provider/internal/logtext"
	"github.com/openfeature-launchdarkly/go-provider/internal/ratelimit"
)

// loggingConfiguration redirects the SDK's log lines to the provider's logger. It leaves the rest
// of the application's logging configuration as it is.
type loggingConfiguration struct {
	base subsystems.ComponentConfigurer[subsystems.LoggingConfiguration] // nil means LaunchDarkly's default
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

// logSwitch logs the SDK's lines until it is turned off. It logs each warning and error once a
// minute, because the SDK repeats some of them with each evaluation while there is no connection or
// persistent store.
type logSwitch struct {
	logger   *slog.Logger
	off      atomic.Bool
	problems ratelimit.Limiter
}

// sdkLogger is the SDK's logger for one level.
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
