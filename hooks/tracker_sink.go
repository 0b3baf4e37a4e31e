package hooks

import (
	"context"
	"reflect"

	"github.com/open-feature/go-sdk/openfeature"
)

var _ Sink = (*TrackerSink)(nil)

// TrackerSink tracks evaluations: each becomes a custom event for the context
// that was evaluated, with the event's attributes as its data. In LaunchDarkly,
// such events let experiments measure flags that another system serves.
//
// Custom events are usually billed, so a hook deduplicates them unless
// [WithoutDeduplication] tells it not to. The zero value is disabled.
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

// WithTrackingName sets the name of the tracking events, which is the event's
// own, feature_flag.evaluation, by default and if name is empty.
func WithTrackingName(name string) TrackerOption {
	if name == "" {
		return WithTrackingNameFunc(nil)
	}
	return WithTrackingNameFunc(func(Event) string { return name })
}

// WithTrackingNameFunc names each tracking event by what it is about, such as
// the flag's key. An empty name stands for the default. f is called
// concurrently; a nil f is the default.
func WithTrackingNameFunc(f func(Event) string) TrackerOption {
	return trackerOptionFunc(func(s TrackerSink) TrackerSink {
		s.name = f
		return s
	})
}

// WithTrackingValue sets the numeric value of the tracking events, 0 by default.
// OpenFeature cannot say that there is none, but for this module's LaunchDarkly
// provider [math.NaN] says so: the events then have no metric value. Do not use
// NaN with a provider that is not known to accept it, since JSON has no NaN.
func WithTrackingValue(value float64) TrackerOption {
	return trackerOptionFunc(func(s TrackerSink) TrackerSink {
		s.value = value
		return s
	})
}

// NewTrackerSink returns a sink that tracks with tracker: a provider that
// implements [openfeature.Tracker], or an [openfeature.Client]. It need not be
// the provider whose evaluations are tracked. A nil tracker, or a nil pointer to
// one, makes a sink that is disabled. Nil options are ignored.
//
// The context of an event is merged already, with what before hooks added. A
// provider gets it exactly as it was evaluated. A client merges it once more,
// over its own, the transaction's and the API's context; the event's own
// attributes win (requirement 3.2.3), so this changes nothing but what those
// contexts have and the evaluation's did not. Prefer the provider where you have
// it, above all if the client is not the one that evaluates.
//
// Track must be safe for concurrent use and return without doing I/O, as that of
// this module's provider does. While that one's queue is full and drains, Track
// waits for room, for up to 50ms unless delivery.WithMaxWait says otherwise, and
// the evaluation with it: one more reason to leave deduplication on.
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
