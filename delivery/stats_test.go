package delivery

import (
	"reflect"
	"testing"
)

// TestStatsPlus fills every counter, so that none that is added later is forgotten in the sum.
func TestStatsPlus(t *testing.T) {
	var s, twice Stats
	next := uint64(0)
	var fill func(s, twice reflect.Value)
	fill = func(s, twice reflect.Value) {
		for i := range s.NumField() {
			if s.Field(i).Kind() == reflect.Struct {
				fill(s.Field(i), twice.Field(i))
				continue
			}
			next++
			s.Field(i).SetUint(next)
			twice.Field(i).SetUint(2 * next)
		}
	}
	fill(reflect.ValueOf(&s).Elem(), reflect.ValueOf(&twice).Elem())
	if got := s.Plus(s); got != twice {
		t.Errorf("got %+v, want %+v", got, twice)
	}
}
