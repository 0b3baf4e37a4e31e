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

// DefaultInitTimeout is how long initialization waits for flag data unless [WithInitTimeout] says
// otherwise.
const DefaultInitTimeout = 10 * time.Second

// Option changes how a provider works. Options are applied in order; where two say different
// things, the later wins. Nil ones are ignored.
type Option interface{ apply(*settings) }

type optionFunc func(*settings)

func (f optionFunc) apply(s *settings) { f(s) }

// settings are what the options leave behind.
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

// WithConfig sets the configuration of LaunchDarkly's SDK: endpoints, Relay Proxy, stores, hooks,
// and all else. The configuration and its builders are not changed.
//
// With [NewProviderWithClient], pass the configuration that the client was made with. The provider
// looks for a delivery.Lossless in it, for Flush, Stats, and what that delivery reports.
func WithConfig(config ld.Config) Option {
	return optionFunc(func(s *settings) { s.config = config })
}

// WithInitTimeout sets how long initialization waits for flag data. The default, and what 0 or less
// means, is [DefaultInitTimeout]. The context passed to initialization can end it sooner.
func WithInitTimeout(d time.Duration) Option {
	return optionFunc(func(s *settings) {
		if d <= 0 {
			d = DefaultInitTimeout
		}
		s.initTimeout = d
	})
}

// WithLogger sets the logger of the provider, of the delivery of its events and, when it owns the
// client, of LaunchDarkly's SDK, which keeps its own minimum level. The delivery of an
// application's client logs to it, too, where [WithConfig] has it, until the provider is shut down.
// The default, and the meaning of nil, is [slog.Default] at the time when the provider is made; the
// SDK then keeps what the Logging field of its configuration says, if anything.
//
// A line about bad input is logged at most once a minute for each cause, with the number of those
// left out since then, as far as it is known. The provider never logs attribute values and the SDK
// key. LaunchDarkly's SDK logs whole events at its debug level, which is off by default. A panic of
// the handler is recovered; the line is lost.
func WithLogger(l *slog.Logger) Option {
	return optionFunc(func(s *settings) { s.logger, s.ownLogger = l, l != nil })
}

// WithErrorHandler sets a function that is called for every problem with tracking: events that are
// not sent, attributes that are left out, events that are dropped later. For a client of the
// application's, that includes what its delivery drops, where [WithConfig] has it, whoever tracked
// it, until the provider is shut down. [errors.Is] tells the causes apart by this package's errors
// and those of the package delivery; [errors.As] finds the details in a [*TrackingError], an
// [*AttributeError] or a delivery.DropError.
//
// The context is that of the call of Track, or context.Background() for what happens later. The
// function must be safe for concurrent use, return quickly, and not call Track; a panic in it is
// recovered and logged. The default, and the meaning of nil, is to log only.
func WithErrorHandler(f func(ctx context.Context, err error)) Option {
	return optionFunc(func(s *settings) { s.onError = f })
}

// WithContextKindAttribute sets the evaluation context attribute that holds the context kind. The
// default, and what an empty name means, is "kind". With another name, an attribute "kind" is left
// out, with a warning: LaunchDarkly knows no attribute of that name, so that a rule can't ask for
// it. Parts of a multi-context are of the kind that is their name; an attribute of the name that
// is set here, other than "kind", is one like others there.
func WithContextKindAttribute(name string) Option {
	return optionFunc(func(s *settings) {
		if name == "" {
			name = ldattr.KindAttr
		}
		s.kindAttribute = name
	})
}

// WithStandardReasons makes resolution details use OpenFeature's reasons only: DEFAULT for
// FALLTHROUGH and PREREQUISITE_FAILED, TARGETING_MATCH for RULE_MATCH, and SPLIT for what is part
// of an experiment. LaunchDarkly's own word stays in the flag metadata, as [MetadataReasonKind].
func WithStandardReasons() Option {
	return optionFunc(func(s *settings) { s.standardReasons = true })
}

// WithHooks adds provider hooks (OpenFeature requirement 2.3.1). They run for every evaluation with
// the provider. Given more than once, all hooks run, in order. Nil ones are ignored.
//
// Do not use it for a provider in OpenFeature's multi-provider, nor pass hooks to its
// multi.WithProvider: as of go-sdk 1.20.0, a provider with hooks is wrapped there in one that
// evaluates only. Nothing that is tracked arrives, there are no provider events, and the provider
// is not shut down. Use multi.WithGlobalHooks, or the hooks of a client, instead.
func WithHooks(hooks ...openfeature.Hook) Option {
	return optionFunc(func(s *settings) {
		for _, hook := range hooks {
			if hook != nil {
				s.hooks = append(s.hooks, hook)
			}
		}
	})
}

// WithDelivery sets how the events of a client that the provider makes are delivered: bounds,
// pauses, rate, and all else that the package delivery offers. Given more than once, all options
// apply, in order. They win over those of a delivery.Lossless in the configuration of [WithConfig],
// which win over the provider's own: its logger, and its error handler. The builder in a
// delivery.Lossless, or in the Events field of the configuration, keeps its settings.
//
// It has no effect with a client of the application's, nor with an event processor other than
// LaunchDarkly's; a warning is logged then.
func WithDelivery(opts ...delivery.Option) Option {
	return optionFunc(func(s *settings) { s.delivery = append(s.delivery, opts...) })
}
