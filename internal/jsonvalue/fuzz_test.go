package jsonvalue_test

import (
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/openfeature-launchdarkly/go-provider/internal/fuzzvalue"
	"github.com/openfeature-launchdarkly/go-provider/internal/jsonvalue"
)

// FuzzConvert makes Go values of many types from the fuzzer's bytes. The result must be valid JSON,
// and the same as that of encoding/json unless the value has one of the exceptions in the package
// documentation.
func FuzzConvert(f *testing.F) {
	for i := range 30 {
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
			if !isKnown(p.Err) {
				t.Fatalf("unknown problem: %v", p.Err)
			}
		}
		if !g.Exotic() {
			compare(t, v)
		}
	})
}

// FuzzStructs makes struct types from the fuzzer's bytes: names, tags and embedded structs that
// hide one another, methods with value and pointer receivers, addressable or not.
func FuzzStructs(f *testing.F) {
	for i := range 64 {
		f.Add([]byte{byte(i % 5), byte(i), byte(3 * i), byte(i / 2), byte(5 * i), 1, byte(7 * i), byte(i), 2, byte(11 * i), byte(i)})
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		compare(t, fuzzvalue.New(data).Struct())
	})
}

// compare holds the conversion of v against that of encoding/json.
func compare(t *testing.T, v any) {
	t.Helper()
	got, ok, problems := jsonvalue.Convert(v)
	for _, p := range problems {
		ok = ok && errors.Is(p.Err, jsonvalue.ErrPrecision)
	}
	want, err := json.Marshal(v)
	if err != nil || !ok {
		t.Fatalf("%T: encoding/json: %v; problems: %v", v, err, problems)
	}
	if !got.Equal(parse(t, want)) {
		t.Fatalf("%T: got %s, want %s", v, got.JSONString(), want)
	}
}

func isKnown(err error) bool {
	for _, known := range []error{
		jsonvalue.ErrUnsupported, jsonvalue.ErrTooLarge, jsonvalue.ErrPrecision, jsonvalue.ErrMore,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}
