package hooks

import (
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/open-feature/go-sdk/openfeature"
)

// DefaultMaxValueBytes is the maximum length of feature_flag.result.value unless
// [WithMaxValueBytes] sets another one.
const DefaultMaxValueBytes = 1024

// Option changes what an [EvaluationHook] emits. Options are applied in order; if two contradict
// each other, the later one wins.
//
// For each evaluation with an enabled sink, the hook applies flag filters, deduplication, sampling,
// attribute mappers and event mutators, in this order.
type Option interface {
	apply(config) config
}

type optionFunc func(config) config

func (f optionFunc) apply(c config) config { return f(c) }

type config struct {
	filters  []func(flagKey string) bool
	mappers  []AttributeMapper
	mutators []func(*Event)
	excluded []string

	values        bool
	maxValueBytes int

	sampled bool
	ratio   float64

	deduplication mode
	window        time.Duration
	size          int

	logger *slog.Logger
}

// mode is a setting whose default depends on the sink.
type mode int

const (
	bySink mode = iota
	on
	off
)

func newConfig(opts []Option) config {
	c := config{maxValueBytes: DefaultMaxValueBytes}
	for _, opt := range opts {
		if opt != nil {
			c = opt.apply(c)
		}
	}
	return c
}

// accepts reports whether all filters accept the flag.
func (c *config) accepts(flagKey string) bool {
	for _, accept := range c.filters {
		if !accept(flagKey) {
			return false
		}
	}
	return true
}

// samples reports whether an event is part of the sample; the result is random.
func (c *config) samples() bool {
	return !c.sampled || rand.Float64() < c.ratio
}

// deduplicates reports whether events for the sink are deduplicated.
func (c *config) deduplicates(sink Sink) bool {
	if c.deduplication == bySink {
		_, billed := sink.(*TrackerSink)
		return billed
	}
	return c.deduplication == on
}

// AttributeMapper returns attributes to add to an event. It receives what OpenFeature passes to a
// finally hook; if another hook failed, the details still hold what the provider resolved. It is
// called concurrently and must not modify the maps in its arguments, which belong to the
// evaluation.
type AttributeMapper func(openfeature.HookContext, openfeature.InterfaceEvaluationDetails) []slog.Attr

// WithAttributeMapper adds the attributes that f returns. They replace attributes with the same
// key; those with an empty key are ignored. Values of kinds that an [Event] does not have are
// converted: durations and times to text, groups and everything else to JSON. [WithMaxValueBytes]
// does not apply to them. If the option is given more than once, all mappers run in order. A nil f
// is ignored. If f panics, the event is not emitted.
//
// Privacy: f can send any part of the evaluation context.
// Cost: f runs once for each emitted event.
func WithAttributeMapper(f AttributeMapper) Option {
	return optionFunc(func(c config) config {
		if f != nil {
			c.mappers = append(c.mappers, f)
		}
		return c
	})
}

// WithExcludedAttributes removes the attributes with the given keys, including those of attribute
// mappers. Event mutators run afterwards. The keys of several such options add up.
//
// It is also the way to never send flag values (feature_flag.result.value) or who was evaluated
// (feature_flag.context.id). An error message has two keys: see [ErrorMessageKey].
//
// Privacy: excluded attributes are not in [Event].Attributes, which is all that the sinks of this
// module send, except for the evaluation context of a [TrackerSink].
// Cost: one comparison per attribute and key. Excluded values are not encoded.
func WithExcludedAttributes(keys ...string) Option {
	return optionFunc(func(c config) config {
		c.excluded = append(c.excluded, keys...)
		return c
	})
}

// WithEventMutator calls f with each event after all other options were applied and before sinks
// receive it. f may change everything in the event, including its name and evaluation context. It
// must not retain the pointer or Attributes. If the option is given more than once, all mutators
// run in order. A nil f is ignored. If f panics, the event is not emitted.
//
// Privacy: f decides what is sent. Only the kinds of attribute values are converted to those of an
// [Event] afterwards, and invalid UTF-8 is replaced with U+FFFD.
// Cost: f runs once for each emitted event.
func WithEventMutator(f func(*Event)) Option {
	return optionFunc(func(c config) config {
		if f != nil {
			c.mutators = append(c.mutators, f)
		}
		return c
	})
}

// WithValues sends feature_flag.result.value with every event. By default, the value is sent only
// if there is no variant, because OpenTelemetry's semantic conventions make it opt-in otherwise.
// LaunchDarkly's variants are variation indexes, which are hard to interpret without the value.
//
// Privacy: flag values leave the process, up to the length of [WithMaxValueBytes].
// Cost: each value is encoded, which for objects is most of the cost of an event.
func WithValues() Option {
	return optionFunc(func(c config) config {
		c.values = true
		return c
	})
}

// WithMaxValueBytes truncates feature_flag.result.value to at most n bytes, including a final "…"
// of three bytes, without splitting a character. If n is less than three, only the "…" remains. If
// n is negative, there is no limit; the default is [DefaultMaxValueBytes]. Numbers and booleans are
// never truncated. Truncated JSON is not valid JSON.
//
// Privacy: limits how much of a long value leaves the process.
// Cost: limits what is sent, but not the cost of encoding a value, which happens first.
func WithMaxValueBytes(n int) Option {
	return optionFunc(func(c config) config {
		c.maxValueBytes = n
		return c
	})
}

// WithFlagFilter emits events only for flags that f accepts. f is called concurrently. If the
// option is given more than once, all filters must accept. A nil f is ignored. If f panics, the
// event is not emitted.
//
// Privacy: nothing about a rejected flag reaches a sink.
// Cost: f runs for every evaluation with an enabled sink.
func WithFlagFilter(f func(flagKey string) bool) Option {
	return optionFunc(func(c config) config {
		if f != nil {
			c.filters = append(c.filters, f)
		}
		return c
	})
}

// WithSampling emits a random sample of the events: a ratio of 0.1 is one in ten, 0 or less is
// none, and 1 or more is all. NaN is ignored. All sinks receive the same sample. With
// deduplication, exposures are sampled rather than evaluations: an exposure that is not selected is
// not considered again until its window ends.
//
// Privacy: none; a sample is still about real people.
// Cost: one random number per event, and the ratio's share of the cost of events.
func WithSampling(ratio float64) Option {
	return optionFunc(func(c config) config {
		if ratio == ratio { //nolint:gocritic // not NaN
			c.sampled = ratio < 1
			c.ratio = ratio
		}
		return c
	})
}

// WithDeduplication emits one event per context, flag, variant and window; the next one is emitted
// by the first evaluation after the window. It is the default for [TrackerSink]; this option turns
// it on for every sink of the hook, each with its own cache for up to size exposures. If window or
// size is not positive, it is [DefaultDeduplicationWindow] or [DefaultDeduplicationSize]. If the
// cache is full, the least recently seen exposures are evicted, and emitted again when they recur.
//
// A context is identified by flag metadata contextId, or by its kind and key; other attributes do
// not count. All contexts without a key are the same context. Providers and domains are kept apart.
// Without a variant, the value takes its place. Failed evaluations have a variant per error code.
// An exposure that was lost in a sink or to a panicking option counts as emitted.
//
// Privacy: the cache holds hashes, not keys.
// Cost: a repeated exposure costs a hash and a look-up under a lock, and no allocation; a
// multi-context without contextId, or an object without a variant, costs more. Backends
// receive fewer events, but can no longer count evaluations.
func WithDeduplication(window time.Duration, size int) Option {
	return optionFunc(func(c config) config {
		c.deduplication, c.window, c.size = on, window, size
		return c
	})
}

// WithoutDeduplication emits an event for every evaluation to every sink of the hook, including
// [TrackerSink].
//
// Privacy: none.
// Cost: with a [TrackerSink], one tracking event per evaluation, which may be billed.
func WithoutDeduplication() Option {
	return optionFunc(func(c config) config {
		c.deduplication = off
		return c
	})
}

// WithLogger sets the logger for panics of sinks and options, and for errors of other hooks that
// are missing in an event. If logger is nil, and by default, it is [slog.Default] at that time.
//
// Privacy: log lines name the type of the sink and the stack, and hold no attribute.
// Cost: at most one line of each kind per hook.
func WithLogger(logger *slog.Logger) Option {
	return optionFunc(func(c config) config {
		c.logger = logger
		return c
	})
}
