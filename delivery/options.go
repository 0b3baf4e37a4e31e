package delivery

import (
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/openfeature-launchdarkly/go-provider/internal/safelog"
)

// The defaults of the options.
const (
	DefaultMaxEvents      = 100_000
	DefaultMaxBytes       = 64 << 20
	DefaultMaxWait        = 50 * time.Millisecond
	DefaultRequestEvents  = 2_000
	DefaultRequestTimeout = 30 * time.Second
	DefaultMinBackoff     = 200 * time.Millisecond
	DefaultMaxBackoff     = 15 * time.Second
)

// errNotJSON is the cause if an event has no valid JSON form.
var errNotJSON = fmt.Errorf("%w: not valid JSON", ErrRefused)

const (
	// maxRequestEvents is the default maximum of LaunchDarkly's own event processor.
	maxRequestEvents = 10_000
	// maxRequestBytes is the maximum size of the events of a request.
	maxRequestBytes = 4 << 20
)

// Option configures the delivery of events. See [Lossless]. Options are applied in order: a later
// option overrides an earlier one of the same kind. Nil options are ignored.
type Option interface{ apply(*settings) }

type optionFunc func(*settings)

func (f optionFunc) apply(s *settings) { f(s) }

type settings struct {
	maxEvents      int
	maxBytes       int
	maxWait        time.Duration
	requestEvents  int
	requestBytes   int
	reserveEvents  int // part of maxEvents, for puts that blocked for the whole maxWait
	rawBytes       int // bound of tracked events before they are formatted, see maxRawBytes
	rate           pace
	spool          spoolSettings
	requestTimeout time.Duration
	minBackoff     time.Duration
	maxBackoff     time.Duration
	logger         *slog.Logger
	ownLogger      bool // whether WithLogger set the logger
	onError        []func(error)
}

// newSettings returns the defaults with the options applied. capacity is that of the SDK's builder.
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
		s.maxEvents = math.MaxInt // bounded by the sizes of the spool and of the memory
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
	// No reserve if the store is hardly larger than a request.
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

// WithMaxEvents sets the maximum number of tracked events that wait for delivery, including those
// in the current request. Of all other events together, half as many may wait. The default is
// 100,000, and is used if n is less than 1.
func WithMaxEvents(n int) Option {
	return optionFunc(func(s *settings) { s.maxEvents = positive(n, DefaultMaxEvents) })
}

// WithMaxBytes sets the maximum number of bytes of events that wait for delivery. Each event counts
// as the size of its JSON plus 72 bytes. Evaluation events may use at most half of the bytes, and
// are dropped if tracked events need the room. Before they are formatted, the events of each of
// the two kinds may use up to half as much again, by an estimate from earlier events, and usually
// use far less. The default is 64 MiB, and is used if n is less than 1.
func WithMaxBytes(n int) Option {
	return optionFunc(func(s *settings) { s.maxBytes = positive(n, DefaultMaxBytes) })
}

// WithMaxWait sets how long recording a custom, identify or migration event may block if there is
// no room. It does not block while the queue is full and requests fail or get no response for a
// second. The default is 50ms; if d is 0 or less, it never blocks. Recording an evaluation never
// blocks.
func WithMaxWait(d time.Duration) Option {
	return optionFunc(func(s *settings) { s.maxWait = max(d, 0) })
}

// WithRequestEvents sets the maximum number of events in a request, up to 10,000. The default is
// 2,000, and is used if n is less than 1. A request is also limited to 4 MiB, unless it is a single
// event. If the events service rejects a request as too large (413), or the request cannot be
// written within the request timeout, it is divided, and later requests have less than half of its
// bytes until some of them have succeeded.
func WithRequestEvents(n int) Option {
	return optionFunc(func(s *settings) { s.requestEvents = positive(n, DefaultRequestEvents) })
}

// WithRequestTimeout sets the timeout of each attempt to send a request. If the timeout of the
// SDK's HTTP client is longer, that is used instead. The default is 30s, and is used if d is 0 or
// less.
func WithRequestTimeout(d time.Duration) Option {
	return optionFunc(func(s *settings) { s.requestTimeout = positive(d, DefaultRequestTimeout) })
}

// WithBackoff sets the pause after a failed request: shortest after the first failure, doubled
// after each further one up to longest, and reduced by a random part of up to half. While a flush
// or a shutdown waits, it is limited to 1s, or to shortest if that is longer. While the events
// service rejects the SDK key, it starts at longest and is doubled up to 10 minutes. A Retry-After
// header overrides it, up to 10 minutes. The defaults are 200ms and 15s, and are used for durations
// of 0 or less. If longest is less than shortest, shortest is used for both.
func WithBackoff(shortest, longest time.Duration) Option {
	return optionFunc(func(s *settings) {
		s.minBackoff = positive(shortest, DefaultMinBackoff)
		s.maxBackoff = positive(longest, DefaultMaxBackoff)
	})
}

// WithMaxRate limits the number of events of all kinds, including those of failed attempts, that
// are sent in any period of the given length. It is for a hop that accepts more events than it can
// keep, such as a Relay Proxy, which keeps EVENTS_CAPACITY events (1,000 by default) for each of
// its flush intervals (5s by default) and drops the others:
//
//	delivery.WithMaxRate(900, 6*time.Second)
//
// The other events wait, so the rate must exceed that at which events are recorded on average. The
// limit applies to one process; processes that share a hop share its capacity. By default, or if n
// or per is 0 or less, there is no limit.
func WithMaxRate(n int, per time.Duration) Option {
	return optionFunc(func(s *settings) {
		s.rate = pace{}
		if n > 0 && per > 0 {
			s.rate = pace{events: n, per: per}
		}
	})
}

// WithLogger sets the logger for delivery failures. At most one line a minute is logged for each
// cause. If l is nil, [slog.Default] is used, which is the default. A panic in its handler is
// recovered; the line is lost.
func WithLogger(l *slog.Logger) Option {
	return optionFunc(func(s *settings) { s.logger, s.ownLogger = l, l != nil })
}

// WithErrorHandler adds a function that is called with a [*DropError] when events are dropped. It
// is called by the goroutine that records the event or by one that delivers events, so it must
// return quickly, and it may be called concurrently. It must not track events, and it must not
// panic: a panic is not recovered. If the option is used more than once, all functions are called
// in order. A nil function is ignored.
func WithErrorHandler(f func(error)) Option {
	return optionFunc(func(s *settings) {
		if f != nil {
			s.onError = append(slices.Clip(s.onError), f)
		}
	})
}

// positive returns the value if it is positive, or else the default.
func positive[T int | time.Duration](value, byDefault T) T {
	if value <= 0 {
		return byDefault
	}
	return value
}
