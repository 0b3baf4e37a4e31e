package jsonvalue_test

import (
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/openfeature-launchdarkly/go-provider/internal/fuzzvalue"
	"github.com/openfeature-launchdarkly/go-provider/internal/jsonvalue"
)

// FuzzConvert builds Go values of many types from the fuzzer's bytes. Whatever comes out must be valid JSON, and
// where encoding/json can convert the value, the two must agree.
func FuzzConvert(f *testing.F) {
	for i := range 24 {
		f.Add([]byte{byte(i), 3, byte(i), 1, 2, 3, 4, 5, 6, 7, 8, byte(i + 1), 2, byte(i), 9, 9})
	}
	f.Add([]byte{8, 2, 9, 3, 0, 3, 'a', 'b', 0xff, 17, 5})
	f.Fuzz(func(t *testing.T, data []byte) {
		g := fuzzvalue.New(data)
		v := g.Value()
		got, ok, problems := jsonvalue.Convert(v)
		if !ok && len(problems) == 0 {
			t.Fatal("no value, and no reason")
		}
		text := got.JSONString()
		if !json.Valid([]byte(text)) || !utf8.ValidString(text) {
			t.Fatalf("not JSON: %q", text)
		}
		for _, p := range problems {
			if !errors.Is(p.Err, jsonvalue.ErrUnsupported) {
				t.Fatalf("problem of no known kind: %v", p.Err)
			}
		}
		if g.Exotic() {
			return
		}
		want, err := json.Marshal(v)
		if err != nil || problems != nil {
			t.Fatalf("encoding/json: %v; problems: %v", err, problems)
		}
		if !got.Equal(parse(t, want)) {
			t.Fatalf("got %s, want %s", text, want)
		}
	})
}
