package logtext_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/openfeature-launchdarkly/go-provider/internal/logtext"
)

func TestCutTruncatesLongTexts(t *testing.T) {
	for _, c := range []struct {
		name, text string
		whole      bool
	}{
		{"short", "short", true},
		{"maximum length", strings.Repeat("x", logtext.MaxBytes), true},
		{"too long", strings.Repeat("x", logtext.MaxBytes+1), false},
		{"in the middle of a character", "x" + strings.Repeat("ü", logtext.MaxBytes), false},
		{"invalid UTF-8", strings.Repeat("\x80", 2*logtext.MaxBytes), false},
	} {
		got := logtext.Cut(c.text)
		if (got == c.text) != c.whole {
			t.Errorf("%s: %d bytes of %d", c.name, len(got), len(c.text))
		}
		kept, cut := strings.CutSuffix(got, "…")
		if cut == c.whole || !strings.HasPrefix(c.text, kept) || len(kept) > logtext.MaxBytes ||
			utf8.ValidString(c.text) != utf8.ValidString(got) {
			t.Errorf("%s: ends with %q", c.name, got[max(0, len(got)-20):])
		}
	}
}

func TestErrorTruncatesLongTexts(t *testing.T) {
	short := errors.New("short")
	if got := logtext.Error(short); got != short { //nolint:errorlint // must be identical
		t.Errorf("got %v", got)
	}
	long := errors.New(strings.Repeat("x", logtext.MaxBytes+1))
	if got := logtext.Error(long).Error(); got != logtext.Cut(long.Error()) {
		t.Errorf("%d bytes", len(got))
	}
}
