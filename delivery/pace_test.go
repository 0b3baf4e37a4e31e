package delivery

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

func TestPaceWithoutLimit(t *testing.T) {
	var p pace
	p.done(time.Now(), 1_000)
	if n, pause := p.allow(time.Now(), 5_000); n != 5_000 || pause != 0 || p.sent != nil {
		t.Errorf("%d events, after %v, %+v", n, pause, p)
	}
}

func TestPaceReturnsWhatIsAllowedOrThePause(t *testing.T) {
	p := pace{events: 10, per: time.Second}
	now := time.Now()
	at := func(d time.Duration) time.Time { return now.Add(d) }
	for _, c := range []struct {
		at       time.Duration
		asks     int
		allowed  int
		pause    time.Duration
		sends    int
		sendEnds time.Duration
	}{
		{0, 4, 10, 0, 4, 100 * time.Millisecond},
		{200 * time.Millisecond, 6, 6, 0, 6, 300 * time.Millisecond},
		{400 * time.Millisecond, 1, 0, 700 * time.Millisecond, 0, 0},
		{1099 * time.Millisecond, 1, 0, time.Millisecond, 0, 0},
		{1100 * time.Millisecond, 1, 4, 0, 3, 1200 * time.Millisecond},
		{1250 * time.Millisecond, 5, 1, 50 * time.Millisecond, 0, 0},
		{1300 * time.Millisecond, 5, 7, 0, 5, 1300 * time.Millisecond},
		{5 * time.Second, 99, 10, 0, 0, 0}, // at most the limit
	} {
		n, pause := p.allow(at(c.at), c.asks)
		if n != c.allowed || pause != c.pause {
			t.Errorf("%d events at %v: got %d and %v, want %d and %v", c.asks, c.at, n, pause, c.allowed, c.pause)
		}
		if c.sends > 0 {
			p.done(at(c.sendEnds), c.sends)
		}
	}
}

// TestPaceLimitsEveryPeriod sends requests of random sizes that take random times, as the sender
// does. The events of a request arrive at any time until it ends. No period has more events than
// the limit.
func TestPaceLimitsEveryPeriod(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			p := pace{events: 1 + random.IntN(50), per: time.Duration(1+random.IntN(1_000)) * time.Millisecond}
			var arrivals []time.Time // ascending, one for each event
			began := time.Now()
			for range 200 {
				want := 1 + random.IntN(p.events)
				n, pause := p.allow(time.Now(), want)
				switch {
				case n < want && pause <= 0 || pause > p.per:
					t.Fatalf("seed %d: %d of %d events, and a pause of %v", seed, n, want, pause)
				case n < want && random.IntN(2) == 0 || n == 0: // the sender sends fewer events, or waits
					time.Sleep(pause)
					continue
				}
				n = min(n, want)
				took := time.Duration(random.Int64N(int64(p.per)))
				if random.IntN(3) == 0 {
					took = 0
				}
				arrived := time.Now().Add(time.Duration(random.Int64N(int64(took) + 1)))
				time.Sleep(took)
				p.done(time.Now(), n)
				for range n {
					arrivals = append(arrivals, arrived)
				}
			}
			for i := p.events; i < len(arrivals); i++ {
				if d := arrivals[i].Sub(arrivals[i-p.events]); d < p.per {
					t.Fatalf("seed %d: %d events in %v, more than %d in %v", seed, p.events+1, d, p.events, p.per)
				}
			}
			// Requests before the period are no longer counted.
			time.Sleep(p.per)
			if n, pause := p.allow(time.Now(), p.events); n != p.events || pause != 0 || len(p.sent) != 0 {
				t.Errorf("seed %d: %d of %d events after %v", seed, n, p.events, time.Since(began))
			}
		})
	}
}
