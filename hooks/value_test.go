package hooks

import (
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/open-feature/go-sdk/openfeature"
)

type (
	color  string
	flip   bool
	count  uint8
	text   struct{ s string }
	broken struct{}
	looped struct{ Next *looped }
)

func (t text) MarshalText() ([]byte, error) { return []byte(t.s), nil }
func (broken) MarshalJSON() ([]byte, error) { panic("broken") }

func TestEncodeValue(t *testing.T) {
	t.Parallel()
	cyclic := map[string]any{}
	cyclic["a"], cyclic["b"] = cyclic, cyclic
	loop := &looped{}
	loop.Next = loop
	var pointers any
	pointers = &pointers
	deep := any(1)
	for range 200_000 {
		deep = []any{deep}
	}
	wide := make([]any, maxNodes)
	for _, tt := range []struct {
		name string
		in   any
		want any
	}{
		{"nil", nil, "null"},
		{"bool", true, true},
		{"string", "x", "x"},
		{"invalid string", "a\xff\xfeb", "a\uFFFDb"},
		{"int", 1, int64(1)},
		{"int64", int64(math.MinInt64), int64(math.MinInt64)},
		{"int8", int8(-1), int64(-1)},
		{"uint64", uint64(7), int64(7)},
		{"large uint64", uint64(math.MaxUint64), "18446744073709551615"},
		{"float64", 0.1, 0.1},
		{"float32", float32(0.5), 0.5},
		{"NaN", math.NaN(), "NaN"},
		{"+Inf", math.Inf(1), "+Inf"},
		{"-Inf", float32(math.Inf(-1)), "-Inf"},
		{"named string", color("red"), "red"},
		{"named bool", flip(true), true},
		{"named uint", count(3), int64(3)},
		{"slice", []any{1, "a", nil}, `[1,"a",null]`},
		{"map", map[string]any{"b": "<&>", "a": 1.5}, `{"a":1.5,"b":"<&>"}`},
		{"struct", struct {
			A int `json:"a"`
			b func()
		}{A: 1}, `{"a":1}`},
		{"nil pointer", (*int)(nil), "null"},
		{"time", time.Unix(0, 0).UTC(), `"1970-01-01T00:00:00Z"`},
		{"text", text{"x"}, `"x"`},
		{"raw JSON", json.RawMessage(`{"a": 1}`), `{"a":1}`},
		{"invalid raw JSON", json.RawMessage(`{`), "json.RawMessage"},
		{"NaN inside", map[string]any{"a": math.NaN()}, "map[string]interface {}"},
		{"function", func() {}, "func()"},
		{"channel", make(chan int), "chan int"},
		{"complex", complex(1, 2), "complex128"},
		{"error", errors.New("x"), "{}"},
		{"panics", broken{}, "hooks.broken"},
		{"cyclic map", cyclic, "map[string]interface {}"},
		{"cyclic struct", loop, "*hooks.looped"},
		{"cyclic pointer", pointers, "*interface {}"},
		{"too deep", deep, "[]interface {}"},
		{"too many", wide, "[]interface {}"},
		{"many bytes", make([]byte, 9), `"AAAAAAAAAAAA"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := encodeValue(tt.in).Any(); got != tt.want {
				t.Errorf("got %#v, want %#v", got, tt.want)
			}
		})
	}
}

func TestLowerSnake(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"TARGETING_MATCH": "targeting_match", "FALLTHROUGH": "fallthrough", "PREREQUISITE_FAILED": "prerequisite_failed",
		"OFF": "off", "": "", "In-House Rule/2.0": "in_house_rule_2_0",
	} {
		if got := lowerSnake(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"": "general", "GENERAL": "general", "PROVIDER_FATAL": "provider_fatal", "PARSE_ERROR": "parse_error",
		"TARGETING_KEY_MISSING": "targeting_key_missing", "INVALID_CONTEXT": "invalid_context", "OWN_CODE": "own_code",
	} {
		if got := errorTypeName(openfeature.ErrorCode(in)); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// FuzzEncodeValue checks the guarantees of an Event's attributes for values of every JSON type, and
// for some that JSON cannot represent.
func FuzzEncodeValue(f *testing.F) {
	for _, seed := range []string{`null`, `true`, `1e400`, `"\ud800"`, `[1,[2,{"a":[]}]]`, `{"a":{"b":null}}`, "\xff", strings.Repeat("[", 300)} {
		f.Add([]byte(seed), 0.1, 10)
	}
	f.Add([]byte(`[]`), math.NaN(), -1)
	f.Add([]byte(`{}`), math.Inf(1), 0)
	f.Fuzz(func(t *testing.T, data []byte, number float64, limit int) {
		var decoded any
		_ = json.Unmarshal(data, &decoded)
		for _, v := range []any{
			decoded, string(data), data, json.RawMessage(data), number, float32(number),
			[]any{decoded, string(data), number}, map[string]any{string(data): decoded},
			map[string]float64{"n": number}, &decoded, text{string(data)}, text{string(data)}, func() {},
			slog.GroupValue(slog.Float64("n", number), slog.Any("any", decoded)),
		} {
			attrs := []slog.Attr{{Key: "encoded", Value: truncate(encodeValue(v), limit)}, slog.Any("any", v)}
			normalize(attrs)
			for _, attr := range attrs {
				switch value := attr.Value; value.Kind() {
				case slog.KindBool, slog.KindInt64:
				case slog.KindFloat64:
					if f := value.Float64(); math.IsNaN(f) || math.IsInf(f, 0) {
						t.Errorf("%v: got %v", v, f)
					}
				case slog.KindString:
					if !utf8.ValidString(value.String()) {
						t.Errorf("%v: got invalid UTF-8 %q", v, value.String())
					}
				default:
					t.Errorf("%v: got kind %v", v, value.Kind())
				}
			}
			if value := attrs[0].Value; value.Kind() == slog.KindString && limit >= len(truncationMark) && len(value.String()) > limit {
				t.Errorf("%v: got %d bytes, limit %d", v, len(value.String()), limit)
			}
		}
	})
}
