package delivery

import (
	"context"
	"fmt"
	"reflect"
	"testing"
)

// TestPlusAddsAllCounters fills the counters by reflection, so that it includes future ones.
func TestPlusAddsAllCounters(t *testing.T) {
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
			if s.Field(i).Kind() == reflect.Int64 { // a duration: the greater of both
				s.Field(i).SetInt(int64(next))
				twice.Field(i).SetInt(int64(next))
				continue
			}
			s.Field(i).SetUint(next)
			twice.Field(i).SetUint(2 * next)
		}
	}
	fill(reflect.ValueOf(&s).Elem(), reflect.ValueOf(&twice).Elem())
	if got := s.Plus(s); got != twice {
		t.Errorf("got %+v, want %+v", got, twice)
	}
}

func TestErrorTexts(t *testing.T) {
	for want, err := range map[string]error{
		"1 tracked event not delivered":                                    &UndeliveredError{Events: 1},
		"2 tracked events not delivered: context canceled":                 &UndeliveredError{Events: 2, Cause: context.Canceled},
		"1 tracked event and 1 evaluation event not delivered":             &UndeliveredError{Events: 1, Evaluations: 1},
		"3 evaluation events not delivered":                                &UndeliveredError{Evaluations: 3},
		"2 tracked events not delivered (2 on disk, for the next process)": &UndeliveredError{Events: 2, OnDisk: 2},
		`tracked event "checkout" dropped: the event queue is full`:        &DropError{Events: 1, EventName: "checkout", Cause: ErrQueueFull},
		"1 tracked event dropped: event delivery is shut down":             &DropError{Events: 1, Cause: ErrClosed},
		"2 tracked events dropped: the event is too large: status 413":     &DropError{Events: 2, Cause: fmt.Errorf("%w: status 413", ErrTooLarge)},
		"3 tracked events dropped: the events service refuses the SDK key": &DropError{Events: 3, Cause: ErrUnauthorized},
	} {
		if got := err.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
