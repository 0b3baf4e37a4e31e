package otelhooks

import (
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
)

// inlineAttributes is the number of attributes that are converted without an allocation: those of
// the hook and a few more.
const inlineAttributes = 16

// convert writes the attributes to to, which has room for all of them. An event has no other kinds
// of attributes than these four.
func convert(to []attribute.KeyValue, attrs []slog.Attr) []attribute.KeyValue {
	to = to[:len(attrs)]
	for i := range attrs {
		kv, attr := &to[i], &attrs[i]
		kv.Key = attribute.Key(attr.Key)
		switch attr.Value.Kind() {
		case slog.KindBool:
			kv.Value = attribute.BoolValue(attr.Value.Bool())
		case slog.KindInt64:
			kv.Value = attribute.Int64Value(attr.Value.Int64())
		case slog.KindFloat64:
			kv.Value = attribute.Float64Value(attr.Value.Float64())
		default:
			kv.Value = attribute.StringValue(attr.Value.String())
		}
	}
	return to
}
