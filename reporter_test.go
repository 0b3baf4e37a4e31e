package launchdarkly

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"

	"github.com/openfeature-launchdarkly/go-provider/internal/logtext"
)

// TestLogLinesAreShort has names that are far too long, wherever there are names.
func TestLogLinesAreShort(t *testing.T) {
	long := strings.Repeat("n", 1<<20)
	for name, write := range map[string]func(*reporter){
		"flag": func(r *reporter) {
			r.evaluation(t.Context(), long, problems{ErrAttributeType})
		},
		"event that is sent": func(r *reporter) {
			r.leftOut(t.Context(), long, problems{ErrMetricNotFinite})
		},
		"event that is not sent": func(r *reporter) {
			r.notSent(t.Context(), long, ErrClosed)
		},
		"attribute": func(r *reporter) {
			r.leftOut(t.Context(), "event", problems{attributeError(ErrUnsupportedValue, []string{long})})
		},
		"context kind": func(r *reporter) {
			b := contextBuilder{parent: long}
			r.notSent(t.Context(), "event", b.missingKey(ldcontext.Kind(long)))
		},
		"line of the SDK": func(r *reporter) {
			sdkLogger{logs: &logSwitch{logger: r.logger}, level: slog.LevelWarn}.Println(long)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var lines bytes.Buffer
			write(&reporter{logger: slog.New(slog.NewTextHandler(&lines, nil))})
			if lines.Len() < logtext.MaxBytes || lines.Len() > 2*logtext.MaxBytes {
				t.Errorf("%d bytes", lines.Len())
			}
		})
	}
}
