// Package logtext truncates texts of unbounded length for log records.
package logtext

import (
	"errors"
	"unicode/utf8"
)

// MaxBytes is the maximum length of one text in a log record.
const MaxBytes = 4 << 10

// more is the suffix of a truncated text.
const more = "…"

// Cut returns s, truncated at a character boundary if it is longer than [MaxBytes]. A truncated
// text does not share memory with s.
func Cut(s string) string {
	if len(s) <= MaxBytes {
		return s
	}
	end := MaxBytes
	for end > MaxBytes-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + more
}

// Error returns err, or an error with its truncated text if that is longer than [MaxBytes].
func Error(err error) error {
	text := err.Error()
	if len(text) <= MaxBytes {
		return err
	}
	return errors.New(Cut(text))
}
