package delivery

import (
	"bytes"
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
