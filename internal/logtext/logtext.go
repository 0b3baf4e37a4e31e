// Package logtext keeps log lines short, whatever an application or a server puts into them.
package logtext

import (
	"errors"
	"unicode/utf8"
)

// MaxBytes is how much of one text a log line shows.
const MaxBytes = 4 << 10

// more stands at the end of a text that was cut.
const more = "…"

// Cut gives a text, or the beginning of one that is longer than [MaxBytes]. What it cuts it does not keep in memory.
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

// Error gives the error, or one with the beginning of its text where that is longer than [MaxBytes].
func Error(err error) error {
	text := err.Error()
	if len(text) <= MaxBytes {
		return err
	}
	return errors.New(Cut(text))
}
