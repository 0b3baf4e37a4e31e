package launchdarkly

import (
	"reflect"
	"testing"
	"time"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
)

// The counters of the provider have the names of those of its delivery, and hold the same.
func TestStatsMirrorDelivery(t *testing.T) {
	var counted delivery.Stats
	n := uint64(0)
	fill(reflect.ValueOf(&counted).Elem(), &n)
	var p Provider
	p.accounts.past = counted
	got := reflect.ValueOf(p.Stats())
	for _, field := range reflect.VisibleFields(reflect.TypeFor[delivery.Stats]()) {
		want := reflect.ValueOf(counted).FieldByIndex(field.Index)
		counter := got.FieldByName(field.Name)
		switch {
		case !counter.IsValid():
			t.Errorf("Stats has no %s", field.Name)
		case field.Name == "Dropped":
			if dropped := counter.FieldByName("Dropped"); !dropped.Equal(want) {
				t.Errorf("%s is %v, want %v", field.Name, dropped, want)
			}
		case !counter.Equal(want):
			t.Errorf("%s is %v, want %v", field.Name, counter, want)
		}
	}
	if total := p.Stats().Dropped.Total(); total != counted.Dropped.Total() {
		t.Errorf("%d events are dropped, want %d", total, counted.Dropped.Total())
	}
}

// fill gives each number another value.
func fill(v reflect.Value, n *uint64) {
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(field, n)
		}
	case reflect.Uint64:
		*n++
		v.SetUint(*n)
	case reflect.Int64:
		v.SetInt(int64(time.Minute))
	}
}
