package hooks

import (
	"context"
	"reflect"

	"github.com/open-feature/go-sdk/openfeature"
)

var _ Sink = (*TrackerSink)(nil)

// TrackerSink tracks each evaluation as a custom event for the evaluated context, with the event's
// attributes as its data. With such events, LaunchDarkly's experiments can measure flags that
// another system serves.
//
// Custom events are usually billed, so a hook deduplicates them unless [WithoutDeduplication] is
// given. The zero value is disabled.
type TrackerSink struct {
	tracker openfeature.Tracker
	name    func(Event) string
	value   float64
}

// TrackerOption changes what a [TrackerSink] tracks.
type TrackerOption interface {
	applyTracker(TrackerSink) TrackerSink
}

type trackerOptionFunc func(TrackerSink) TrackerSink

func (f trackerOptionFunc) applyTracker(s TrackerSink) TrackerSink { return f(s) }

// WithTrackingName sets the name of the tracking events. By default and if name is empty, it is the
// event's name, feature_flag.evaluation.
func WithTrackingName(name string) TrackerOption {
	if name == "" {
		return WithTrackingNameFunc(nil)
	}
	return WithTrackingNameFunc(func(Event) string { return name })
}

// WithTrackingNameFunc sets a function that returns the name of each tracking event, for example
// one with the flag key. If f is nil or returns an empty name, the default is used. f is called
// concurrently.
func WithTrackingNameFunc(f func(Event) string) TrackerOption {
	return trackerOptionFunc(func(s TrackerSink) TrackerSink {
		s.name = f
		return s
	})
}

// WithTrackingValue sets the numeric value of the tracking events; the default is 0. OpenFeature
// has no way to omit it, but this module's LaunchDarkly provider sends no metric value for
// [math.NaN]. Use NaN only with a provider that is known to accept it, because JSON has no NaN.
func WithTrackingValue(value float64) TrackerOption {
	return trackerOptionFunc(func(s TrackerSink) TrackerSink {
		s.value = value
		return s
	})
}

// NewTrackerSink returns a sink that tracks with tracker: a provider that implements
// [openfeature.Tracker], or an [openfeature.Client]. It need not be the provider whose evaluations
// are tracked. A nil tracker, or a nil pointer to one, makes a sink that is disabled. Nil options
// are ignored.
//
// A provider receives the context exactly as it was evaluated, merged and with the additions of
// before hooks. A client merges it again with its own, the transaction's and the API's context;
// attributes of the evaluated context take precedence (OpenFeature requirement 3.2.3), so the merge
// only adds attributes. Prefer the provider, in particular if another client evaluates.
//
// Track must be safe for concurrent use and return without I/O, like that of this module's
// provider. If the provider's queue is full, Track, and with it the evaluation, waits for room for
// up to 50ms, or as long as delivery.WithMaxWait allows.
func NewTrackerSink(tracker openfeature.Tracker, opts ...TrackerOption) *TrackerSink {
	if v := reflect.ValueOf(tracker); v.Kind() == reflect.Pointer && v.IsNil() {
		tracker = nil
	}
	s := TrackerSink{tracker: tracker}
	for _, opt := range opts {
		if opt != nil {
			s = opt.applyTracker(s)
		}
	}
	return &s
}

// Enabled reports whether there is a tracker.
func (s *TrackerSink) Enabled(context.Context) bool {
	return s != nil && s.tracker != nil
}

// Emit tracks the event.
func (s *TrackerSink) Emit(ctx context.Context, event Event) {
	if s == nil || s.tracker == nil {
		return
	}
	details := openfeature.NewTrackingEventDetails(s.value)
	for _, attr := range event.Attributes {
		details = details.Add(attr.Key, attr.Value.Any())
	}
	name := ""
	if s.name != nil {
		name = s.name(event)
	}
	if name == "" {
		name = event.Name
	}
	s.tracker.Track(ctx, name, event.EvaluationContext, details)
}
