package launchdarkly

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/open-feature/go-sdk/openfeature"

	"github.com/openfeature-launchdarkly/go-provider/internal/jsonvalue"
)

// Version is the version of this provider. LaunchDarkly's usage statistics include it.
const Version = "0.1.0"

// providerName is the name in the provider's metadata (OpenFeature requirement 2.1.1).
const providerName = "LaunchDarkly"

// Provider evaluates flags and tracks events with LaunchDarkly. Create one with [NewProvider] or
// [NewProviderWithClient] and register it with OpenFeature; the zero value is not usable. All
// methods are safe for concurrent use.
type Provider struct {
	settings settings
	contexts recentContexts
	resolver resolver
	reporter reporter
	events   chan openfeature.Event
	tracked  trackingCounts

	// newSession makes the client of the next registration, or finds the application's.
	newSession func() (*session, error)

	mu      sync.Mutex              // held while a session begins, or is taken out of service
	session atomic.Pointer[session] // nil while the provider is shut down
	latest  atomic.Pointer[session] // the same, or the last one

	registrations registrations
	accounts      accounts // of all sessions
}

var (
	_ openfeature.FeatureProvider          = (*Provider)(nil)
	_ openfeature.ContextAwareStateHandler = (*Provider)(nil)
	_ openfeature.EventHandler             = (*Provider)(nil)
	_ openfeature.Tracker                  = (*Provider)(nil)
)

// NewProvider returns a provider that owns a LaunchDarkly client, which starts to connect at once.
// Registration waits for flag data, and shutdown delivers all events and closes the client.
// Registering the provider again after a shutdown creates another client: see
// [Provider.InitWithContext].
//
// It returns an error for an empty SDK key, unless the configuration is offline, and for a
// configuration that LaunchDarkly's SDK rejects. A provider must be shut down even if it is never
// registered.
//
// With an offline configuration, evaluations return their defaults with the reason DEFAULT, and no
// events are sent.
func NewProvider(sdkKey string, opts ...Option) (*Provider, error) {
	p := newProvider(opts)
	if sdkKey == "" && !p.settings.config.Offline {
		return nil, errors.New("launchdarkly: the SDK key is empty")
	}
	p.settings.config.HTTP = p.resolver.environment.observe(p.settings.config.HTTP)
	p.newSession = func() (*session, error) { return newOwnedSession(sdkKey, p) }
	if err := p.open(); err != nil {
		return nil, err
	}
	return p, nil
}

// NewProviderWithClient returns a provider that uses the application's client and leaves it open at
// shutdown. It returns an error for a nil client.
//
// For lossless delivery, set Events in the client's configuration to a delivery.Lossless, and pass
// the same configuration to [WithConfig], where the provider finds it for Flush, Stats, the error
// handler and the logger. Otherwise, a warning is logged, because LaunchDarkly's event processor
// drops events without notice: those beyond its capacity, and those that it could not send in two
// attempts.
//
// A client with a DataSystem without synchronizers (daemon mode, or initializers only) does not
// report, as of go-server-sdk 7.15.5, when it has all its data. Registration then takes the whole
// init timeout, and the state remains STALE, but evaluations work. A provider that owns such a
// client is ready at once.
func NewProviderWithClient(client *ld.LDClient, opts ...Option) (*Provider, error) {
	if client == nil {
		return nil, errors.New("launchdarkly: the client is nil")
	}
	p := newProvider(opts)
	p.newSession = func() (*session, error) { return newBorrowedSession(client, p), nil }
	if err := p.open(); err != nil {
		return nil, err
	}
	return p, nil
}

func newProvider(opts []Option) *Provider {
	s := newSettings(opts)
	return &Provider{
		settings: s,
		contexts: recentContexts{mapper: contextMapper{kindAttribute: s.kindAttribute}},
		resolver: resolver{standardReasons: s.standardReasons},
		reporter: reporter{logger: s.logger, onError: s.onError},
		events:   make(chan openfeature.Event),
	}
}

// Client returns LaunchDarkly's client, for features that OpenFeature does not cover: Identify,
// migrations, AllFlagsState. It is never nil. If the provider owns the client, it is closed after a
// shutdown, and registering the provider again creates another one.
//
// A listener that is added to the client must always be read. If its channel is full,
// LaunchDarkly's SDK blocks, and flags are no longer updated.
func (p *Provider) Client() *ld.LDClient { return p.latest.Load().client }

// Metadata returns the provider's name, "LaunchDarkly".
func (p *Provider) Metadata() openfeature.Metadata { return openfeature.Metadata{Name: providerName} }

// Hooks returns the hooks set by [WithHooks]. The slice must not be modified.
func (p *Provider) Hooks() []openfeature.Hook { return p.settings.hooks }

// maxKeyBytes is the maximum length of flag keys and event names, because LaunchDarkly's SDK
// formats them.
const maxKeyBytes = 64 << 10

// evaluation holds the arguments of an evaluation by LaunchDarkly's client.
type evaluation struct {
	client    *ld.LDClient
	flag      string
	context   ldcontext.Context
	contextID string // if it differs from the targeting key
}

// prepare fills in an evaluation. If there is nothing to evaluate, it fills in the resolution
// details instead and returns false.
func (p *Provider) prepare(
	ctx context.Context, e *evaluation, out *openfeature.ProviderResolutionDetail, flag string, flat openfeature.FlattenedContext,
) bool {
	s := p.session.Load()
	if s == nil {
		err := openfeature.NewProviderNotReadyResolutionError("the provider is shut down")
		*out = p.resolver.failure(ldreason.EvalErrorClientNotReady, err)
		return false
	}
	if len(flag) > maxKeyBytes {
		err := openfeature.NewFlagNotFoundResolutionError("no flag has a key of more than 64 KiB")
		*out = p.resolver.failure(ldreason.EvalErrorFlagNotFound, err)
		return false
	}
	e.client, e.flag = s.client, jsonvalue.String(flag)
	targetingKey, ok := flat[openfeature.TargetingKey].(string)
	warnings, err := p.contexts.toLaunchDarkly(&e.context, targetingKey, ok, flat)
	if warnings != nil {
		p.reporter.evaluation(ctx, e.flag, warnings)
	}
	if err != nil {
		*out = p.resolver.contextFailure(err)
		return false
	}
	if id := e.context.FullyQualifiedKey(); id != targetingKey {
		e.contextID = id
	}
	if s.offline {
		*out = openfeature.ProviderResolutionDetail{
			Reason:       openfeature.DefaultReason,
			FlagMetadata: openfeature.FlagMetadata{},
		}
		return false
	}
	return true
}

// BooleanEvaluation resolves a boolean flag (OpenFeature requirement 2.2.1). It returns the default
// on every error.
func (p *Provider) BooleanEvaluation(
	ctx context.Context, flag string, defaultValue bool, flatCtx openfeature.FlattenedContext,
) (resolution openfeature.BoolResolutionDetail) {
	resolution.Value = defaultValue
	var e evaluation
	if !p.prepare(ctx, &e, &resolution.ProviderResolutionDetail, flag, flatCtx) {
		return resolution
	}
	value, detail, err := e.client.BoolVariationDetailCtx(ctx, e.flag, e.context, defaultValue)
	resolution.Value = value
	p.resolver.resolve(&resolution.ProviderResolutionDetail, &detail, err, e.contextID)
	return resolution
}

// StringEvaluation resolves a string flag (OpenFeature requirement 2.2.1). It returns the default
// on every error.
func (p *Provider) StringEvaluation(
	ctx context.Context, flag string, defaultValue string, flatCtx openfeature.FlattenedContext,
) (resolution openfeature.StringResolutionDetail) {
	resolution.Value = defaultValue
	var e evaluation
	if !p.prepare(ctx, &e, &resolution.ProviderResolutionDetail, flag, flatCtx) {
		return resolution
	}
	value, detail, err := e.client.StringVariationDetailCtx(ctx, e.flag, e.context, jsonvalue.String(defaultValue))
	if !detail.IsDefaultValue() { // the default may have been invalid UTF-8
		resolution.Value = value
	}
	p.resolver.resolve(&resolution.ProviderResolutionDetail, &detail, err, e.contextID)
	return resolution
}

// FloatEvaluation resolves a number flag (OpenFeature requirement 2.2.1). It returns the default on
// every error, NaN and infinities included.
func (p *Provider) FloatEvaluation(
	ctx context.Context, flag string, defaultValue float64, flatCtx openfeature.FlattenedContext,
) (resolution openfeature.FloatResolutionDetail) {
	resolution.Value = defaultValue
	var e evaluation
	if !p.prepare(ctx, &e, &resolution.ProviderResolutionDetail, flag, flatCtx) {
		return resolution
	}
	value, detail, err := e.number(ctx, defaultValue)
	if !detail.IsDefaultValue() {
		resolution.Value = value
	}
	p.resolver.resolve(&resolution.ProviderResolutionDetail, &detail, err, e.contextID)
	return resolution
}

// number evaluates a number flag. LaunchDarkly's events contain the default, and one that JSON has
// no number for would make the whole payload invalid: in events, it is null.
func (e *evaluation) number(ctx context.Context, defaultValue float64) (float64, ldreason.EvaluationDetail, error) {
	if !math.IsNaN(defaultValue) && !math.IsInf(defaultValue, 0) {
		return e.client.Float64VariationDetailCtx(ctx, e.flag, e.context, defaultValue)
	}
	value, detail, err := e.client.JSONVariationDetailCtx(ctx, e.flag, e.context, ldvalue.Null())
	if !detail.IsDefaultValue() && !value.IsNumber() {
		detail = ldreason.NewEvaluationDetailForError(ldreason.EvalErrorWrongType, ldvalue.Null())
	}
	return value.Float64Value(), detail, err
}

// IntEvaluation resolves a number flag to an integer (OpenFeature requirement 2.2.1). Like
// LaunchDarkly's SDK, it truncates towards zero: 0.5 is 0, without an error. Use FloatEvaluation
// for numbers that can have a fraction. A number outside the range of int64 is a TYPE_MISMATCH. It
// returns the default on every error, unchanged.
func (p *Provider) IntEvaluation(
	ctx context.Context, flag string, defaultValue int64, flatCtx openfeature.FlattenedContext,
) (resolution openfeature.IntResolutionDetail) {
	resolution.Value = defaultValue
	var e evaluation
	if !p.prepare(ctx, &e, &resolution.ProviderResolutionDetail, flag, flatCtx) {
		return resolution
	}
	_, detail, err := e.client.IntVariationDetailCtx(ctx, e.flag, e.context, int(defaultValue))
	if !detail.IsDefaultValue() {
		number := detail.Value.Float64Value()
		if number >= math.MinInt64 && number < -math.MinInt64 {
			resolution.Value = int64(number)
		} else {
			detail = ldreason.NewEvaluationDetailForError(ldreason.EvalErrorWrongType, ldvalue.Null())
			err = errors.New("the flag's value in LaunchDarkly is beyond the range of int64 (WRONG_TYPE)")
		}
	}
	p.resolver.resolve(&resolution.ProviderResolutionDetail, &detail, err, e.contextID)
	return resolution
}

// ObjectEvaluation resolves a flag of any type (OpenFeature requirement 2.2.1) to a value as
// decoded by encoding/json: a map[string]any, a []any, a string, a float64, a bool or nil. The
// caller may modify the value. It returns the default on every error, without a copy.
func (p *Provider) ObjectEvaluation(
	ctx context.Context, flag string, defaultValue any, flatCtx openfeature.FlattenedContext,
) (resolution openfeature.InterfaceResolutionDetail) {
	resolution.Value = defaultValue
	var e evaluation
	if !p.prepare(ctx, &e, &resolution.ProviderResolutionDetail, flag, flatCtx) {
		return resolution
	}
	recorded, _, unrecorded := jsonvalue.Convert(defaultValue) // for LaunchDarkly's events
	if unrecorded != nil {
		var warnings problems
		warnings.addParts(unrecorded, "defaultValue")
		p.reporter.evaluation(ctx, e.flag, warnings)
	}
	value, detail, err := e.client.JSONVariationDetailCtx(ctx, e.flag, e.context, recorded)
	if !detail.IsDefaultValue() {
		resolution.Value = value.AsArbitraryValue()
	}
	p.resolver.resolve(&resolution.ProviderResolutionDetail, &detail, err, e.contextID)
	return resolution
}
