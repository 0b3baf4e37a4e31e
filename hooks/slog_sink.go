package hooks

import (
	"context"
	"log/slog"
	"time"
)

var _ Sink = (*SlogSink)(nil)

// SlogSink logs events: the message is the event's name and the attributes are
// the event's, with their types. The zero value logs to [slog.Default] at
// [slog.LevelInfo].
//
// It builds records for the logger's handler itself, so they have no source
// position; it would be one inside OpenFeature.
type SlogSink struct {
	logger *slog.Logger
	level  slog.Leveler
}

// NewSlogSink returns a sink that logs to logger at a level. A nil logger is
// [slog.Default], looked up for each event; a nil level is [slog.LevelInfo]. A
// [slog.LevelVar] can change while the sink is in use.
//
// Whether the sink is enabled is for the logger's handler to say. It is safe for
// concurrent use, as handlers are. Errors of the handler are dropped, as
// [slog.Logger] drops them.
func NewSlogSink(logger *slog.Logger, level slog.Leveler) *SlogSink {
	return &SlogSink{logger: logger, level: level}
}

// Enabled reports whether the handler takes records at the sink's level.
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
