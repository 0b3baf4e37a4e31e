package ratelimit_test

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openfeature-launchdarkly/go-provider/internal/ratelimit"
)

func TestAllowsOneRecordPerCauseAndMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l ratelimit.Limiter
		allow := func(kind, detail string, wantSuppressed int, want bool) {
			t.Helper()
			suppressed, ok := l.Allow(ratelimit.Cause{Kind: kind, Detail: detail})
			if suppressed != wantSuppressed || ok != want {
				t.Errorf("%s %s: got %d, %v; want %d, %v", kind, detail, suppressed, ok, wantSuppressed, want)
			}
		}
		allow("type", "name", 0, true)
		allow("type", "name", 0, false)
		allow("type", "anonymous", 0, true)
		allow("cycle", "name", 0, true)
		time.Sleep(59 * time.Second)
		allow("type", "name", 0, false)
		time.Sleep(time.Second)
		allow("type", "name", 2, true)
		allow("type", "name", 0, false)
		allow("type", "anonymous", 0, true)
	})
}

// TestBoundsTheNumberOfCauses uses many causes, as attribute names derived from user input would.
func TestBoundsTheNumberOfCauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l ratelimit.Limiter
		flood := func() (logged int) {
			for i := range 100_000 {
				if _, ok := l.Allow(ratelimit.Cause{Kind: "type", Detail: strconv.Itoa(i)}); ok {
					logged++
				}
			}
			return logged
		}
		if got := flood(); got != 257 {
			t.Errorf("%d records, want 256 and one for all others", got)
		}
		if _, ok := l.Allow(ratelimit.Cause{Kind: "cycle", Detail: "x"}); !ok {
			t.Error("a cause of another kind is suppressed")
		}
		time.Sleep(time.Minute)
		if got := flood(); got > 257 || got < 2 {
			t.Errorf("%d records a minute later", got)
		}
	})
}
