package otelhooks

import (
	"context"
	"errors"
	"reflect"
	"slices"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
)

// Attribute keys of the metrics of [RegisterDeliveryMetrics].
const (
	// EventGroupKey is the key of the group of events: [TrackedEvents] or [EvaluationEvents].
	EventGroupKey = "launchdarkly.event.group"

	// DropCauseKey is the key of the cause of a drop, in metric launchdarkly.events.dropped. Its
	// values are the fields of launchdarkly.Dropped in lower snake case, such as queue_full.
	DropCauseKey = "error.type"
)

// Values of [EventGroupKey].
const (
	// TrackedEvents is the group of events that were recorded with Track.
	TrackedEvents = "tracked"

	// EvaluationEvents is the group of all other events: evaluation, identify and migration events,
	// and the index, debug and summary events that LaunchDarkly's SDK derives.
	EvaluationEvents = "evaluation"
)

const metricPrefix = "launchdarkly.events."

var errNoStats = errors.New("otelhooks: the provider of the delivery metrics is nil")

// StatsSource is what [RegisterDeliveryMetrics] reads. It is implemented by *launchdarkly.Provider.
// Stats must be safe for concurrent use.
type StatsSource interface {
	Stats() launchdarkly.Stats
}

// DeliveryMetricsOption configures [RegisterDeliveryMetrics].
type DeliveryMetricsOption interface {
	apply(deliveryConfig) deliveryConfig
}

type deliveryConfig struct {
	meters     metric.MeterProvider
	attributes []attribute.KeyValue
}

type deliveryOptionFunc func(deliveryConfig) deliveryConfig

func (f deliveryOptionFunc) apply(c deliveryConfig) deliveryConfig { return f(c) }

// WithMeterProvider sets the provider of the meter. Nil, and the default, is the global one.
func WithMeterProvider(provider metric.MeterProvider) DeliveryMetricsOption {
	return deliveryOptionFunc(func(c deliveryConfig) deliveryConfig {
		c.meters = provider
		return c
	})
}

// WithMetricAttributes adds attributes to all metrics. They distinguish several LaunchDarkly
// providers in one process, for example by the name of the environment. Without them,
// OpenTelemetry's SDK adds up their counters and exports the age of one of them.
func WithMetricAttributes(attributes ...attribute.KeyValue) DeliveryMetricsOption {
	return deliveryOptionFunc(func(c deliveryConfig) deliveryConfig {
		c.attributes = append(c.attributes, attributes...)
		return c
	})
}

// RegisterDeliveryMetrics exports the delivery counters of a LaunchDarkly provider,
// launchdarkly.Stats, as asynchronous instruments. They are read once per collection.
//
//	registration, err := otelhooks.RegisterDeliveryMetrics(provider)
//
// The instruments, their units and their attributes besides those of [WithMetricAttributes]:
//
//   - launchdarkly.events.recorded, counter, {event}, by group
//   - launchdarkly.events.adopted, counter, {event}, by group: read from the spool of a process
//     that has ended
//   - launchdarkly.events.delivered, counter, {event}, by group: accepted by LaunchDarkly's events
//     service, or by a Relay Proxy in front of it
//   - launchdarkly.events.dropped, counter, {event}, by group and error.type ([DropCauseKey])
//   - launchdarkly.events.sampled_out, counter, {event}, by group: left out by LaunchDarkly's
//     sampling ratios
//   - launchdarkly.events.on_disk, counter, {event}, by group: left in the spool at shutdown
//   - launchdarkly.events.handed_over, counter, {event}: recorded by an event processor other than
//     that of package delivery, which does not report what happened to them
//   - launchdarkly.events.repeated, counter, {event}: sent again after an ambiguous failure under
//     another payload ID, so that they may have been delivered twice
//   - launchdarkly.events.waiting, up-down counter, {event}, by group
//   - launchdarkly.events.waiting_size, up-down counter, By, by group
//   - launchdarkly.events.waiting_age, gauge, s: the age of the oldest waiting event, 0 if none
//     waits
//   - launchdarkly.events.requests, counter, {request}: accepted
//   - launchdarkly.events.retries, counter, {request}: failed attempts
//
// The group is launchdarkly.event.group ([EventGroupKey]). Unless events are being recorded,
// recorded and adopted add up to delivered, dropped, sampled_out, on_disk, handed_over and waiting.
// Counters start at 0 with the provider and continue over its registrations with OpenFeature. All
// series exist from the first collection on, including those of every cause of a drop, so that
// rates work for the first event.
//
// It returns an error if source is nil or an instrument cannot be created. Unregister the returned
// registration to end the export, for example when the provider is replaced; until then, it keeps
// the provider in memory.
func RegisterDeliveryMetrics(source StatsSource, opts ...DeliveryMetricsOption) (metric.Registration, error) {
	if v := reflect.ValueOf(source); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, errNoStats
	}
	var c deliveryConfig
	for _, opt := range opts {
		if opt != nil {
			c = opt.apply(c)
		}
	}
	if c.meters == nil {
		c.meters = otel.GetMeterProvider()
	}
	m := deliveryMetrics{source: source, meter: c.meters.Meter(scopeName), attributes: c.attributes}
	m.addEvents()
	m.addRequests()
	if m.err != nil {
		return nil, m.err
	}
	return m.meter.RegisterCallback(m.observe, m.instruments...)
}

// deliveryMetrics is what one registration observes.
type deliveryMetrics struct {
	source     StatsSource
	meter      metric.Meter
	attributes []attribute.KeyValue

	instruments []metric.Observable
	series      []series
	err         error // of creating instruments

	age        metric.Float64ObservableGauge
	ageOptions []metric.ObserveOption
}

// series is one instrument with attributes, and where its value comes from. The options are
// computed once, so that a collection does not allocate.
type series struct {
	instrument metric.Int64Observable
	options    []metric.ObserveOption
	value      func(launchdarkly.Stats) uint64
}

func (m *deliveryMetrics) observe(_ context.Context, o metric.Observer) error {
	stats := m.source.Stats()
	for i := range m.series {
		s := &m.series[i]
		o.ObserveInt64(s.instrument, int64(s.value(stats)), s.options...)
	}
	o.ObserveFloat64(m.age, stats.OldestWaiting.Seconds(), m.ageOptions...)
	return nil
}

// addEvents adds the metrics by group of events.
func (m *deliveryMetrics) addEvents() {
	recorded := m.counter("recorded", "{event}", "Events recorded.")
	adopted := m.counter("adopted", "{event}", "Events read from the spool of a process that has ended.")
	delivered := m.counter("delivered", "{event}", "Events accepted by the first hop.")
	dropped := m.counter("dropped", "{event}", "Events that will never be delivered.")
	sampledOut := m.counter("sampled_out", "{event}", "Events left out by LaunchDarkly's sampling ratios.")
	onDisk := m.counter("on_disk", "{event}", "Events left in the spool at shutdown.")
	waiting := m.upDownCounter("waiting", "{event}", "Events that wait for delivery or are being sent.")
	waitingSize := m.upDownCounter("waiting_size", "By", "Size of the waiting events.")

	for _, group := range []struct {
		name   string
		counts func(launchdarkly.Stats) delivery.EventCounts
	}{
		{TrackedEvents, trackedCounts},
		{EvaluationEvents, func(s launchdarkly.Stats) delivery.EventCounts { return s.EvaluationEvents }},
	} {
		add := func(i metric.Int64Observable, value func(delivery.EventCounts) uint64, more ...attribute.KeyValue) {
			m.add(i, func(s launchdarkly.Stats) uint64 { return value(group.counts(s)) },
				append(more, attribute.String(EventGroupKey, group.name))...)
		}
		add(recorded, func(c delivery.EventCounts) uint64 { return c.Recorded })
		add(adopted, func(c delivery.EventCounts) uint64 { return c.Adopted })
		add(delivered, func(c delivery.EventCounts) uint64 { return c.Delivered })
		add(sampledOut, func(c delivery.EventCounts) uint64 { return c.SampledOut })
		add(onDisk, func(c delivery.EventCounts) uint64 { return c.OnDisk })
		add(waiting, func(c delivery.EventCounts) uint64 { return c.Waiting })
		add(waitingSize, func(c delivery.EventCounts) uint64 { return c.WaitingBytes })

		add(dropped, func(c delivery.EventCounts) uint64 { return c.Dropped.QueueFull }, cause("queue_full"))
		add(dropped, func(c delivery.EventCounts) uint64 { return c.Dropped.TooLarge }, cause("too_large"))
		add(dropped, func(c delivery.EventCounts) uint64 { return c.Dropped.Refused }, cause("refused"))
		add(dropped, func(c delivery.EventCounts) uint64 { return c.Dropped.Unauthorized }, cause("unauthorized"))
		add(dropped, func(c delivery.EventCounts) uint64 { return c.Dropped.Damaged }, cause("damaged"))
		add(dropped, func(c delivery.EventCounts) uint64 { return c.Dropped.Closed }, cause("closed"))
	}

	// Track drops these before they reach delivery.
	tracked := attribute.String(EventGroupKey, TrackedEvents)
	m.add(dropped, func(s launchdarkly.Stats) uint64 { return s.Dropped.EmptyEventName }, tracked, cause("empty_event_name"))
	m.add(dropped, func(s launchdarkly.Stats) uint64 { return s.Dropped.InvalidContext }, tracked, cause("invalid_context"))
	m.add(dropped, func(s launchdarkly.Stats) uint64 { return s.Dropped.EventsOff }, tracked, cause("events_off"))
}

// addRequests adds the metrics without a group.
func (m *deliveryMetrics) addRequests() {
	m.add(m.counter("handed_over", "{event}", "Events recorded by an event processor that does not report their delivery."),
		func(s launchdarkly.Stats) uint64 { return s.HandedOver })
	m.add(m.counter("repeated", "{event}", "Events that may have been delivered twice."),
		func(s launchdarkly.Stats) uint64 { return s.Repeated })
	m.add(m.counter("spool_failures", "{failure}", "Failed writes and reads of the spool."),
		func(s launchdarkly.Stats) uint64 { return s.SpoolFailures })
	m.add(m.counter("requests", "{request}", "Requests accepted by the first hop."),
		func(s launchdarkly.Stats) uint64 { return s.Requests })
	m.add(m.counter("retries", "{request}", "Failed attempts at requests."),
		func(s launchdarkly.Stats) uint64 { return s.Retries })

	age, err := m.meter.Float64ObservableGauge(metricPrefix+"waiting_age",
		metric.WithUnit("s"), metric.WithDescription("Age of the oldest waiting event."))
	m.created(age, err)
	m.age, m.ageOptions = age, m.options()
}

func trackedCounts(s launchdarkly.Stats) delivery.EventCounts {
	return delivery.EventCounts{
		Recorded:     s.Tracked,
		Adopted:      s.Adopted,
		Delivered:    s.Delivered,
		Waiting:      s.Waiting,
		WaitingBytes: s.WaitingBytes,
		SampledOut:   s.SampledOut,
		OnDisk:       s.OnDisk,
		Dropped:      s.Dropped.Dropped,
	}
}

func cause(name string) attribute.KeyValue { return attribute.String(DropCauseKey, name) }

func (m *deliveryMetrics) counter(name, unit, description string) metric.Int64Observable {
	counter, err := m.meter.Int64ObservableCounter(metricPrefix+name,
		metric.WithUnit(unit), metric.WithDescription(description))
	m.created(counter, err)
	return counter
}

func (m *deliveryMetrics) upDownCounter(name, unit, description string) metric.Int64Observable {
	counter, err := m.meter.Int64ObservableUpDownCounter(metricPrefix+name,
		metric.WithUnit(unit), metric.WithDescription(description))
	m.created(counter, err)
	return counter
}

func (m *deliveryMetrics) created(instrument metric.Observable, err error) {
	m.instruments = append(m.instruments, instrument)
	m.err = errors.Join(m.err, err)
}

func (m *deliveryMetrics) add(
	instrument metric.Int64Observable, value func(launchdarkly.Stats) uint64, attributes ...attribute.KeyValue,
) {
	m.series = append(m.series, series{instrument, m.options(attributes...), value})
}

// options returns the option with the attributes and those of all metrics.
func (m *deliveryMetrics) options(attributes ...attribute.KeyValue) []metric.ObserveOption {
	set := attribute.NewSet(slices.Concat(m.attributes, attributes)...)
	return []metric.ObserveOption{metric.WithAttributeSet(set)}
}
