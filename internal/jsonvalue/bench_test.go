package jsonvalue_test

import (
	"testing"

	"github.com/openfeature-launchdarkly/go-provider/internal/jsonvalue"
)

// BenchmarkConvertMap shows what the case for map[string]any buys: other maps, with the same in
// them, take the way through reflection.
func BenchmarkConvertMap(b *testing.B) {
	type named map[string]any
	for name, v := range map[string]any{
		"map[string]any": map[string]any{"street": "a street", "city": map[string]any{"name": "a city", "zip": 12345}},
		"named":          named{"street": "a street", "city": named{"name": "a city", "zip": 12345}},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				jsonvalue.Convert(v)
			}
		})
	}
}
