package safelog

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"testing/slogtest"
)

// TestConformsToSlog runs slog's conformance tests for handlers.
func TestConformsToSlog(t *testing.T) {
	var out bytes.Buffer
	logger := Logger(slog.New(slog.NewJSONHandler(&out, nil)))
	slogtest.Run(t, func(*testing.T) slog.Handler {
		out.Reset()
		return logger.Handler()
	}, func(t *testing.T) map[string]any {
		var line map[string]any
		if err := json.Unmarshal(out.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		return line
	})
	if Logger(logger) != logger {
		t.Error("a safe logger is wrapped again")
	}
}

func TestRecoversPanics(t *testing.T) {
	for name, test := range map[string]struct {
		broken panics
		line   string
	}{
		"none":      {panics{}, "level=WARN msg=said a=1 g.b=2\n"},
		"Enabled":   {panics{enabled: true}, ""},
		"Handle":    {panics{handle: true}, ""},
		"WithAttrs": {panics{attributes: true}, "level=WARN msg=said g.b=2\n"},
		"WithGroup": {panics{group: true}, "level=WARN msg=said a=1 b=2\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			test.broken.Handler = slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: withoutTime})
			Logger(slog.New(test.broken)).With(slog.Int("a", 1)).WithGroup("g").Warn("said", slog.Int("b", 2))
			if out.String() != test.line {
				t.Errorf("logs %q, want %q", &out, test.line)
			}
		})
	}
	Logger(new(slog.Logger)).Warn("a logger without a handler")
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// panics is a handler that panics in the selected methods.
type panics struct {
	slog.Handler
	enabled, handle, attributes, group bool
}

func (p panics) Enabled(ctx context.Context, level slog.Level) bool {
	if p.enabled {
		panic("hunter2")
	}
	return p.Handler.Enabled(ctx, level)
}

func (p panics) Handle(ctx context.Context, record slog.Record) error {
	if p.handle {
		panic("hunter2")
	}
	return p.Handler.Handle(ctx, record)
}

func (p panics) WithAttrs(attributes []slog.Attr) slog.Handler {
	if p.attributes {
		panic("hunter2")
	}
	p.Handler = p.Handler.WithAttrs(attributes)
	return p
}

func (p panics) WithGroup(name string) slog.Handler {
	if p.group {
		panic("hunter2")
	}
	p.Handler = p.Handler.WithGroup(name)
	return p
}
