package delivery_test

import (
	"bytes"
	"io"
	"log/slog"
	"math"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
)

// sink is an events service that costs next to nothing, and counts custom events.
type sink struct {
	events atomic.Int64
	fail   atomic.Bool // it answers 503
}

func (s *sink) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	_ = r.Body.Close()
	if s.fail.Load() {
		return &http.Response{StatusCode: http.StatusServiceUnavailable, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	}
	s.events.Add(int64(bytes.Count(body, []byte(`"kind":"custom"`))))
	return &http.Response{StatusCode: http.StatusAccepted, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

func (s *sink) clientContext() subsystems.BasicClientContext {
	silent := ldlog.NewDisabledLoggers()
	return subsystems.BasicClientContext{
		SDKKey:  "sdk-key",
		Logging: subsystems.LoggingConfiguration{Loggers: silent},
		HTTP:    subsystems.HTTPConfiguration{CreateHTTPClient: func() *http.Client { return &http.Client{Transport: s} }},
	}
}

func purchase() ldevents.CustomEventData {
	user := ldcontext.NewBuilder("user-42").SetString("plan", "gold").Build()
	data := ldvalue.ObjectBuild().SetString("currency", "EUR").Build()
	factory := ldevents.NewEventFactory(false, nil)
	return factory.NewCustomEventData("purchase", ldevents.Context(user), data, true, 9.99, ldvalue.NewOptionalInt(1))
}

// Recording an event, with room for all of them, next to what the SDK's own processor takes for it.
// The metric delivered/op is the share of events that arrive.
func BenchmarkRecordCustomEvent(b *testing.B) {
	for name, config := range map[string]subsystems.ComponentConfigurer[ldevents.EventProcessor]{
		"bare": ldcomponents.SendEvents().FlushInterval(100 * time.Millisecond),
		"lossless": delivery.Lossless(ldcomponents.SendEvents().FlushInterval(100*time.Millisecond),
			delivery.WithMaxEvents(math.MaxInt), delivery.WithMaxBytes(math.MaxInt),
			delivery.WithLogger(slog.New(slog.DiscardHandler))),
	} {
		b.Run(name, func(b *testing.B) {
			record(b, config)
		})
	}
}

// record measures recording an event with a processor of the configuration, and what arrives of it.
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

// From the call to the events service, with a queue of the default size: the application waits for
// room where it has to.
func BenchmarkDelivery(b *testing.B) {
	record(b, delivery.Lossless(nil, delivery.WithLogger(slog.New(slog.DiscardHandler))))
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
