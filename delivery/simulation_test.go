package delivery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"

	"github.com/openfeature-launchdarkly/go-provider/internal/httpstop"
	"github.com/openfeature-launchdarkly/go-provider/internal/jsonarray"
	"github.com/openfeature-launchdarkly/go-provider/internal/race"
)

// service is an events service in virtual time, whose response depends on the body and on the time
// since its start. It ignores a repeated payload ID, as LaunchDarkly does.
type service struct {
	answer    func(body string, events int, elapsed time.Duration) int // returns a status; 0 for no response
	keeps     func(events int, elapsed time.Duration) int              // returns how many accepted events it keeps; all if nil
	took      time.Duration                                            // the duration of a request
	perSecond int                                                      // bytes of requests that it reads; 0 for any number

	mu       sync.Mutex
	began    time.Time
	seen     map[string]bool
	arrived  map[string]int // by the event's key
	requests int
	failures int
}

// RoundTrip implements [http.RoundTripper].
func (s *service) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodGet { // the status page of a Relay Proxy
		return httpstop.Respond(request, http.StatusNotFound), nil
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	time.Sleep(s.took)
	if s.perSecond > 0 && !s.read(request, len(body)) {
		return nil, context.DeadlineExceeded
	}
	var events [][]byte
	jsonarray.Split(body, func(e []byte, _, _ int) { events = append(events, e) }) // faster than encoding/json
	s.mu.Lock()
	defer s.mu.Unlock()
	elapsed := time.Since(s.began)
	s.requests++
	status := s.answer(string(body), len(events), elapsed)
	if status >= 200 && status < 300 {
		if id := request.Header.Get(payloadIDHeader); !s.seen[id] {
			s.seen[id] = true
			if s.keeps != nil {
				events = events[:s.keeps(len(events), elapsed)]
			}
			for _, e := range events {
				if rest, ok := bytes.CutPrefix(e, []byte(`{"kind":"custom",`)); ok {
					_, key, _ := bytes.Cut(rest, []byte(`"key":"`))
					s.arrived[string(key[:bytes.IndexByte(key, '"')])]++
				}
			}
		}
	} else {
		s.failures++
	}
	if status == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return httpstop.Respond(request, status), nil
}

// count returns the number of custom events that arrived.
func (s *service) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.arrived)
}

// received returns the number of requests.
func (s *service) received() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// read reads a body at the rate of perSecond. It returns false if that exceeds the request's
// deadline.
func (s *service) read(request *http.Request, bytes int) bool {
	trace := httptrace.ContextClientTrace(request.Context())
	trace.GotConn(httptrace.GotConnInfo{})
	select {
	case <-request.Context().Done():
		return false
	case <-time.After(time.Duration(bytes) * time.Second / time.Duration(s.perSecond)):
		trace.WroteRequest(httptrace.WroteRequestInfo{})
		return true
	}
}

// simulated returns a processor whose events service is s. It must be called in a synctest bubble.
func simulated(t *testing.T, s *service, log io.Writer, opts ...Option) *Processor {
	t.Helper()
	opts = append([]Option{WithLogger(slog.New(slog.NewTextHandler(log, nil)))}, opts...)
	return build(t, Lossless(nil, opts...), s.start()).(*Processor)
}

// start begins the service's time, and returns it.
func (s *service) start() *service {
	s.began, s.seen, s.arrived = time.Now(), make(map[string]bool), make(map[string]int)
	return s
}

// build returns an event processor of the configuration with an HTTP transport.
func build(
	t testing.TB, config subsystems.ComponentConfigurer[ldevents.EventProcessor], transport http.RoundTripper,
) ldevents.EventProcessor {
	t.Helper()
	p, err := config.Build(subsystems.BasicClientContext{
		SDKKey:           "sdk-secret",
		Logging:          subsystems.LoggingConfiguration{Loggers: ldlog.NewDisabledLoggers()},
		HTTP:             subsystems.HTTPConfiguration{CreateHTTPClient: func() *http.Client { return &http.Client{Transport: transport} }},
		ServiceEndpoints: interfaces.ServiceEndpoints{Events: "http://127.0.0.1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var simulatedUser = ldevents.Context(ldcontext.New("sandy"))

// record tracks an event with a key, and with a word as its data.
func record(p *Processor, key, word string) {
	p.RecordCustomEvent(ldevents.CustomEventData{
		BaseEvent: ldevents.BaseEvent{CreationDate: ldtime.UnixMillisNow(), Context: simulatedUser},
		Key:       key,
		Data:      ldvalue.String(word),
	})
}

// scenario is a failing service, and the events that are recorded.
type scenario struct {
	name     string
	answer   func(body string, events int, elapsed time.Duration) int
	perTick  int              // events recorded every 100 ms
	during   time.Duration    // how long events are recorded
	poisoned func(n int) bool // whether event n has the poison
	settle   time.Duration    // afterwards, with an event every 5 s
	silence  bool             // without these events
	requests int              // maximum number of requests
	waiting  int              // maximum number of good events that still wait at the end
	dropped  bool             // whether the poisoned events are dropped at the end
	unlogged string           // must not be logged
}

// poison is what the firewall of a scenario rejects.
const poison = "DROP TABLE"

func refuses(status int) func(string, int, time.Duration) int {
	return func(body string, _ int, _ time.Duration) int {
		if strings.Contains(body, poison) {
			return status
		}
		return http.StatusAccepted
	}
}

func outage(status int, from, to time.Duration) func(string, int, time.Duration) int {
	return func(_ string, _ int, elapsed time.Duration) int {
		if elapsed >= from && elapsed < to {
			return status
		}
		return http.StatusAccepted
	}
}

func scenarios() (all []scenario) {
	oneIn := func(n int) func(int) bool { return func(i int) bool { return i%n == n/2 } }
	for _, status := range []int{400, 403, 406, 422, 502, 0} {
		all = append(all, scenario{
			name: fmt.Sprintf("%d for one content in 4,000", status), answer: refuses(status),
			perTick: 100, during: 20 * time.Second, poisoned: oneIn(4_000), settle: 30 * time.Minute,
			requests: 1_000, dropped: true,
		}, scenario{
			name: fmt.Sprintf("%d for one content in 100", status), answer: refuses(status),
			perTick: 20, during: 20 * time.Second, poisoned: oneIn(100), settle: 60 * time.Minute,
			requests: 4_000, dropped: true,
		}, scenario{
			name: fmt.Sprintf("%d for two contents, and nothing comes later", status), answer: refuses(status),
			perTick: 4_000, during: 100 * time.Millisecond, poisoned: oneIn(2_000), settle: 60 * time.Minute,
			silence: true, requests: 600,
		})
	}
	for _, status := range []int{0, 301, 400, 401, 403, 404, 407, 408, 413, 422, 429, 500, 502, 503} {
		for _, d := range []time.Duration{5 * time.Second, 300 * time.Second} {
			all = append(all, scenario{
				name: fmt.Sprintf("%s of %d", d, status), answer: outage(status, time.Second, time.Second+d),
				perTick: 3, during: d + 5*time.Second, settle: 12 * time.Minute,
				requests: 400 + int(d/(5*time.Second)),
			})
		}
	}
	all = append(all, scenario{
		name: "413 above 100 events",
		answer: func(_ string, events int, _ time.Duration) int {
			if events > 100 {
				return http.StatusRequestEntityTooLarge
			}
			return http.StatusAccepted
		},
		perTick: 1_000, during: 5 * time.Second, settle: time.Minute, requests: 2_000,
	}, scenario{
		name: "flapping, up for 7 s and down for 4 s",
		answer: func(_ string, _ int, elapsed time.Duration) int {
			if elapsed%(11*time.Second) > 7*time.Second {
				return http.StatusServiceUnavailable
			}
			return http.StatusAccepted
		},
		perTick: 20, during: 2 * time.Minute, settle: 15 * time.Minute, requests: 2_000,
	}, scenario{
		name:   "one content is refused, and little else comes",
		answer: refuses(403), perTick: 1, during: 200 * time.Millisecond, poisoned: func(i int) bool { return i == 0 },
		settle: 30 * time.Minute, requests: 600, dropped: true, unlogged: "refuses the SDK key",
	})
	for _, percent := range []int{30, 50, 70} {
		all = append(all, scenario{
			name: fmt.Sprintf("503 for %d%% of all requests, at random", percent),
			answer: func() func(string, int, time.Duration) int {
				random := rand.New(rand.NewPCG(1, 2))
				return func(string, int, time.Duration) int {
					if random.IntN(100) < percent {
						return http.StatusServiceUnavailable
					}
					return http.StatusAccepted
				}
			}(),
			perTick: 20, during: 2 * time.Minute, settle: 10 * time.Minute, requests: 5_000,
		})
	}
	for _, period := range []int{2, 3, 5, 7} {
		for _, status := range []int{401, 503} {
			all = append(all, scenario{
				name: fmt.Sprintf("%d of one server in %d, in turn", status, period),
				answer: func() func(string, int, time.Duration) int {
					n := 0
					return func(string, int, time.Duration) int {
						if n++; n%period == 0 {
							return status
						}
						return http.StatusAccepted
					}
				}(),
				perTick: 200, during: 30 * time.Second, settle: 30 * time.Minute, requests: 20_000,
				waiting: 50, // the retry of a part after another passed always fails, so that the last ones can wait for long
			})
		}
	}
	return all
}

// TestNoGoodEventIsLost runs the scenarios in virtual time.
func TestNoGoodEventIsLost(t *testing.T) {
	for i, c := range scenarios() {
		if race.Enabled && i%5 != 0 {
			continue // they are slow then, and a few are enough to find races
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { c.run(t) })
		})
	}
}

func (c scenario) run(t *testing.T) {
	var log bytes.Buffer
	s := &service{answer: c.answer, took: 5 * time.Millisecond}
	p := simulated(t, s, &log)
	defer func() {
		over, cancel := context.WithCancel(t.Context())
		cancel()
		_ = p.Shutdown(over)
	}()
	n, bad := 0, 0
	for began := time.Now(); time.Since(began) < c.during; time.Sleep(100 * time.Millisecond) {
		for range c.perTick {
			if c.poisoned != nil && c.poisoned(n) {
				record(p, "bad", poison)
				bad++
			} else {
				record(p, fmt.Sprint("good", n), "")
			}
			n++
		}
	}
	for end := time.Now().Add(c.settle); time.Now().Before(end); time.Sleep(5 * time.Second) {
		if !c.silence {
			record(p, fmt.Sprint("later", time.Since(s.began)), "")
		}
	}
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	missing := 0
	for i := range n {
		if s.arrived[fmt.Sprint("good", i)] == 0 && (c.poisoned == nil || !c.poisoned(i)) {
			missing++
		}
	}
	stats := p.Stats()
	if missing > c.waiting {
		t.Errorf("%d good events of %d have not arrived: %+v", missing, n, stats)
	}
	if dropped := stats.Dropped.Total(); c.dropped && dropped != uint64(bad) || !c.dropped && dropped != 0 {
		t.Errorf("%d bad, %+v", bad, stats)
	}
	if s.requests > c.requests {
		t.Errorf("%d requests, %d of them failed", s.requests, s.failures)
	}
	twice := 0
	for _, times := range s.arrived {
		if times > 1 {
			twice++
		}
	}
	if twice > int(stats.Repeated) {
		t.Errorf("%d events arrived twice, %d are counted", twice, stats.Repeated)
	}
	t.Logf("%d events, %d bad; %d requests, %d failed; %d arrived twice, %d repeated; log lines %d", n, bad, s.requests,
		s.failures, twice, stats.Repeated, bytes.Count(log.Bytes(), []byte("\n")))
	for _, text := range []string{c.unlogged, "sdk-secret"} {
		if text != "" && strings.Contains(log.String(), text) {
			t.Errorf("%q was logged", text)
		}
	}
}

// TestRandomServicesLoseNothing runs services that refuse a content, fail at random or in turn, limit
// requests and have outages, all chosen at random.
func TestRandomServicesLoseNothing(t *testing.T) {
	for i := range 24 {
		if race.Enabled && i%5 != 0 {
			continue
		}
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { randomService(t, rand.New(rand.NewPCG(uint64(i), 7))) })
		})
	}
}

func randomService(t *testing.T, random *rand.Rand) {
	oneOf := func(values ...int) int { return values[random.IntN(len(values))] }
	type window struct {
		from, to         time.Duration
		status, requests int
	}
	var (
		poisoned = oneOf(0, 0, 100, 1_000, 4_000) // one event in so many
		refusal  = oneOf(400, 403, 406, 422, 502, 0)
		failing  = oneOf(0, 0, 10, 30) // percent of requests
		turn     = oneOf(0, 2, 3, 5)   // one request in so many fails
		status   = oneOf(0, 403, 500, 502, 503)
		limit    = oneOf(0, 0, 50, 500) // events of a request
		perTick  = oneOf(1, 5, 20, 50)
		outages  []*window
	)
	for at := time.Duration(0); len(outages) < 2; {
		from := at + time.Duration(random.IntN(60))*time.Second
		at = from + time.Duration(1+random.IntN(60))*time.Second
		outages = append(outages, &window{from, at, oneOf(0, 301, 400, 401, 403, 404, 407, 408, 422, 429, 500, 502, 503), 0})
	}
	up := 0
	s := &service{took: 10 * time.Millisecond, answer: func(body string, events int, elapsed time.Duration) int {
		for _, w := range outages {
			if elapsed >= w.from && elapsed < w.to {
				w.requests++
				return w.status
			}
		}
		switch up++; {
		case turn > 0 && up%turn == 0, random.IntN(100) < failing:
			return status
		case limit > 0 && events > limit:
			return http.StatusRequestEntityTooLarge
		default:
			return refuses(refusal)(body, events, elapsed)
		}
	}}
	p := simulated(t, s, io.Discard, WithMaxEvents(1_000_000))
	bad := 0
	for i := range 1_500 * perTick {
		if poisoned > 0 && i%poisoned == poisoned/2 {
			record(p, "bad", poison)
			bad++
		} else {
			record(p, strconv.Itoa(i), "")
		}
		if i%perTick == 0 {
			time.Sleep(100 * time.Millisecond)
		}
	}
	good := 1_500*perTick - bad
	for end := time.Now().Add(2 * time.Hour); time.Now().Before(end) && s.count() < good; time.Sleep(10 * time.Second) {
		p.RecordRawEvent([]byte(`{"kind":"other"}`)) // something that passes
	}
	synctest.Wait()
	stats := p.Stats()
	if s.count() != good || stats.Dropped.Total() > uint64(bad) {
		t.Errorf("%d of %d good events arrived, %d bad: %+v", s.count(), good, bad, stats)
	}
	for _, w := range outages {
		if limit := 40 + int((w.to-w.from)/(5*time.Second)); w.requests > limit {
			t.Errorf("%d requests in the outage %+v, want at most %d", w.requests, w, limit)
		}
	}
	if t.Failed() {
		t.Logf("1 in %d is refused with %d; %d%% and 1 in %d fail with %d; requests of at most %d events; %d a second",
			poisoned, refusal, failing, turn, status, limit, 10*perTick)
	}
	stop(t, p)
}

func TestSummarizedEvaluationsLeaveRoomForIdentifyEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const maxEvents, identified = 100, 10
		arrived := 0
		s := &service{answer: func(body string, _ int, elapsed time.Duration) int {
			if elapsed < time.Minute {
				return http.StatusServiceUnavailable
			}
			arrived += strings.Count(body, `"kind":"identify"`)
			return http.StatusAccepted
		}}
		p := simulated(t, s, io.Discard, WithMaxEvents(maxEvents), WithRequestEvents(maxEvents))
		for range 20 {
			for range 10 {
				p.RecordEvaluation(ldevents.EvaluationData{
					BaseEvent: ldevents.BaseEvent{CreationDate: ldtime.UnixMillisNow(), Context: simulatedUser}, Key: "flag",
				})
			}
			time.Sleep(time.Second)
		}
		for i := range identified {
			p.RecordIdentifyEvent(ldevents.IdentifyEventData{BaseEvent: ldevents.BaseEvent{
				CreationDate: ldtime.UnixMillisNow(), Context: ldevents.Context(ldcontext.New(strconv.Itoa(i))),
			}})
		}
		if err := p.Shutdown(t.Context()); err != nil || arrived != identified {
			t.Errorf("%d of %d identify events arrived, %v", arrived, identified, err)
		}
	})
}

func TestDroppedEvaluationsAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reported atomic.Uint64
		p := simulated(t, &service{answer: refuses(503)}, io.Discard, WithMaxEvents(10), WithErrorHandler(func(err error) {
			if drop, ok := errors.AsType[*DropError](err); ok && errors.Is(err, ErrQueueFull) {
				reported.Add(uint64(drop.Evaluations))
			}
		}))
		defer p.Close()
		for range 100 {
			p.RecordEvaluation(ldevents.EvaluationData{BaseEvent: ldevents.BaseEvent{Context: simulatedUser}, Key: "flag"})
		}
		time.Sleep(time.Second)
		if dropped := p.Stats().EvaluationEvents.Dropped.QueueFull; dropped == 0 || reported.Load() != dropped {
			t.Errorf("%d of %d dropped evaluations were reported", reported.Load(), dropped)
		}
	})
}

func TestFlushesMakeFewRequestsWhileTheKeyIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: outage(http.StatusUnauthorized, 0, time.Hour)}
		p := simulated(t, s, io.Discard)
		record(p, "good", "")
		for range 100 {
			if err := p.FlushContext(t.Context()); !errors.Is(err, ErrUnauthorized) {
				t.Fatal(err)
			}
		}
		if elapsed := time.Since(s.began); s.requests > 5+int(elapsed/time.Second) || elapsed > 2*time.Minute {
			t.Errorf("%d requests in %s", s.requests, elapsed)
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		_ = p.Shutdown(over)
	})
}

// A link that writes 20 events of 4,000 bytes within the request timeout makes requests smaller.
func TestRequestsOverASlowLinkBecomeSmaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const events = 250
		s := &service{
			answer:    func(string, int, time.Duration) int { return http.StatusAccepted },
			perSecond: 80_000,
		}
		p := simulated(t, s, io.Discard, WithRequestTimeout(time.Second))
		for i := range events {
			record(p, strconv.Itoa(i), strings.Repeat("x", 4_000))
		}
		if err := p.Shutdown(t.Context()); err != nil || len(s.arrived) != events || p.Stats().Retries == 0 {
			t.Errorf("%d of %d events arrived, %v, %+v", len(s.arrived), events, err, p.Stats())
		}
	})
}

// Events that are recorded faster than they are delivered do not prevent a flush from ending.
func TestFlushDoesNotWaitForLaterEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{
			answer: func(string, int, time.Duration) int { return http.StatusAccepted },
			took:   100 * time.Millisecond,
		}
		p := simulated(t, s, io.Discard, WithMaxEvents(1_000), WithRequestEvents(100))
		defer p.Close()
		p.RecordEvaluation(ldevents.EvaluationData{
			BaseEvent: ldevents.BaseEvent{CreationDate: ldtime.UnixMillisNow(), Context: simulatedUser}, Key: "flag",
		})
		done := make(chan struct{})
		var tracking sync.WaitGroup
		tracking.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
					record(p, fmt.Sprint("later", i), "")
				}
			}
		})
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := p.FlushContext(ctx); err != nil {
			t.Errorf("%v, %+v", err, p.Stats())
		}
		close(done)
		tracking.Wait()
	})
}

// relay returns how many events a Relay Proxy keeps of those that it accepts: capacity events in
// each second, counted from an offset.
func relay(capacity int, offset time.Duration) func(int, time.Duration) int {
	interval, used := time.Duration(-1), 0
	return func(events int, elapsed time.Duration) int {
		if now := (elapsed + offset) / time.Second; now != interval {
			interval, used = now, 0
		}
		kept := min(events, capacity-used)
		used += kept
		return kept
	}
}

// TestMaxRateOfARelayProxy tracks a burst through a Relay Proxy that keeps 1,000 events a second.
// With a maximum rate, all events arrive, whenever the relay's intervals begin and however long
// requests take.
func TestMaxRateOfARelayProxy(t *testing.T) {
	const burst, users, capacity = 6_000, 700, 1_000
	accepts := func(string, int, time.Duration) int { return http.StatusAccepted }
	run := func(t *testing.T, s *service, opts ...Option) (arrived int, took time.Duration) {
		s.answer = accepts
		p := simulated(t, s, io.Discard, opts...)
		for i := range burst {
			p.RecordCustomEvent(ldevents.CustomEventData{
				BaseEvent: ldevents.BaseEvent{
					CreationDate: ldtime.UnixMillisNow(), Context: ldevents.Context(ldcontext.New(strconv.Itoa(i % users))),
				},
				Key: strconv.Itoa(i),
			})
		}
		if err := p.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		for i := range burst {
			switch s.arrived[strconv.Itoa(i)] {
			case 0:
			case 1:
				arrived++
			default:
				t.Errorf("event %d arrived %d times", i, s.arrived[strconv.Itoa(i)])
			}
		}
		return arrived, time.Since(s.began)
	}
	rate := WithMaxRate(900, 1100*time.Millisecond)
	for offset := time.Duration(0); offset < time.Second; offset += 470 * time.Millisecond {
		for _, latency := range []time.Duration{0, 30 * time.Millisecond, 700 * time.Millisecond} {
			synctest.Test(t, func(t *testing.T) {
				arrived, took := run(t, &service{took: latency, keeps: relay(capacity, offset)}, rate)
				if arrived != burst {
					t.Errorf("intervals begin at %v, requests take %v: %d of %d events arrived", offset, latency, arrived, burst)
				}
				// It takes no longer than the rate requires, with the index events.
				requests := (burst + users + 900 - 1) / 900
				if longest := time.Duration(requests+1) * (1100*time.Millisecond + latency); took > longest {
					t.Errorf("it took %v, more than %v", took, longest)
				}
			})
		}
	}
	synctest.Test(t, func(t *testing.T) {
		if arrived, _ := run(t, &service{keeps: relay(capacity, 0)}); arrived > capacity {
			t.Errorf("%d events arrived without a rate", arrived)
		}
	})
}
