package delivery

import (
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/openfeature-launchdarkly/go-provider/internal/safelog"
)

// The defaults of the options, each of which says what it is about.
const (
	DefaultMaxEvents      = 100_000
	DefaultMaxBytes       = 64 << 20
	DefaultMaxWait        = 50 * time.Millisecond
	DefaultRequestEvents  = 2_000
	DefaultRequestTimeout = 30 * time.Second
	DefaultMinBackoff     = 200 * time.Millisecond
	DefaultMaxBackoff     = 15 * time.Second
)

// errNotJSON is an event that would spoil the request that it is part of.
var errNotJSON = fmt.Errorf("%w: not valid JSON", ErrRefused)

const (
	// maxRequestEvents is what one request of LaunchDarkly's own event processor carries at most by
	// default.
	maxRequestEvents = 10_000
	// maxRequestBytes is how large the events of one request are at most.
	maxRequestBytes = 4 << 20
)

// Option changes how events are delivered. See [Lossless]. Options are applied in order: of two of
// the same kind, the later wins. Nil ones are ignored.
type Option interface{ apply(*settings) }

type optionFunc func(*settings)

func (f optionFunc) apply(s *settings) { f(s) }

type settings struct {
	maxEvents      int
	maxBytes       int
	maxWait        time.Duration
	requestEvents  int
	requestBytes   int
	reserveEvents  int // of maxEvents, for puts that have waited for room and got none
	rawBytes       int // of recorded events that are not formatted yet
	rate           pace
	spool          spoolSettings
	requestTimeout time.Duration
	minBackoff     time.Duration
	maxBackoff     time.Duration
	logger         *slog.Logger
	ownLogger      bool // whether WithLogger set the logger
	onError        []func(error)
}

// newSettings applies the options. capacity is that of the SDK's builder.
func newSettings(opts []Option, capacity int) settings {
	s := settings{
		maxEvents:      max(DefaultMaxEvents, capacity),
		maxBytes:       DefaultMaxBytes,
		maxWait:        DefaultMaxWait,
		requestEvents:  DefaultRequestEvents,
		requestTimeout: DefaultRequestTimeout,
		minBackoff:     DefaultMinBackoff,
		maxBackoff:     DefaultMaxBackoff,
	}
	for _, opt := range opts {
		if opt != nil {
			opt.apply(&s)
		}
	}
	if s.spool.directory != "" {
		s.spool.maxBytes = positive(s.spool.maxBytes, DefaultSpoolMaxBytes)
		s.maxEvents = math.MaxInt // the spool's size and maxBytes bound them
		if s.spool.disk == nil {
			s.spool.disk = osDisk{}
		}
	}
	s.requestEvents = min(s.requestEvents, s.maxEvents, maxRequestEvents)
	if s.rate.events > 0 {
		s.requestEvents = min(s.requestEvents, s.rate.events)
	}
	s.requestBytes = min(maxRequestBytes, max(s.maxBytes/2, 1))
	s.rawBytes = min(maxRawBytes, max(s.maxBytes/8, 1))
	// A store that is hardly larger than a request has nothing to set aside.
	const share = 8
	if s.maxEvents >= share*s.requestEvents {
		s.reserveEvents = s.maxEvents / share
	}
	s.maxBackoff = max(s.minBackoff, s.maxBackoff)
	if s.logger == nil {
		s.logger = slog.Default()
	}
	s.logger = safelog.Logger(s.logger)
	return s
}

// WithMaxEvents bounds the number of tracked events that wait for delivery, those in the current
// request included. For all other events together, half as many may wait. The default is 100,000; a
// number below 1 means the default.
func WithMaxEvents(n int) Option {
	return optionFunc(func(s *settings) { s.maxEvents = positive(n, DefaultMaxEvents) })
}

// WithMaxBytes bounds the memory for events that wait for delivery, in bytes: each counts with its
// JSON and 72 bytes. Evaluation events may take half of it at most, and make room for tracked
// events. Recorded events are formatted as JSON within a moment, while there is room; until then,
// they may take up to 8 MiB of it, by an estimate from the last ones that were formatted. The
// default is 64 MiB; a number below 1 means the default.
func WithMaxBytes(n int) Option {
	return optionFunc(func(s *settings) { s.maxBytes = positive(n, DefaultMaxBytes) })
}

// WithMaxWait sets how long recording a custom, identify or migration event may block while there
// is no room and requests succeed. The default is 50ms; with 0, or less, it never blocks. It never
// blocks while requests fail, or while one has had no answer for a second. Recording an evaluation
// never blocks.
func WithMaxWait(d time.Duration) Option {
	return optionFunc(func(s *settings) { s.maxWait = max(d, 0) })
}

// WithRequestEvents sets how many events one request carries at most. The default is 2,000; a
// number below 1 means the default, one above 10,000 means that. A request is never larger than 4
// MiB, unless it is a single event. One that the events service finds too large (413), or that
// can't be written within the request timeout, is divided, and later ones stay below half of its
// bytes; after a while of that, larger ones are tried again.
func WithRequestEvents(n int) Option {
	return optionFunc(func(s *settings) { s.requestEvents = positive(n, DefaultRequestEvents) })
}

// WithRequestTimeout sets how long one attempt at a request may take before it is tried again. The
// default is 30s; the timeout of the SDK's HTTP client applies where it is longer. A duration of 0
// or less means the default.
func WithRequestTimeout(d time.Duration) Option {
	return optionFunc(func(s *settings) { s.requestTimeout = positive(d, DefaultRequestTimeout) })
}

// WithBackoff sets the pause after a failed request: shortest at first, doubling with each further
// failure up to longest, each less a random part of up to half. While a flush or a shutdown waits,
// it is 1s at most, or the shortest where that is longer. While the events service refuses the SDK
// key, it starts with longest and doubles up to 10 minutes. A Retry-After of the events service
// takes its place in any case, up to 10 minutes. The defaults are 200ms and 15s; a duration of 0 or
// less means the default, and a longest below the shortest means the shortest.
func WithBackoff(shortest, longest time.Duration) Option {
	return optionFunc(func(s *settings) {
		s.minBackoff = positive(shortest, DefaultMinBackoff)
		s.maxBackoff = positive(longest, DefaultMaxBackoff)
	})
}

// WithMaxRate bounds how many events, of all kinds and with those of failed attempts, are sent in
// any period of the given length. It is for a hop that accepts more than it can keep, such as a
// Relay Proxy, which keeps EVENTS_CAPACITY events (1,000 by default) for each of its flush
// intervals (5s by default) and drops the rest:
//
//	delivery.WithMaxRate(900, 6*time.Second)
//
// Events wait meanwhile, so that the rate has to be above that at which they are recorded in the
// long run. It applies to one process; several behind one hop share its capacity. By default, and
// with a number or a duration of 0 or less, there is no such bound.
func WithMaxRate(n int, per time.Duration) Option {
	return optionFunc(func(s *settings) {
		s.rate = pace{}
		if n > 0 && per > 0 {
			s.rate = pace{events: n, per: per}
		}
	})
}

// WithLogger sets where failures of delivery are logged, at most one line a minute for each cause.
// The default, and what nil means, is [slog.Default]. A panic in its handler is recovered; the line
// is lost.
func WithLogger(l *slog.Logger) Option {
	return optionFunc(func(s *settings) { s.logger, s.ownLogger = l, l != nil })
}

// WithErrorHandler adds a function that is called for all events that are dropped, with a
// [DropError]. It is called by the goroutine that records the event, or by one that delivers, and
// must return quickly. It may be called by several goroutines at once, must not track events
// itself, and must not panic: nothing recovers that here. Given more than once, all functions are
// called, in order. A nil function is ignored.
func WithErrorHandler(f func(error)) Option {
	return optionFunc(func(s *settings) {
		if f != nil {
			s.onError = append(slices.Clip(s.onError), f)
		}
	})
}

// positive is the value, or the default where it is not above 0.
func positive[T int | time.Duration](value, byDefault T) T {
	if value <= 0 {
		return byDefault
	}
	return value
}
