package hooks

import (
	"context"
	"log/slog"
	"time"
)

var _ Sink = (*SlogSink)(nil)

// SlogSink logs events. The message is the event's name, and the attributes are the event's, with
// their types. The zero value logs to [slog.Default] at [slog.LevelInfo].
//
// The records have no source position, because it would be one within OpenFeature's SDK.
type SlogSink struct {
	logger *slog.Logger
	level  slog.Leveler
}

// NewSlogSink returns a sink that logs to logger at the given level. If logger is nil, it is
// [slog.Default] at the time of each event; if level is nil, it is [slog.LevelInfo]. A
// [slog.LevelVar] may change while the sink is in use.
//
// The sink is safe for concurrent use. Like [slog.Logger], it ignores errors of the handler.
func NewSlogSink(logger *slog.Logger, level slog.Leveler) *SlogSink {
	return &SlogSink{logger: logger, level: level}
}

// Enabled reports whether the logger's handler is enabled for the sink's level.
func (s *SlogSink) Enabled(ctx context.Context) bool {
	return s != nil && s.handler().Enabled(ctx, s.at())
}

// Emit logs the event.
func (s *SlogSink) Emit(ctx context.Context, event Event) {
	if s == nil {
		return
	}
	record := slog.NewRecord(time.Now(), s.at(), event.Name, 0)
	record.AddAttrs(event.Attributes...)
	_ = s.handler().Handle(ctx, record)
}

func (s *SlogSink) handler() slog.Handler {
	if s.logger == nil {
		return slog.Default().Handler()
	}
	return s.logger.Handler()
}

func (s *SlogSink) at() slog.Level {
	if s.level == nil {
		return slog.LevelInfo
	}
	return s.level.Level()
}
