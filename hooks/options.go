package hooks

import (
	"log/slog"
	"time"

	"github.com/open-feature/go-sdk/openfeature"
)

// DefaultMaxValueBytes is the length that feature_flag.result.value is cut to
// unless [WithMaxValueBytes] says otherwise.
const DefaultMaxValueBytes = 1024

// Option changes what an [EvaluationHook] emits. Options are applied in order;
// of two that contradict each other, the later one holds.
type Option interface {
	apply(config) config
}

type optionFunc func(config) config

func (f optionFunc) apply(c config) config { return f(c) }

type config struct {
	mappers  []AttributeMapper
	mutators []func(*Event)
	filters  []func(flagKey string) bool
	excluded []string

	withoutValues    bool
	variantOverValue bool
	withoutContextID bool
	maxValueBytes    int

	sampled bool
	ratio   float64

	deduplication mode
	window        time.Duration
	size          int

	logger *slog.Logger
}

// mode is a choice that a sink makes unless the user does.
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

// wantsValue reports whether the value is an attribute, given the variant.
func (c *config) wantsValue(variant string) bool {
	return !c.withoutValues && c.maxValueBytes != 0 && (variant == "" || !c.variantOverValue)
}

// AttributeMapper returns attributes to add to an event. It gets what OpenFeature
// gives to a finally hook, which after an error of another hook is still what
// the provider resolved. It is called concurrently, and must not change the maps
// in its arguments: they are the evaluation's own.
type AttributeMapper func(openfeature.HookContext, openfeature.InterfaceEvaluationDetails) []slog.Attr

// WithAttributeMapper adds the attributes that f returns. They replace ones
// with the same key; those with an empty key are ignored. Values that are not
// of a kind that an [Event] carries are converted: durations and times to text,
// groups and anything else to JSON. The length of what f adds is not limited by
// [WithMaxValueBytes]. Given more than once, all mappers run in order. A nil f
// is ignored. If f panics, the event is not emitted.
//
// Privacy: f can copy anything from the evaluation context into what is sent.
// Cost: f runs once for each event that is emitted.
func WithAttributeMapper(f AttributeMapper) Option {
	return optionFunc(func(c config) config {
		if f != nil {
			c.mappers = append(c.mappers, f)
		}
		return c
	})
}

// WithExcludedAttributes leaves out the attributes with these keys, those from
// attribute mappers included. Event mutators run afterwards. Keys of several
// such options add up.
//
// Privacy: what is named here is not in [Event].Attributes, which is all that
// the sinks of this module send, the Tracker sink's evaluation context excepted.
// Cost: a comparison per attribute and key; fewer attributes to send.
func WithExcludedAttributes(keys ...string) Option {
	return optionFunc(func(c config) config {
		c.excluded = append(c.excluded, keys...)
		return c
	})
}

// WithEventMutator calls f with each event, after all other options, before
// sinks get it. f may change the event in any way, its name and its evaluation
// context included. It must not keep the pointer, nor Attributes. Given more
// than once, all mutators run in order. A nil f is ignored. If f panics, the
// event is not emitted.
//
// Privacy: f has the last word on what is sent. Its only correction is that
// attribute values are brought to the kinds that an [Event] carries, and that
// what is not UTF-8 is replaced with U+FFFD.
// Cost: f runs once for each event that is emitted.
func WithEventMutator(f func(*Event)) Option {
	return optionFunc(func(c config) config {
		if f != nil {
			c.mutators = append(c.mutators, f)
		}
		return c
	})
}

// WithoutValues leaves feature_flag.result.value out of every event, whatever
// other options say about values.
//
// Privacy: flag values do not leave the process; variants still do.
// Cost: saves encoding the value, which for objects is most of an event's cost.
func WithoutValues() Option {
	return optionFunc(func(c config) config {
		c.withoutValues = true
		return c
	})
}

// WithMaxValueBytes cuts feature_flag.result.value to at most n bytes, not
// inside a character, with … as the last one of a value that was cut. The mark
// takes three bytes, and is all that remains if n is less. Numbers and booleans
// are never cut. Zero leaves values out, as [WithoutValues] does; a negative n
// means no limit; the default is [DefaultMaxValueBytes]. JSON that was cut is no
// longer JSON.
//
// Privacy: less of a long value leaves the process; short ones do as they are.
// Cost: bounds what is sent, not what encoding an object takes, as it is encoded
// first.
func WithMaxValueBytes(n int) Option {
	return optionFunc(func(c config) config {
		c.maxValueBytes = n
		return c
	})
}

// WithVariantOverValue leaves feature_flag.result.value out where there is a
// variant. OpenTelemetry asks for the value only without a variant and calls it
// opt-in otherwise; Appendix D recommends both, and so does the hook by default,
// because LaunchDarkly's variants are numbers that say little by themselves.
//
// Privacy: values leave the process only where nothing else tells the result.
// Cost: saves encoding the value.
func WithVariantOverValue() Option {
	return optionFunc(func(c config) config {
		c.variantOverValue = true
		return c
	})
}

// WithoutContextID leaves feature_flag.context.id out of every event.
//
// Privacy: the attributes no longer say who was evaluated. The Tracker sink
// tells its provider all the same, because an event belongs to a context.
// Cost: none; backends that index attributes are spared one of high cardinality.
func WithoutContextID() Option {
	return optionFunc(func(c config) config {
		c.withoutContextID = true
		return c
	})
}

// WithFlagFilter emits events only for flags whose key f accepts. f is called
// concurrently. Given more than once, all of them must accept. A nil f is
// ignored. If f panics, the event is not emitted.
//
// Privacy: nothing of a flag that is refused reaches a sink.
// Cost: f runs for every evaluation with an enabled sink, before anything else.
func WithFlagFilter(f func(flagKey string) bool) Option {
	return optionFunc(func(c config) config {
		if f != nil {
			c.filters = append(c.filters, f)
		}
		return c
	})
}

// WithSampling emits a random part of the events: ratio 0.1 is one in ten, 0 or
// less none, 1 or more all. NaN is ignored. The choice is made once for all
// sinks of an evaluation. With deduplication it is made among exposures, not
// among evaluations: an exposure that was not chosen is not asked about again
// before its window is over.
//
// Privacy: none; a sample is still of real people.
// Cost: the share of what events cost that the ratio says, plus a random number.
func WithSampling(ratio float64) Option {
	return optionFunc(func(c config) config {
		if ratio == ratio { //nolint:gocritic // not NaN
			c.sampled = ratio < 1
			c.ratio = ratio
		}
		return c
	})
}

// WithDeduplication emits one event per context, flag, variant and window; the
// next one comes with the first evaluation after the window. It is the default
// of [TrackerSink], and this option turns it on for every sink of the hook, each
// of which has a cache for up to size exposures. The window is
// [DefaultDeduplicationWindow] and the size [DefaultDeduplicationSize] unless
// they are positive. When the cache is full, the exposures that were not seen
// for longest are forgotten, and emitted once more when they come again.
//
// A context is known by flag metadata contextId, else by its kind and key; its
// other attributes do not count. Contexts that have no key at all are one
// context. Providers and domains are kept apart. Where there is no variant, the
// value takes its place. Failures count as a variant per error code. An exposure
// that a sink lost, or an option that panicked, counts as emitted.
//
// Privacy: what is remembered are hashes, not keys.
// Cost: a repeated exposure costs a hash and a look-up under a lock, without
// allocating; a multi-kind context without contextId, or an object without a
// variant, costs more. Backends get fewer events, but can no longer count
// evaluations.
func WithDeduplication(window time.Duration, size int) Option {
	return optionFunc(func(c config) config {
		c.deduplication, c.window, c.size = on, window, size
		return c
	})
}

// WithoutDeduplication emits an event for every evaluation, to every sink of the
// hook, [TrackerSink] included.
//
// Privacy: none.
// Cost: with a [TrackerSink], one event of the provider's, which may be billed,
// for every evaluation.
func WithoutDeduplication() Option {
	return optionFunc(func(c config) config {
		c.deduplication = off
		return c
	})
}

// WithLogger sets where the hook reports a sink that panicked. Nil, and the
// default, is [slog.Default] at that moment.
//
// Privacy: the line names the sink's type and the stack, and no attribute.
// Cost: one line per hook, ever.
func WithLogger(logger *slog.Logger) Option {
	return optionFunc(func(c config) config {
		c.logger = logger
		return c
	})
}
