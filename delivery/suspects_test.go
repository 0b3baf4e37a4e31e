package delivery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
)

// stop ends a processor at once.
func stop(t *testing.T, p *Processor) {
	t.Helper()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	_ = p.Shutdown(over)
}

func TestShutdownReturnsIfOnlyRefusedEventsRemain(t *testing.T) {
	for _, bad := range []int{0, 1, 2, 3, 10} {
		synctest.Test(t, func(t *testing.T) {
			s := &service{answer: refuses(http.StatusBadRequest), took: 10 * time.Millisecond}
			p := simulated(t, s, io.Discard)
			record(p, "before", "") // its index event makes sure that the next batch has none
			if err := p.FlushContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			record(p, "good", "")
			for range bad {
				record(p, "bad", poison)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			began := time.Now()
			err := p.Shutdown(ctx)
			if took := time.Since(began); took > time.Minute || s.arrived["good"] != 1 || (bad > 0) != errors.Is(err, ErrRefused) {
				t.Errorf("%d refused: %v after %v; %d good arrived", bad, err, took, s.arrived["good"])
			}
		})
	}
}

func TestFlushesDoNotPostponeTheDropOfARefusedEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const bad = 10
		s := &service{answer: refuses(http.StatusBadRequest), took: 2 * time.Millisecond}
		p := simulated(t, s, io.Discard)
		for range bad {
			record(p, "bad", poison)
		}
		for i := range 3600 {
			record(p, strconv.Itoa(i), "")
			timeout := 500 * time.Millisecond
			if i == 0 { // finding the refused events among them takes longer
				timeout = time.Minute
			}
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			if err := p.FlushContext(ctx); errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("flush %d: %v", i, err)
			}
			cancel()
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if stats := p.Stats(); stats.Dropped.Refused != bad || len(s.arrived) != 3600 {
			t.Errorf("%d events arrived: %+v", len(s.arrived), stats)
		}
		stop(t, p)
	})
}

func TestFlushesMakeFewRequestsForARefusedEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: refuses(http.StatusForbidden), took: 2 * time.Millisecond}
		p := simulated(t, s, io.Discard)
		record(p, "bad", poison)
		const flushes = 10_000
		for i := range flushes {
			record(p, strconv.Itoa(i), "")
			_ = p.FlushContext(t.Context()) // whatever it says of the refused event
		}
		synctest.Wait()
		if elapsed := time.Since(s.began); s.failures > 10+int(elapsed/time.Second) || len(s.arrived) != flushes {
			t.Errorf("%d failed requests in %v, %d events arrived", s.failures, elapsed, len(s.arrived))
		}
		stop(t, p)
	})
}

// However many events are held because they are refused, an outage pauses the requests with them.
func TestRefusedEventsDoNotMultiplyRequestsInAnOutage(t *testing.T) {
	for name, refusal := range map[string]int{"403": http.StatusForbidden, "502": http.StatusBadGateway} {
		for _, quiet := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, quiet=%v", name, quiet), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					const from, to = 30 * time.Second, 330 * time.Second
					requests := 0
					s := &service{took: 5 * time.Millisecond, answer: func(body string, events int, elapsed time.Duration) int {
						if elapsed >= from && elapsed < to {
							requests++
							return http.StatusServiceUnavailable
						}
						return refuses(refusal)(body, events, elapsed)
					}}
					p := simulated(t, s, io.Discard, WithMaxEvents(1_000_000))
					n, missing := recordFor(p, s, 200, 100, 20*time.Second, 0)
					good := missing + s.count()
					for time.Since(s.began) < to+10*time.Minute {
						if elapsed := time.Since(s.began); !quiet || elapsed >= to {
							n++
							good++
							record(p, strconv.Itoa(n), "")
						}
						time.Sleep(5 * time.Second)
					}
					time.Sleep(10 * time.Second) // for the last one
					synctest.Wait()
					if limit := int((to-from)/(5*time.Second)) + 20; requests > limit || requests < 10 {
						t.Errorf("%d requests during the outage, want at most %d", requests, limit)
					}
					if s.count() != good {
						t.Errorf("%d of %d good events arrived", s.count(), good)
					}
					stop(t, p)
				})
			})
		}
	}
}

// The halves of a divided request are sent at once, although no fresh events follow.
func TestDividedRequestsDoNotWaitForFreshEvents(t *testing.T) {
	for range 10 { // chance decides between fresh events and held ones
		synctest.Test(t, func(t *testing.T) {
			s := &service{answer: refuses(http.StatusBadRequest), took: 20 * time.Millisecond}
			p := build(t, Lossless(ldcomponents.SendEvents().FlushInterval(time.Hour), WithLogger(slog.New(slog.DiscardHandler))), s.start()).(*Processor)
			const events = 4_000
			for i := range events {
				word := ""
				if i == 1_234 || i == 2_345 {
					word = poison
				}
				record(p, strconv.Itoa(i), word)
			}
			time.Sleep(200 * time.Millisecond)
			record(p, "later", "") // too little for a request
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if n := len(s.arrived); n < events-2 {
				t.Errorf("%d events arrived", n)
			}
			stop(t, p)
		})
	}
}

func TestOneEventThatIsTooLargeDoesNotDelayOthers(t *testing.T) {
	for _, at := range []int{0, 1_000, 1_999} {
		synctest.Test(t, func(t *testing.T) {
			const limit, second = 1 << 20, 2_000
			s := &service{took: 20 * time.Millisecond, answer: func(body string, _ int, _ time.Duration) int {
				if len(body) > limit {
					return http.StatusRequestEntityTooLarge
				}
				return http.StatusAccepted
			}}
			p := simulated(t, s, io.Discard)
			n := 0
			for range 10 * 10 {
				for range second / 10 {
					word := ""
					if n == at {
						word = strings.Repeat("x", limit)
					}
					record(p, strconv.Itoa(n), word)
					n++
				}
				time.Sleep(100 * time.Millisecond)
			}
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if stats := p.Stats(); len(s.arrived) != n-1 || stats.Dropped.Total() != 0 {
				t.Errorf("event %d is too large: %d of %d others arrived, %+v", at, len(s.arrived), n-1, stats)
			}
			stop(t, p)
		})
	}
}

// A firewall that rejects some content as too large does not make all requests small.
func TestContentRejectedAsTooLargeDoesNotMakeRequestsSmall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: refuses(http.StatusRequestEntityTooLarge), took: 20 * time.Millisecond}
		p := simulated(t, s, io.Discard)
		n, missing := recordFor(p, s, 200, 4_000, time.Minute, 5*time.Second)
		if requests := s.received(); missing > 0 || requests > 60*30 {
			t.Errorf("%d of %d events have not arrived after %d requests", missing, n, requests)
		}
		stop(t, p)
	})
}
