package otelhooks_test

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/hooks/otelhooks"
)

// fixed is a provider whose counters do not change.
type fixed launchdarkly.Stats

func (f fixed) Stats() launchdarkly.Stats { return launchdarkly.Stats(f) }

// numbered returns stats of which each counter has another value, and the name of the field for
// each value.
func numbered(t *testing.T) (launchdarkly.Stats, map[int64]string) {
	t.Helper()
	var stats launchdarkly.Stats
	fields := map[int64]string{}
	var number func(v reflect.Value, path string)
	number = func(v reflect.Value, path string) {
		for field, value := range v.Fields() {
			switch {
			case field.Type == reflect.TypeFor[time.Duration]():
				value.SetInt(int64(90 * time.Second))
			case value.Kind() == reflect.Uint64:
				n := len(fields) + 1000
				fields[int64(n)] = path + field.Name
				value.SetUint(uint64(n))
			case value.Kind() == reflect.Struct && field.Anonymous:
				number(value, path)
			case value.Kind() == reflect.Struct:
				number(value, path+field.Name+".")
			default:
				t.Fatalf("%s%s is of type %v", path, field.Name, field.Type)
			}
		}
	}
	number(reflect.ValueOf(&stats).Elem(), "")
	return stats, fields
}

// read collects once. The keys are the name, the unit and the kind of the instrument.
func read(t *testing.T, reader sdkmetric.Reader) map[string]map[attribute.Distinct]point {
	t.Helper()
	var collected metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &collected); err != nil {
		t.Fatal(err)
	}
	read := map[string]map[attribute.Distinct]point{}
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			points := map[attribute.Distinct]point{}
			kind := "gauge"
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				kind = "up-down counter"
				if data.IsMonotonic {
					kind = "counter"
				}
				for _, p := range data.DataPoints {
					points[p.Attributes.Equivalent()] = point{p.Attributes, float64(p.Value)}
				}
			case metricdata.Gauge[float64]:
				for _, p := range data.DataPoints {
					points[p.Attributes.Equivalent()] = point{p.Attributes, p.Value}
				}
			default:
				t.Fatalf("%s is of type %T", m.Name, data)
			}
			if m.Description == "" {
				t.Errorf("%s has no description", m.Name)
			}
			read[m.Name+", "+kind+", "+m.Unit] = points
		}
	}
	return read
}

type point struct {
	attributes attribute.Set
	value      float64
}

func register(t *testing.T, source otelhooks.StatsSource, opts ...otelhooks.DeliveryMetricsOption) (sdkmetric.Reader, metric.Registration) {
	t.Helper()
	reader := sdkmetric.NewManualReader()
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	registration, err := otelhooks.RegisterDeliveryMetrics(source,
		append(opts, otelhooks.WithMeterProvider(meters))...)
	if err != nil {
		t.Fatal(err)
	}
	return reader, registration
}

func TestDeliveryMetrics(t *testing.T) {
	t.Parallel()
	stats, fields := numbered(t)
	reader, _ := register(t, fixed(stats))
	got := read(t, reader)

	values := map[string]string{} // of fields, by instrument and attributes
	for instrument, points := range got {
		for _, p := range points {
			parts := []string{instrument}
			for _, kv := range p.attributes.ToSlice() {
				parts = append(parts, string(kv.Key)+"="+kv.Value.AsString())
			}
			name := strings.Join(parts, ", ")
			values[name] = fields[int64(p.value)]
			if values[name] == "" && p.value != 90 {
				t.Errorf("%s is %v", name, p.value)
			}
		}
	}
	want := map[string]string{
		"launchdarkly.events.handed_over, counter, {event}":      "HandedOver",
		"launchdarkly.events.repeated, counter, {event}":         "Repeated",
		"launchdarkly.events.spool_failures, counter, {failure}": "SpoolFailures",
		"launchdarkly.events.requests, counter, {request}":       "Requests",
		"launchdarkly.events.retries, counter, {request}":        "Retries",
		"launchdarkly.events.waiting_age, gauge, s":              "", // OldestWaiting is no counter
	}
	for group, prefix := range map[string]string{"tracked": "", "evaluation": "EvaluationEvents."} {
		suffix := ", launchdarkly.event.group=" + group
		for instrument, field := range map[string]string{
			"recorded, counter, {event}":        "Recorded",
			"adopted, counter, {event}":         "Adopted",
			"delivered, counter, {event}":       "Delivered",
			"sampled_out, counter, {event}":     "SampledOut",
			"on_disk, counter, {event}":         "OnDisk",
			"waiting, up-down counter, {event}": "Waiting",
			"waiting_size, up-down counter, By": "WaitingBytes",
		} {
			if group == "tracked" && field == "Recorded" {
				field = "Tracked"
			}
			want["launchdarkly.events."+instrument+suffix] = prefix + field
		}
		for cause, field := range map[string]string{
			"queue_full": "QueueFull", "too_large": "TooLarge", "refused": "Refused",
			"unauthorized": "Unauthorized", "damaged": "Damaged", "closed": "Closed",
		} {
			want["launchdarkly.events.dropped, counter, {event}, error.type="+cause+suffix] = prefix + "Dropped." + field
		}
	}
	for cause, field := range map[string]string{
		"empty_event_name": "EmptyEventName", "invalid_context": "InvalidContext", "events_off": "EventsOff",
	} {
		want["launchdarkly.events.dropped, counter, {event}, error.type="+cause+", launchdarkly.event.group=tracked"] =
			"Dropped." + field
	}
	if !maps.Equal(values, want) {
		t.Errorf("got  %v\nwant %v", values, want)
	}

	exported := slices.Collect(maps.Values(values))
	for _, field := range fields {
		// Evaluations counts a part of EvaluationEvents.Recorded.
		if !slices.Contains(exported, field) && field != "Evaluations" {
			t.Errorf("no metric has the counter %s", field)
		}
	}
}

func TestDeliveryMetricsHaveTheGivenAttributes(t *testing.T) {
	t.Parallel()
	reader, _ := register(t, fixed{}, nil,
		otelhooks.WithMetricAttributes(attribute.String("environment", "production")),
		otelhooks.WithMetricAttributes(attribute.Int("shard", 3)))
	for instrument, points := range read(t, reader) {
		for _, p := range points {
			environment, _ := p.attributes.Value("environment")
			shard, _ := p.attributes.Value("shard")
			if environment.AsString() != "production" || shard.AsInt64() != 3 {
				t.Errorf("%s has the attributes %v", instrument, p.attributes)
			}
		}
	}
}

func TestUnregisteredDeliveryMetricsAreNotExported(t *testing.T) {
	t.Parallel()
	reader, registration := register(t, fixed{})
	if len(read(t, reader)) == 0 {
		t.Fatal("nothing is exported")
	}
	if err := registration.Unregister(); err != nil {
		t.Fatal(err)
	}
	for instrument, points := range read(t, reader) {
		if len(points) > 0 {
			t.Errorf("%s is exported", instrument)
		}
	}
}

func TestDeliveryMetricsWithoutProvider(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]otelhooks.StatsSource{
		"nil": nil, "nil pointer": (*launchdarkly.Provider)(nil),
	} {
		if registration, err := otelhooks.RegisterDeliveryMetrics(source); err == nil || registration != nil {
			t.Errorf("%s: got %v, %v", name, registration, err)
		}
	}
	registration, err := otelhooks.RegisterDeliveryMetrics(fixed{}, otelhooks.WithMeterProvider(nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := registration.Unregister(); err != nil { // of the global provider
		t.Error(err)
	}
}

// refusing is a meter without gauges.
type refusing struct{ noop.Meter }

var errNoGauges = errors.New("no gauges")

func (refusing) Float64ObservableGauge(string, ...metric.Float64ObservableGaugeOption) (metric.Float64ObservableGauge, error) {
	return nil, errNoGauges
}

// capturing is a meter that hands out its callback.
type capturing struct {
	noop.Meter
	callback *metric.Callback
}

func (m capturing) RegisterCallback(callback metric.Callback, _ ...metric.Observable) (metric.Registration, error) {
	*m.callback = callback
	return noop.Registration{}, nil
}

type meters struct {
	noop.MeterProvider
	meter metric.Meter
}

func (m meters) Meter(string, ...metric.MeterOption) metric.Meter { return m.meter }

func TestDeliveryMetricsReportAMeterThatRefuses(t *testing.T) {
	t.Parallel()
	_, err := otelhooks.RegisterDeliveryMetrics(fixed{}, otelhooks.WithMeterProvider(meters{meter: refusing{}}))
	if !errors.Is(err, errNoGauges) {
		t.Errorf("got %v", err)
	}
}

// Not parallel: AllocsPerRun counts the allocations of the whole process.
func TestDeliveryMetricsDoNotAllocate(t *testing.T) {
	var callback metric.Callback
	source := otelhooks.StatsSource(&fixed{})
	_, err := otelhooks.RegisterDeliveryMetrics(source, otelhooks.WithMeterProvider(meters{meter: capturing{callback: &callback}}))
	if err != nil {
		t.Fatal(err)
	}
	if got := testing.AllocsPerRun(100, func() { _ = callback(context.Background(), noop.Observer{}) }); got > 0 {
		t.Errorf("a collection makes %v allocations", got)
	}
}
