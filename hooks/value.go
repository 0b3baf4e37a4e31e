package hooks

import (
	"bytes"
	"encoding"
	"encoding/json"
	"log/slog"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// truncationMark ends a truncated value.
	truncationMark = "…"

	// maxNesting and maxNodes bound the cost of encoding a value, and keep a value that contains
	// itself from overflowing the stack.
	maxNesting = 100
	maxNodes   = 1 << 16
)

// encodeValue converts a flag value to one of the four kinds of an [Event]: scalars as they are,
// everything else to JSON text. A value that cannot be encoded becomes the name of its type. It
// never panics.
func encodeValue(v any) slog.Value {
	switch v := v.(type) {
	case nil:
		return slog.StringValue("null")
	case bool:
		return slog.BoolValue(v)
	case string:
		return slog.StringValue(validString(v))
	case int:
		return slog.IntValue(v)
	case int64:
		return slog.Int64Value(v)
	case float64:
		return floatValue(v)
	default:
		return encodeOther(v)
	}
}

func encodeOther(v any) slog.Value {
	rv := reflect.ValueOf(v)
	if !marshalsItself(v) {
		switch rv.Kind() {
		case reflect.Bool:
			return slog.BoolValue(rv.Bool())
		case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
			return slog.Int64Value(rv.Int())
		case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
			return uintValue(rv.Uint())
		case reflect.Float32, reflect.Float64:
			return floatValue(rv.Float())
		case reflect.String:
			return slog.StringValue(validString(rv.String()))
		}
	}
	if text, ok := jsonText(v); ok {
		return slog.StringValue(validString(text)) // raw JSON may be invalid UTF-8
	}
	return slog.StringValue(rv.Type().String())
}

func marshalsItself(v any) bool {
	switch v.(type) {
	case json.Marshaler, encoding.TextMarshaler:
		return true
	default:
		return false
	}
}

// uintValue returns a signed number, or decimal text if u does not fit, because OpenTelemetry has
// no unsigned numbers.
func uintValue(u uint64) slog.Value {
	if u > math.MaxInt64 {
		return slog.StringValue(strconv.FormatUint(u, 10))
	}
	return slog.Int64Value(int64(u))
}

// floatValue returns text for NaN and infinities: JSON has no such numbers, and one would make a
// whole batch impossible to encode.
func floatValue(f float64) slog.Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return slog.StringValue(strconv.FormatFloat(f, 'g', -1, 64))
	}
	return slog.Float64Value(f)
}

// jsonText encodes v. It reports false if v is too large, nested too deeply or cannot be encoded,
// or if its MarshalJSON panics.
func jsonText(v any) (text string, ok bool) {
	defer func() {
		if recover() != nil {
			text, ok = "", false
		}
	}()
	nodes := 0
	if !bounded(reflect.ValueOf(v), maxNesting, &nodes) {
		return "", false
	}
	var buf bytes.Buffer
	encoder := json.NewEncoder(&buf)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return "", false
	}
	return string(bytes.TrimSuffix(buf.Bytes(), []byte("\n"))), true
}

// bounded reports whether v is within the limits; a value that contains itself is not. It does not
// descend into types with a marshaler.
func bounded(v reflect.Value, depth int, nodes *int) bool {
	*nodes++
	if depth < 0 || *nodes > maxNodes {
		return false
	}
	if kind := v.Kind(); kind == reflect.Invalid || isScalar(kind) {
		return true
	}
	t := v.Type()
	if v.Kind() != reflect.Interface && t.Implements(reflect.TypeFor[json.Marshaler]()) {
		return true
	}
	switch v.Kind() {
	case reflect.Interface:
		return bounded(v.Elem(), depth, nodes)
	case reflect.Pointer:
		return bounded(v.Elem(), depth-1, nodes)
	case reflect.Map:
		if isScalar(t.Elem().Kind()) {
			return true
		}
		for entries := v.MapRange(); entries.Next(); {
			if !bounded(entries.Value(), depth-1, nodes) {
				return false
			}
		}
	case reflect.Slice, reflect.Array:
		if isScalar(t.Elem().Kind()) {
			return true // bytes would use up the nodes
		}
		for i := range v.Len() {
			if !bounded(v.Index(i), depth-1, nodes) {
				return false
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if field := t.Field(i); !field.IsExported() && !field.Anonymous {
				continue // not encoded
			}
			if !bounded(v.Field(i), depth-1, nodes) {
				return false
			}
		}
	}
	return true
}

func isScalar(kind reflect.Kind) bool {
	return kind <= reflect.Complex128 || kind == reflect.String
}

// truncate shortens text that is longer than limit bytes, at the end of a rune. The mark counts
// towards the limit, and is all that remains if the limit is shorter. A negative limit means none.
func truncate(v slog.Value, limit int) slog.Value {
	if v.Kind() != slog.KindString {
		return v
	}
	text := v.String()
	if limit < 0 || len(text) <= limit {
		return v
	}
	keep := max(limit-len(truncationMark), 0)
	for keep > 0 && !utf8.RuneStart(text[keep]) {
		keep--
	}
	return slog.StringValue(text[:keep] + truncationMark)
}

// validString replaces invalid UTF-8, because one such string would make a whole OTLP request
// impossible to encode.
func validString(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// normalize converts what attribute mappers and event mutators may have added to what an [Event]
// guarantees.
func normalize(attrs []slog.Attr) {
	for i := range attrs {
		attrs[i].Key = validString(attrs[i].Key)
		switch value := &attrs[i].Value; value.Kind() {
		case slog.KindBool, slog.KindInt64:
		case slog.KindString:
			if text := value.String(); !utf8.ValidString(text) {
				*value = slog.StringValue(validString(text))
			}
		default:
			*value = plainValue(*value)
		}
	}
}

func plainValue(v slog.Value) slog.Value {
	v = v.Resolve()
	switch v.Kind() {
	case slog.KindBool, slog.KindInt64:
		return v
	case slog.KindString:
		return slog.StringValue(validString(v.String()))
	case slog.KindFloat64:
		return floatValue(v.Float64())
	case slog.KindUint64:
		return uintValue(v.Uint64())
	case slog.KindDuration:
		return slog.StringValue(v.Duration().String())
	case slog.KindTime:
		return slog.StringValue(v.Time().UTC().Format(time.RFC3339Nano))
	case slog.KindGroup:
		nodes := 0
		group, ok := groupMap(v.Group(), maxNesting, &nodes)
		if !ok {
			return slog.StringValue(reflect.TypeFor[[]slog.Attr]().String())
		}
		return encodeValue(group)
	default:
		return encodeValue(v.Any())
	}
}

// groupMap converts a group for JSON. It reports false beyond the limits, which a group or the
// result of a LogValuer that contains itself exceeds.
func groupMap(attrs []slog.Attr, depth int, nodes *int) (group map[string]any, ok bool) {
	group = make(map[string]any, min(len(attrs), maxNodes))
	for _, attr := range attrs {
		if *nodes++; depth == 0 || *nodes > maxNodes {
			return nil, false
		}
		value := attr.Value.Resolve()
		if value.Kind() != slog.KindGroup {
			group[attr.Key] = plainValue(value).Any()
			continue
		}
		if group[attr.Key], ok = groupMap(value.Group(), depth-1, nodes); !ok {
			return nil, false
		}
	}
	return group, true
}
