package delivery

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openfeature-launchdarkly/go-provider/internal/race"
)

// few returns n, or much less if the race detector makes everything slow.
func few(n int) int {
	if race.Enabled {
		return max(n/10, 1)
	}
	return n
}

// shutdownOf records events, of which bad ones are refused, and shuts the processor down within a
// time. It returns how many good events are lost.
func shutdownOf(t *testing.T, s *service, bad []bool, within time.Duration) (lost int, took time.Duration, err error) {
	s.took = 10 * time.Millisecond
	p := simulated(t, s, io.Discard)
	record(p, "before", "")
	if err := p.FlushContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, b := range bad {
		if b {
			record(p, "bad", poison)
		} else {
			record(p, strconv.Itoa(i), "")
			lost++
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	began := time.Now()
	err = p.Shutdown(ctx)
	return lost + 1 - s.count(), time.Since(began), err
}

func TestShutdownSendsEachGoodEventBesideRefusedOnes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for _, status := range []int{400, 502} {
		failed, runs := 0, few(200)
		for range runs {
			bad := make([]bool, 3+random.IntN(20))
			for i := range bad {
				bad[i] = random.IntN(4) == 0
			}
			synctest.Test(t, func(t *testing.T) {
				lost, took, err := shutdownOf(t, &service{answer: refuses(status)}, bad, time.Hour)
				if lost > 0 {
					if failed++; failed <= 3 {
						t.Logf("%d for %v: %d good events lost after %v: %v", status, bad, lost, took, err)
					}
				}
			})
		}
		if failed > 0 {
			t.Errorf("%d: good events lost in %d of %d shutdowns", status, failed, runs)
		}
	}
}

// An outage of 10 s begins with request k of a shutdown that may take a minute.
func TestShutdownOutlastsAShortOutageBesideRefusedEvents(t *testing.T) {
	bad := make([]bool, 40)
	bad[7], bad[23], bad[38] = true, true, true
	for _, status := range []int{429, 503} { // others cannot be distinguished from refusals
		failed, runs := 0, few(30)
		for k := range runs {
			synctest.Test(t, func(t *testing.T) {
				var down time.Duration
				s := &service{}
				s.answer = func(body string, n int, elapsed time.Duration) int {
					if s.requests == k+2 {
						down = elapsed
					}
					if s.requests >= k+2 && elapsed < down+10*time.Second {
						return status
					}
					return refuses(400)(body, n, elapsed)
				}
				lost, took, err := shutdownOf(t, s, bad, time.Minute)
				if lost > 0 {
					if failed++; failed <= 3 {
						t.Logf("%d at request %d: %d good events lost after %v: %v", status, k, lost, took, err)
					}
				}
			})
		}
		if failed > 0 {
			t.Errorf("%d: good events lost in %d of %d shutdowns", status, failed, runs)
		}
	}
}

// limited answers one request in each interval, and all others with a status.
func limited(status int, per time.Duration) func(string, int, time.Duration) int {
	window := time.Duration(-1)
	return func(body string, n int, elapsed time.Duration) int {
		if w := elapsed / per; w != window {
			window = w
			return refuses(400)(body, n, elapsed)
		}
		return status
	}
}

// recordFor records events for a time, of which one in so many is bad, and then a raw event every
// 5 s. It returns the numbers of events, and of good events that have not arrived.
func recordFor(p *Processor, s *service, perTick, oneIn int, during, settle time.Duration) (n, missing int) {
	bad := 0
	for time.Since(s.began) < during {
		for range perTick {
			if n++; oneIn > 0 && n%oneIn == oneIn/2 {
				record(p, "bad", poison)
				bad++
			} else {
				record(p, strconv.Itoa(n), "")
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	for time.Since(s.began) < during+settle {
		p.RecordRawEvent([]byte(`{"kind":"other"}`))
		time.Sleep(5 * time.Second)
	}
	synctest.Wait()
	return n, n - bad - s.count()
}

func TestRateLimitDropsNoGoodEvent(t *testing.T) {
	for _, status := range []int{429, 503} {
		good, bad, runs := 0, 0, few(2)
		for range runs {
			synctest.Test(t, func(t *testing.T) {
				s := &service{took: 10 * time.Millisecond, answer: limited(status, time.Second)}
				p := simulated(t, s, io.Discard, WithErrorHandler(func(err error) {
					switch drop, ok := errors.AsType[*DropError](err); {
					case !ok || !errors.Is(err, ErrRefused):
					case drop.EventName == "bad":
						bad++
					default:
						good++
					}
				}))
				recordFor(p, s, 1, 1000, 5*time.Minute, time.Hour)
				stop(t, p)
			})
		}
		if good > 0 {
			t.Errorf("%d: in %d runs, %d good events were dropped, and %d of %d bad ones", status, runs, good, bad, 3*runs)
		}
	}
}

// A gateway fails with 502 above 100 events, and nothing comes after a minute.
func TestLargeRequestsThatFailAreDividedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{took: 10 * time.Millisecond, answer: func(_ string, n int, _ time.Duration) int {
			if n > 100 {
				return 502
			}
			return 202
		}}
		p := simulated(t, s, io.Discard, WithMaxEvents(1_000_000))
		n, _ := recordFor(p, s, 100, 0, time.Minute, 0)
		for s.count() < n && time.Since(s.began) < time.Hour {
			time.Sleep(time.Second)
		}
		if took := time.Since(s.began); took > 10*time.Minute {
			t.Errorf("%d of %d arrived after %v, %d requests", s.count(), n, took, s.requests)
		}
		stop(t, p)
	})
}

// Ten of 2,000 events are refused with 502, and nothing else comes.
func TestGoodEventsOfAQuietProcessAreNotDelayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{took: 5 * time.Millisecond, answer: refuses(502)}
		p := simulated(t, s, io.Discard)
		for i := range 2_000 {
			record(p, strconv.Itoa(i), map[bool]string{true: poison}[i%200 == 100])
		}
		for s.count() < 1_990 && time.Since(s.began) < time.Hour {
			time.Sleep(time.Second)
		}
		if took := time.Since(s.began); took > 5*time.Minute {
			t.Errorf("%d good events arrived after %v, %d requests", s.count(), took, s.requests)
		}
		stop(t, p)
	})
}

// Ten events in a burst are refused with 403, as if the SDK key were revoked, and only good ones
// follow: they wait for no more probes than there are refused events.
func TestRefusedEventsDoNotPassForARevokedKey(t *testing.T) {
	for range 10 {
		synctest.Test(t, func(t *testing.T) {
			s := &service{took: 5 * time.Millisecond, answer: refuses(http.StatusForbidden)}
			p := simulated(t, s, io.Discard)
			record(p, "before", "")
			time.Sleep(10 * time.Second)
			for range 10 {
				record(p, "bad", poison)
			}
			time.Sleep(time.Minute)
			began := time.Now()
			for n := 0; s.count() == 1 && time.Since(began) < 2*time.Hour; n++ {
				record(p, strconv.Itoa(n), "")
				time.Sleep(time.Second)
			}
			synctest.Wait()
			if took := time.Since(began); took > time.Hour {
				t.Errorf("the first good event arrives after %v", took)
			}
			stop(t, p)
		})
	}
}

// After an outage with many refused events, no part with many events waits behind these.
func TestPartsWithManyEventsAreNotStarved(t *testing.T) {
	during := time.Duration(few(24)) * 10 * time.Second
	synctest.Test(t, func(t *testing.T) {
		s := &service{took: 20 * time.Millisecond, answer: func(body string, n int, elapsed time.Duration) int {
			if elapsed >= 30*time.Second && elapsed < 50*time.Second {
				return 503
			}
			return refuses(502)(body, n, elapsed)
		}}
		p := simulated(t, s, io.Discard, WithMaxEvents(10_000_000))
		if n, missing := recordFor(p, s, 100, 50, during, 30*time.Minute); missing > 0 {
			t.Errorf("%d good events of %d have not arrived after half an hour", missing, n)
		}
		stop(t, p)
	})
}

// One request in 10 s would be enough for all events.
func TestRateLimitDoesNotDivideRequests(t *testing.T) {
	for _, perTick := range []int{1, 50} {
		synctest.Test(t, func(t *testing.T) {
			s := &service{took: 10 * time.Millisecond, answer: limited(429, 10*time.Second)}
			p := simulated(t, s, io.Discard)
			if n, missing := recordFor(p, s, perTick, 0, 2*time.Minute, 30*time.Minute); missing > 0 {
				t.Errorf("%d events of %d have not arrived after half an hour, %d held", missing, n, len(p.sender.schedule.held))
			}
			stop(t, p)
		})
	}
}

// stuck is a store whose events cannot be read now, as a spool's if the process has no more file
// descriptors.
type stuck struct{ store }

func (stuck) take(int, int) *part { return nil }
func (stuck) waiting() (int, int) { return 5, 100 }

func TestUnreadableEventsDoNotStarveHeldParts(t *testing.T) {
	if race.Enabled { // it replaces the store of a sender, although one that is idle
		return
	}
	synctest.Test(t, func(t *testing.T) {
		s := &service{took: 10 * time.Millisecond, answer: outage(503, 0, 10*time.Second)}
		p := simulated(t, s, io.Discard)
		record(p, "1", "")
		record(p, "2", "")
		time.Sleep(8 * time.Second)
		synctest.Wait() // the sender is idle
		p.sender.store = stuck{p.store}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if s.count() != 2 {
			t.Errorf("%d of 2 arrived, %d requests", s.count(), s.requests)
		}
		stop(t, p)
	})
}

func TestOutageIsNotTakenForRefusedEvents(t *testing.T) {
	for _, status := range []int{401, 503} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			s := &service{took: 5 * time.Millisecond, answer: func(body string, n int, elapsed time.Duration) int {
				if elapsed > 20*time.Second {
					return status
				}
				return refuses(400)(body, n, elapsed)
			}}
			p := simulated(t, s, &log)
			for _, word := range []string{"", poison, ""} {
				record(p, "x", word)
				time.Sleep(6 * time.Second)
			}
			time.Sleep(40 * time.Minute)
			stop(t, p)
			synctest.Wait()
			// One is about the time before.
			if text := log.String(); strings.Count(text, "while it accepts others") > 1 || !strings.Contains(text, "will retry") {
				t.Errorf("logged in 40 minutes of %d: %s", status, text)
			}
		})
	}
}

func TestRefusedEventIsDroppedWithinMinutesAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{took: 5 * time.Millisecond, answer: func(body string, n int, elapsed time.Duration) int {
			if elapsed >= 20*time.Second && elapsed < 50*time.Second {
				return http.StatusServiceUnavailable
			}
			return refuses(400)(body, n, elapsed)
		}}
		p := simulated(t, s, io.Discard)
		record(p, "bad", poison)
		for i := 0; p.Stats().Dropped.Refused == 0; i++ {
			record(p, strconv.Itoa(i), "")
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(s.began); took > 15*time.Minute {
			t.Errorf("dropped after %v", took)
		}
		stop(t, p)
	})
}

// The service begins to fail with the refused event's attempt number k, which may be one of the last
// ones. They pause like all others then, also while flushes wait.
func TestLastAttemptsPauseInAnOutage(t *testing.T) {
	for _, status := range []int{429, 500, 503} {
		for _, flushes := range []bool{false, true} {
			for k := maxStrikes; k < maxStrikes+2*maxTries; k++ {
				synctest.Test(t, func(t *testing.T) { failAtAttempt(t, k, status, flushes) })
			}
		}
	}
}

func failAtAttempt(t *testing.T, k, status int, flushes bool) {
	const outage = 5 * time.Minute
	refused, requests := 0, 0
	var since atomic.Int64 // the time of the attempt; 0 before
	s := &service{took: 5 * time.Millisecond, answer: func(body string, n int, elapsed time.Duration) int {
		from := time.Duration(since.Load())
		if from > 0 && elapsed < from+outage {
			if requests++; requests > 1_000 {
				return http.StatusAccepted // ends a loop without pauses
			}
			return status
		}
		verdict := refuses(400)(body, n, elapsed)
		if verdict == 400 {
			if refused++; refused == k {
				since.Store(int64(elapsed))
			}
		}
		return verdict
	}}
	p := simulated(t, s, io.Discard)
	record(p, "bad", poison)
	for end := time.Now().Add(time.Hour); time.Now().Before(end); time.Sleep(5 * time.Second) {
		record(p, "later", "")
		if flushes && since.Load() > 0 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_ = p.FlushContext(ctx) // whatever it says of the outage
			cancel()
		}
	}
	synctest.Wait()
	if limit := 4 * int(outage/(5*time.Second)); requests > limit {
		t.Errorf("%d from attempt %d on, flushes %v: %d requests in the outage, want at most %d", status, k, flushes, requests, limit)
	}
	stop(t, p)
}
