package delivery_test

import (
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/internal/httpstop"
	"github.com/openfeature-launchdarkly/go-provider/internal/race"
)

// answers is a transport that is a function.
type answers func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (a answers) RoundTrip(r *http.Request) (*http.Response, error) { return a(r) }

func answer(r *http.Request, status int) *http.Response {
	return httpstop.Respond(r, status)
}

// heap returns the bytes of reachable objects.
func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// nested returns a value with nested objects.
func nested(levels int) ldvalue.Value {
	v := ldvalue.Int(1)
	for range levels {
		v = ldvalue.ObjectBuildWithCapacity(1).Set("a", v).Build()
	}
	return v
}

// TestWaitingBytesBoundMemory fills the store with events of several shapes, and compares the heap
// with the waiting bytes of Stats. With -v, it prints a table.
func TestWaitingBytesBoundMemory(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector uses additional memory")
	}
	scale := 8
	if os.Getenv("DELIVERY_E2E") == "full" {
		scale = 1
	}
	maxBytes := delivery.DefaultMaxBytes / scale
	factory := ldevents.NewEventFactory(false, nil)
	custom := func(c ldcontext.Context, data ldvalue.Value) any {
		return factory.NewCustomEventData("purchase", ldevents.Context(c), data, true, 9.99, ldvalue.OptionalInt{})
	}
	key := func(i int) string { return "user-" + strconv.Itoa(i) }
	shapes := []struct {
		name   string
		most   int // events
		large  int // bytes of an event, if buffers for a few of them matter
		record func(i int) any
	}{
		{"flat events", 300_000, 0, func(i int) any {
			return custom(ldcontext.NewBuilder(key(i%1_000)).SetString("plan", "gold").Build(),
				ldvalue.ObjectBuild().SetString("currency", "EUR").SetInt("items", i).Build())
		}},
		{"data of 90 levels", 100_000, 0, func(i int) any { return custom(ldcontext.New(key(i%1_000)), nested(90)) }},
		{"contexts of 90 levels", 100_000, 0, func(i int) any {
			return custom(ldcontext.NewBuilder(key(i)).SetValue("a", nested(90)).Build(), ldvalue.Null())
		}},
		{"contexts of 1 MiB", 320, 1 << 20, func(i int) any {
			return custom(ldcontext.NewBuilder(key(i)).SetString("a", strings.Repeat("x", 1<<20)).Build(), ldvalue.Null())
		}},
		{"exposures", 300_000, 0, func(i int) any {
			return ldevents.EvaluationData{
				BaseEvent:        ldevents.BaseEvent{Context: ldevents.Context(ldcontext.NewBuilder(key(i)).SetString("plan", "gold").Build())},
				Key:              "flag",
				Version:          ldvalue.NewOptionalInt(1),
				Variation:        ldvalue.NewOptionalInt(1),
				Value:            ldvalue.Bool(true),
				RequireFullEvent: true,
			}
		}},
	}
	services := []struct {
		name  string
		share int // divisor of the number of events: fewer are enough if they don't wait
		serve func(hang <-chan struct{}) answers
	}{
		{"succeeds", 4, func(<-chan struct{}) answers {
			return func(r *http.Request) (*http.Response, error) {
				_, _ = io.Copy(io.Discard, r.Body)
				return answer(r, http.StatusAccepted), nil
			}
		}},
		{"fails", 1, func(<-chan struct{}) answers {
			return func(r *http.Request) (*http.Response, error) { return answer(r, http.StatusServiceUnavailable), nil }
		}},
		{"hangs", 1, func(hang <-chan struct{}) answers {
			return func(r *http.Request) (*http.Response, error) {
				select {
				case <-hang:
				case <-r.Context().Done():
				}
				return nil, io.ErrUnexpectedEOF
			}
		}},
	}
	for _, shape := range shapes {
		for _, service := range services {
			t.Run(shape.name+", service "+service.name, func(t *testing.T) {
				hang := make(chan struct{})
				defer close(hang)
				transport := service.serve(hang)
				before := heap()
				processor, err := delivery.Lossless(ldcomponents.SendEvents(),
					delivery.WithLogger(slog.New(slog.DiscardHandler)), delivery.WithMaxWait(5*time.Millisecond),
					delivery.WithMaxBytes(maxBytes),
				).Build(clientContext(transport))
				if err != nil {
					t.Fatal(err)
				}
				p := processor.(*delivery.Processor)
				peak, counted := 0, 0
				most := shape.most / scale / service.share
				for i := range most {
					switch e := shape.record(i).(type) {
					case ldevents.CustomEventData:
						p.RecordCustomEvent(e)
					case ldevents.EvaluationData:
						p.RecordEvaluation(e)
					}
					if i%(most/4) == most/4-1 {
						s := p.Stats()
						if h := heap() - before; h > peak {
							peak, counted = h, int(s.WaitingBytes+s.EvaluationEvents.WaitingBytes)
						}
					}
				}
				s := p.Stats()
				buffers := 12<<20/min(scale, 4) + 32*shape.large // and the processor
				if limit := counted + counted*3/10 + buffers; peak > limit {
					t.Errorf("%.1f MiB of heap while %.1f MiB are counted", mib(peak), mib(counted))
				}
				if counted > maxBytes*12/10+12*shape.large && scale == 1 {
					t.Errorf("%.1f MiB wait", mib(counted))
				}
				t.Logf("%.1f MiB of heap, %.1f MiB counted; %d tracked and %d other events wait, %d were dropped", mib(peak),
					mib(counted), s.Waiting, s.EvaluationEvents.Waiting, s.Dropped.Total()+s.EvaluationEvents.Dropped.Total())
				_ = p.Shutdown(over())
			})
		}
	}
}

func mib(bytes int) float64 { return float64(bytes) / (1 << 20) }
