package launchdarkly

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldattr"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/open-feature/go-sdk/openfeature"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/internal/safelog"
)

// DefaultInitTimeout is how long initialization waits for flag data by default. See
// [WithInitTimeout].
const DefaultInitTimeout = 10 * time.Second

// Option configures a [Provider]. Options are applied in order; if two contradict each other, the
// later one wins. A nil Option is ignored.
type Option interface{ apply(*settings) }

type optionFunc func(*settings)

func (f optionFunc) apply(s *settings) { f(s) }

// settings holds the values of the options.
type settings struct {
	config          ld.Config
	initTimeout     time.Duration
	logger          *slog.Logger
	ownLogger       bool // whether the application chose the logger
	onError         func(context.Context, error)
	kindAttribute   string
	standardReasons bool
	hooks           []openfeature.Hook
	delivery        []delivery.Option
}

func newSettings(opts []Option) settings {
	s := settings{initTimeout: DefaultInitTimeout, kindAttribute: ldattr.KindAttr}
	for _, opt := range opts {
		if opt != nil {
			opt.apply(&s)
		}
	}
	if s.logger == nil {
		s.logger = slog.Default()
	}
	s.logger = safelog.Logger(s.logger)
	s.hooks = slices.Clip(s.hooks) // OpenFeature's multi-provider appends to what Hooks returns
	return s
}

// WithConfig sets the configuration of LaunchDarkly's SDK: endpoints, Relay Proxy, persistent
// stores, hooks, and so on. The configuration and its builders are not modified.
//
// With [NewProviderWithClient], pass the configuration of the client. If it contains a
// delivery.Lossless, the provider uses that for Flush, Stats, the error handler and the logger.
func WithConfig(config ld.Config) Option {
	return optionFunc(func(s *settings) { s.config = config })
}

// WithInitTimeout sets how long initialization waits for flag data. The default, also for d <= 0,
// is [DefaultInitTimeout]. The context passed to initialization can end the wait sooner.
func WithInitTimeout(d time.Duration) Option {
	return optionFunc(func(s *settings) {
		if d <= 0 {
			d = DefaultInitTimeout
		}
		s.initTimeout = d
	})
}

// WithLogger sets the logger of the provider, of the delivery of its events and, if the provider
// owns the client, of LaunchDarkly's SDK, whose configuration sets the minimum level of its lines.
// With [NewProviderWithClient], the delivery that [WithConfig] contains also logs to it until the
// provider is shut down. The default, also for nil, is [slog.Default] when the provider is created;
// in that case, the Logging field of the SDK's configuration takes precedence for the SDK's lines.
//
// A line about bad input is logged at most once a minute for each cause, with the number of lines
// omitted since the last one. The provider never logs attribute values or the SDK key.
// LaunchDarkly's SDK logs whole events at its debug level, which is off by default. A panic of the
// logger's handler is recovered; the line is lost.
func WithLogger(l *slog.Logger) Option {
	return optionFunc(func(s *settings) { s.logger, s.ownLogger = l, l != nil })
}

// WithErrorHandler sets a function that is called for every problem with tracking: events that are
// not sent, attributes that are omitted, and events that are dropped later. With
// [NewProviderWithClient], it is also called for all events that the delivery in [WithConfig]
// drops, until the provider is shut down. The errors match those of this package and of the package
// delivery with [errors.Is]; use [errors.As] to get a [*TrackingError], an [*AttributeError] or a
// *delivery.DropError.
//
// The context is that of the call of Track, or context.Background() for events that are dropped
// later. The function must be safe for concurrent use, return quickly, and not call Track. A panic
// in it is recovered and logged. By default, and if f is nil, errors are only logged.
func WithErrorHandler(f func(ctx context.Context, err error)) Option {
	return optionFunc(func(s *settings) { s.onError = f })
}

// WithContextKindAttribute sets the name of the evaluation context attribute that holds the context
// kind. The default, also for an empty name, is "kind".
//
// With another name, an attribute "kind" is omitted with a warning, because LaunchDarkly reserves
// that name. The option does not apply within a multi-context: the kind of each context is the name
// of its attribute, and an attribute with the configured name is an ordinary one.
func WithContextKindAttribute(name string) Option {
	return optionFunc(func(s *settings) {
		if name == "" {
			name = ldattr.KindAttr
		}
		s.kindAttribute = name
	})
}

// WithStandardReasons makes resolution details use OpenFeature's reasons only: DEFAULT for
// FALLTHROUGH and PREREQUISITE_FAILED, TARGETING_MATCH for RULE_MATCH, and SPLIT for every
// evaluation that is part of an experiment. The flag metadata [MetadataReasonKind] still holds
// LaunchDarkly's reason kind.
func WithStandardReasons() Option {
	return optionFunc(func(s *settings) { s.standardReasons = true })
}

// WithHooks adds provider hooks (OpenFeature requirement 2.3.1), which run for every evaluation by
// the provider. If the option is given more than once, all hooks run, in order. A nil hook is
// ignored.
//
// Do not use it for a provider that is part of OpenFeature's multi-provider, and do not pass hooks
// to multi.WithProvider. As of go-sdk 1.20.0, the multi-provider uses a provider that has hooks for
// evaluation only: the provider is neither initialized nor shut down, tracks nothing, and emits no
// provider events. Use multi.WithGlobalHooks or the hooks of a client instead.
func WithHooks(hooks ...openfeature.Hook) Option {
	return optionFunc(func(s *settings) {
		for _, hook := range hooks {
			if hook != nil {
				s.hooks = append(s.hooks, hook)
			}
		}
	})
}

// WithDelivery configures how the events of a client that the provider owns are delivered: see the
// package delivery. If the option is given more than once, all options apply, in order. They take
// precedence over those of a delivery.Lossless in the configuration of [WithConfig], which take
// precedence over the provider's logger and error handler.
//
// It has no effect with [NewProviderWithClient], or if the configuration selects an event processor
// other than LaunchDarkly's. A warning is logged then.
func WithDelivery(opts ...delivery.Option) Option {
	return optionFunc(func(s *settings) { s.delivery = append(s.delivery, opts...) })
}
