package delivery_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
)

// sink is a cheap events service that counts custom and evaluation events.
type sink struct {
	events  atomic.Int64
	arrived chan struct{} // signals further events; may be nil
	fail    atomic.Bool   // whether it responds 503
}

func (s *sink) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	_ = r.Body.Close()
	if s.fail.Load() {
		return answer(r, http.StatusServiceUnavailable), nil
	}
	s.events.Add(int64(bytes.Count(body, []byte(`"kind":"custom"`)) + bytes.Count(body, []byte(`"kind":"feature"`))))
	select {
	case s.arrived <- struct{}{}:
	default:
	}
	return answer(r, http.StatusAccepted), nil
}

func (s *sink) clientContext() subsystems.BasicClientContext { return clientContext(s) }

// clientContext returns the context of an SDK client with an HTTP transport.
func clientContext(transport http.RoundTripper) subsystems.BasicClientContext {
	return subsystems.BasicClientContext{
		SDKKey:  "sdk-key",
		Logging: subsystems.LoggingConfiguration{Loggers: ldlog.NewDisabledLoggers()},
		HTTP:    subsystems.HTTPConfiguration{CreateHTTPClient: func() *http.Client { return &http.Client{Transport: transport} }},
	}
}

func purchase() ldevents.CustomEventData {
	user := ldcontext.NewBuilder("user-42").SetString("plan", "gold").Build()
	data := ldvalue.ObjectBuild().SetString("currency", "EUR").Build()
	factory := ldevents.NewEventFactory(false, nil)
	return factory.NewCustomEventData("purchase", ldevents.Context(user), data, true, 9.99, ldvalue.NewOptionalInt(1))
}

// recorded is a kind of event to measure.
type recorded struct {
	name   string
	waits  bool // whether recording blocks if our queue is full
	record func(ldevents.EventProcessor, int)
}

// recordings returns the kinds of events, of 500 users.
func recordings() []recorded {
	const users = 500
	custom, evaluations := make([]ldevents.CustomEventData, users), make([]ldevents.EvaluationData, users)
	factory := ldevents.NewEventFactory(false, nil)
	for i := range users {
		user := ldevents.Context(ldcontext.NewBuilder("user-"+strconv.Itoa(i)).SetString("plan", "gold").Build())
		data := ldvalue.ObjectBuild().SetString("currency", "EUR").Build()
		custom[i] = factory.NewCustomEventData("purchase", user, data, true, 9.99, ldvalue.NewOptionalInt(1))
		evaluations[i] = factory.NewEvaluationData(ldevents.FlagEventProperties{Key: "flag", Version: 3}, user,
			ldreason.NewEvaluationDetail(ldvalue.Bool(true), 1, ldreason.NewEvalReasonFallthrough()), false,
			ldvalue.Bool(false), "", ldvalue.NewOptionalInt(1), false)
	}
	return []recorded{
		{"tracked", true, func(p ldevents.EventProcessor, i int) { p.RecordCustomEvent(custom[i%users]) }},
		{"exposure", false, func(p ldevents.EventProcessor, i int) {
			e := evaluations[i%users]
			e.RequireFullEvent = true
			p.RecordEvaluation(e)
		}},
		{"evaluation", false, func(p ldevents.EventProcessor, i int) { p.RecordEvaluation(evaluations[i%users]) }},
	}
}

// contender is an event processor to compare, with its own events service.
type contender struct {
	ldevents.EventProcessor
	service    *sink
	flushEvery int // number of events; 0 if the processor sends full requests without a flush
	events     int // events delivered in measurements
	allocs     uint64
}

// contend returns LaunchDarkly's own processor and ours, without periodic flushes.
func contend(b *testing.B, client func(*sink) *http.Client) (bare, ours *contender) {
	b.Helper()
	rarely := func() *ldcomponents.EventProcessorBuilder { return ldcomponents.SendEvents().FlushInterval(time.Hour) }
	build := func(config subsystems.ComponentConfigurer[ldevents.EventProcessor]) *contender {
		c := &contender{service: &sink{arrived: make(chan struct{}, 1)}}
		basic := c.service.clientContext()
		basic.HTTP.CreateHTTPClient = func() *http.Client { return client(c.service) }
		var err error
		if c.EventProcessor, err = config.Build(basic); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = c.Close() })
		return c
	}
	bare, ours = build(rarely()), build(delivery.Lossless(rarely(),
		delivery.WithMaxWait(time.Minute), delivery.WithLogger(slog.New(slog.DiscardHandler))))
	bare.flushEvery = delivery.DefaultRequestEvents // the size of our requests
	return bare, ours
}

// inProcess returns a client that calls the service without a network.
func inProcess(s *sink) *http.Client { return &http.Client{Transport: s} }

// compare measures both processors in turn, and reports the medians of the results and of their
// ratio, ours to the SDK's. A round is one operation of b.
func compare(b *testing.B, bare, ours *contender, unit string, measure func(*contender) float64) {
	b.Helper()
	for range 3 { // warm up caches and the processors
		measure(bare)
		measure(ours)
	}
	var bares, all, ratios []float64
	for b.Loop() {
		var x, y float64
		if len(ratios)%2 == 0 {
			x, y = measure(bare), measure(ours)
		} else {
			y, x = measure(ours), measure(bare)
		}
		bares, all, ratios = append(bares, x), append(all, y), append(ratios, y/x)
	}
	median := func(values []float64) float64 {
		slices.Sort(values)
		return values[len(values)/2]
	}
	b.ReportMetric(0, "ns/op") // the time of a round has no meaning
	b.ReportMetric(median(bares), "bare-"+unit)
	b.ReportMetric(median(all), "ours-"+unit)
	b.ReportMetric(median(ratios), "ratio")
}

// BenchmarkRecord compares recording an event, in bursts that fit the empty queues of both
// processors.
func BenchmarkRecord(b *testing.B) {
	for _, r := range recordings() {
		b.Run(r.name, func(b *testing.B) {
			const burst = 500
			bare, ours := contend(b, inProcess)
			compare(b, bare, ours, "ns/event", func(c *contender) float64 {
				began := time.Now()
				for i := range burst {
					r.record(c, i)
				}
				took := time.Since(began)
				if !c.FlushBlocking(time.Minute) {
					b.Fatal("not delivered")
				}
				return float64(took.Nanoseconds()) / burst
			})
		})
	}
}

// BenchmarkDelivery compares the throughput from recording to the events service. LaunchDarkly's
// own processor gets no more events at a time than its buffers hold, so that all of them arrive.
func BenchmarkDelivery(b *testing.B) {
	for _, where := range []string{"in process", "loopback"} {
		for _, r := range recordings()[:2] {
			b.Run(r.name+", "+where, func(b *testing.B) {
				client := inProcess
				if where == "loopback" {
					client = func(s *sink) *http.Client { return overLoopback(b, s) }
				}
				bare, ours := contend(b, client)
				compare(b, bare, ours, "events/s", func(c *contender) float64 {
					const events = 20_000
					before, began := mallocs(), time.Now()
					c.feed(b, r, events)
					took := time.Since(began)
					c.allocs += mallocs() - before
					c.events += events
					return events / took.Seconds()
				})
				b.ReportMetric(float64(bare.allocs)/float64(bare.events), "bare-allocs/event")
				b.ReportMetric(float64(ours.allocs)/float64(ours.events), "ours-allocs/event")
			})
		}
	}
}

// overLoopback returns a client that calls the service through a server.
func overLoopback(b *testing.B, s *sink) *http.Client {
	b.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := s.RoundTrip(r); err != nil {
			b.Error(err)
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	b.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	return &http.Client{Transport: answers(func(r *http.Request) (*http.Response, error) {
		there := r.Clone(r.Context())
		there.URL.Scheme, there.URL.Host = "http", host
		return http.DefaultTransport.RoundTrip(there)
	})}
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// feed records events and returns when all of them have arrived.
func (c *contender) feed(b *testing.B, r recorded, events int) {
	b.Helper()
	window := 5_000 // with the index events, fewer than the SDK's buffers hold
	if c.flushEvery == 0 {
		window = 2_500 // evaluations that are not formatted yet
		if r.waits {
			window = events
		}
	}
	before := c.service.events.Load()
	await := func(n int) {
		for deadline := time.Now().Add(time.Minute); int(c.service.events.Load()-before) < n; {
			select {
			case <-c.service.arrived:
			case <-time.After(time.Millisecond):
				c.Flush()
			}
			if time.Now().After(deadline) {
				b.Fatalf("%d of %d events arrived from %T", c.service.events.Load()-before, events, c.EventProcessor)
			}
		}
	}
	for i := range events {
		if i%100 == 0 {
			await(i - window)
		}
		r.record(c, i)
		if c.flushEvery > 0 && (i+1)%c.flushEvery == 0 {
			c.Flush()
		}
	}
	c.Flush()
	await(events)
}

// record measures recording an event with a processor of the configuration, and the delivered
// share.
func record(b *testing.B, config subsystems.ComponentConfigurer[ldevents.EventProcessor]) {
	b.Helper()
	var s sink
	processor, err := config.Build(s.clientContext())
	if err != nil {
		b.Fatal(err)
	}
	event := purchase()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		processor.RecordCustomEvent(event)
		n++
	}
	if err := processor.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(s.events.Load())/float64(n), "delivered/op")
	b.ReportMetric(float64(s.events.Load())/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkStats(b *testing.B) {
	var s sink
	processor, err := delivery.Lossless(nil).Build(s.clientContext())
	if err != nil {
		b.Fatal(err)
	}
	defer processor.Close()
	b.ReportAllocs()
	for b.Loop() {
		_ = processor.(*delivery.Processor).Stats()
	}
}
