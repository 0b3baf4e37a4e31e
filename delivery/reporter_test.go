package delivery

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/openfeature-launchdarkly/go-provider/internal/logtext"
)

// TestReporterIsBrief has an error as net/http makes it of an answer that is no HTTP: with all of its first line.
func TestReporterIsBrief(t *testing.T) {
	var lines bytes.Buffer
	r := reporter{settings: settings{logger: slog.New(slog.NewTextHandler(&lines, nil))}}
	r.retrying(errors.New("malformed HTTP response "+strings.Repeat("x", 1<<20)), time.Second)
	if lines.Len() < logtext.MaxBytes || lines.Len() > 2*logtext.MaxBytes {
		t.Errorf("a line of %d bytes", lines.Len())
	}
}

// panickingHandler is a log handler of an application's that does not work. It counts its panics.
type panickingHandler struct {
	slog.Handler
	panics *int
}

func (panickingHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h panickingHandler) Handle(context.Context, slog.Record) error {
	*h.panics++
	panic("hunter2")
}

// TestReporterOutlivesLogHandler has a handler that would end the process: events are delivered by a goroutine of ours.
func TestReporterOutlivesLogHandler(t *testing.T) {
	panics := 0
	r := reporter{settings: newSettings([]Option{WithLogger(slog.New(panickingHandler{panics: &panics}))}, 0)}
	r.retrying(errors.New("status 503"), time.Second)
	r.dropped(DropError{Cause: ErrClosed, Events: 1})
	if panics != 2 {
		t.Errorf("%d panics", panics)
	}
}
