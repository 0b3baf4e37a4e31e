package delivery

import (
	"math"
	"testing"
	"time"
)

func TestBackoffBoundsAndJitter(t *testing.T) {
	usual := backoff{DefaultMinBackoff, DefaultMaxBackoff}
	for _, c := range []struct {
		name    string
		pause   func(int) time.Duration
		times   int
		longest time.Duration // the jitter makes it up to half shorter
	}{
		{"after the first failure", usual.pause, 0, 200 * time.Millisecond},
		{"after many", usual.pause, math.MaxInt, 15 * time.Second},
		{"when the key is refused", usual.refused, 0, 15 * time.Second},
		{"when it is always refused", usual.refused, math.MaxInt, 10 * time.Minute},
		{"of equal durations", backoff{time.Minute, time.Minute}.pause, 3, time.Minute},
		{"of one nanosecond", backoff{1, 1}.pause, 3, 1},
		{"that can't double", backoff{math.MaxInt64 - 1, math.MaxInt64}.pause, 3, math.MaxInt64},
		{"longer than the longest for a refused key", backoff{time.Hour, time.Hour}.refused, 3, time.Hour},
	} {
		shortest, longest := time.Duration(math.MaxInt64), time.Duration(0)
		for range 1_000 {
			d := c.pause(c.times)
			shortest, longest = min(shortest, d), max(longest, d)
		}
		if shortest < c.longest/2 || longest > c.longest {
			t.Errorf("the pause %s is between %v and %v, want %v to %v", c.name, shortest, longest, c.longest/2, c.longest)
		}
		if c.longest > time.Microsecond && longest-shortest < c.longest/4 {
			t.Errorf("the pause %s hardly varies: between %v and %v", c.name, shortest, longest)
		}
	}
}
