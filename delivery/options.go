package delivery

import (
	"log/slog"
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

const (
	// maxRequestEvents is what one request of LaunchDarkly's own event processor carries at most by default.
	maxRequestEvents = 10_000
	// maxRequestBytes is about how much memory the events of one request take at most.
	maxRequestBytes = 4 << 20
)

// Option changes how events are delivered. See [Lossless]. Options are applied in order: of two of the same kind, the
// later wins. Nil ones are ignored.
type Option interface{ apply(*settings) }

type optionFunc func(*settings)

func (f optionFunc) apply(s *settings) { f(s) }

type settings struct {
	maxEvents      int
	maxBytes       int
	maxWait        time.Duration
	requestEvents  int
	requestBytes   int
	reserveEvents  int // of maxEvents, for those who have waited for room and got none
	reserveBytes   int // of maxBytes
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
	s.requestEvents = min(s.requestEvents, s.maxEvents, maxRequestEvents)
	s.requestBytes = min(maxRequestBytes, max(s.maxBytes/2, 1))
	// A queue that is hardly larger than a request has nothing to set aside.
	const share = 8
	if s.maxEvents >= share*s.requestEvents {
		s.reserveEvents = s.maxEvents / share
	}
	if s.maxBytes >= share*s.requestBytes {
		s.reserveBytes = s.maxBytes / share
	}
	s.maxBackoff = max(s.minBackoff, s.maxBackoff)
	if s.logger == nil {
		s.logger = slog.Default()
	}
	s.logger = safelog.Logger(s.logger)
	return s
}

// WithMaxEvents bounds how many custom events may wait for delivery, those in the current request included. The default
// is 100,000; a number below 1 means the default.
func WithMaxEvents(n int) Option {
	return optionFunc(func(s *settings) { s.maxEvents = positive(n, DefaultMaxEvents) })
}

// WithMaxBytes bounds how much waiting custom events may hold, in approximate bytes, those in the current request
// included. The default is 64 MiB; a number below 1 means the default. An event counts for about 400 bytes, and each value
// of its context and its data for 64 and its text. Go's maps can take up to four times that while requests succeed, and
// about twice while they fail, when the data of new events is kept as text.
func WithMaxBytes(n int) Option {
	return optionFunc(func(s *settings) { s.maxBytes = positive(n, DefaultMaxBytes) })
}

// WithMaxWait sets how long recording a custom event may wait for room in a full queue while requests succeed. The
// default is 50ms; with 0, or less, it never waits. It never waits while requests fail, or while one has gone without an
// answer for more than a second.
func WithMaxWait(d time.Duration) Option {
	return optionFunc(func(s *settings) { s.maxWait = max(d, 0) })
}

// WithRequestEvents sets how many custom events one request carries at most. The default is 2,000; a number below 1
// means the default, one above 10,000 means that. A request that the events service finds too large (413) is halved, and
// later ones stay as small as what it then accepted; after a while of that, larger ones are tried again.
func WithRequestEvents(n int) Option {
	return optionFunc(func(s *settings) { s.requestEvents = positive(n, DefaultRequestEvents) })
}

// WithRequestTimeout sets how long one attempt at a request may take before it is tried again. The default is 30s; the
// timeout of the SDK's HTTP client applies where it is longer. A duration of 0 or less means the default.
func WithRequestTimeout(d time.Duration) Option {
	return optionFunc(func(s *settings) { s.requestTimeout = positive(d, DefaultRequestTimeout) })
}

// WithBackoff sets how long to wait before a failed request is tried again: shortest at first, twice as long after each
// further failure, and longest at most, each less a random part of up to half. While somebody waits for the events (a flush,
// a shutdown), it is 1s at most, or the shortest where that is longer. A Retry-After of the events service makes it longer
// in any case, up to 10 minutes. The defaults are 200ms and 15s; a duration of 0 or less means the default, and a longest
// below the shortest means the shortest.
func WithBackoff(shortest, longest time.Duration) Option {
	return optionFunc(func(s *settings) {
		s.minBackoff = positive(shortest, DefaultMinBackoff)
		s.maxBackoff = positive(longest, DefaultMaxBackoff)
	})
}

// WithLogger sets where failures of delivery are logged, at most one line a minute for each cause. The default, and
// what nil means, is [slog.Default]. A handler that panics costs its line, and nothing else.
func WithLogger(l *slog.Logger) Option {
	return optionFunc(func(s *settings) { s.logger, s.ownLogger = l, l != nil })
}

// WithErrorHandler adds a function that hears of all custom events that are dropped, as a [DropError]. It is called by
// the goroutine that records the event, or by the one that delivers, and must return quickly. It may be called by
// several goroutines at once, must not track events itself, and must not panic: nothing recovers that here. Given more
// than once, all functions are called, in order. A nil function is ignored.
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
