package hooks

import (
	"errors"
	"log/slog"
	"math"
	"slices"
	"strconv"

	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/telemetry"
)

// Attributes that the conventions have no name for. They come from the flag
// metadata of this module's LaunchDarkly provider, and are absent with others.
const (
	// InExperimentKey is the attribute that is true when the evaluation is part
	// of a LaunchDarkly experiment, and absent otherwise. LaunchDarkly's own
	// OpenTelemetry hooks use the same name.
	InExperimentKey = "feature_flag.result.reason.inExperiment"

	// ReasonKindKey is the attribute that holds LaunchDarkly's reason kind in
	// lower snake case: off, fallthrough, target_match, rule_match,
	// prerequisite_failed or error.
	ReasonKindKey = "launchdarkly.reason.kind"
)

// Flag metadata keys: the first three are Appendix D's, the others those of
// this module's provider.
const (
	metadataContextID    = "contextId"
	metadataFlagSetID    = "flagSetId"
	metadataVersion      = "version"
	metadataReasonKind   = "reasonKind"
	metadataInExperiment = "inExperiment"
)

// roomForAttributes is for the twelve that an event can have of its own, and a
// few that a mapper adds.
const roomForAttributes = 16

// Event is one flag evaluation. It is a plain value, but copies share
// Attributes, which the hook uses again for another event: see [Event.Clone].
type Event struct {
	// Name is feature_flag.evaluation, unless an event mutator changed it.
	Name string

	// FlagKey is the key of the flag that was evaluated.
	FlagKey string

	// Variant is the variant in the evaluation's details. It is empty where the
	// provider has none, and after a failing hook, which makes the SDK return the
	// default value. A provider that fails may name a variant all the same, such
	// as the one whose value is of the wrong type; ErrorCode tells.
	Variant string

	// Reason is the reason as the provider gave it, and ERROR after any error.
	Reason openfeature.Reason

	// ErrorCode is empty for an evaluation without an error.
	ErrorCode openfeature.ErrorCode

	// ProviderName is the name in the provider's metadata.
	ProviderName string

	// Domain is the domain of the client that evaluated, empty for the default.
	Domain string

	// EvaluationContext is what was evaluated: the API's, the transaction's, the
	// client's and the call's context, merged by OpenFeature, with what before
	// hooks added. No option takes anything out of it.
	EvaluationContext openfeature.EvaluationContext

	// Attributes are what sinks send. They are only there until Emit returns: see
	// [Event.Clone]. Each key occurs once. A value's kind is one of
	// [slog.KindString], [slog.KindBool], [slog.KindInt64] and
	// [slog.KindFloat64]; keys and strings are valid UTF-8 and floats are finite.
	Attributes []slog.Attr
}

// Attribute returns the value of the attribute with this key, and whether there
// is one.
func (e *Event) Attribute(key string) (slog.Value, bool) {
	for i := range e.Attributes {
		if e.Attributes[i].Key == key {
			return e.Attributes[i].Value, true
		}
	}
	return slog.Value{}, false
}

// Set adds an attribute, in place of one with the same key. An attribute with
// an empty key is ignored. It is for event mutators; sinks must not change the
// event that they get.
func (e *Event) Set(attr slog.Attr) {
	if attr.Key == "" {
		return
	}
	for i := range e.Attributes {
		if e.Attributes[i].Key == attr.Key {
			e.Attributes[i] = attr
			return
		}
	}
	e.Attributes = append(e.Attributes, attr)
}

// Remove takes the attributes with these keys out. Keys that are not there are
// ignored. It is for event mutators, as [Event.Set] is.
func (e *Event) Remove(keys ...string) {
	e.Attributes = slices.DeleteFunc(e.Attributes, func(attr slog.Attr) bool {
		return slices.Contains(keys, attr.Key)
	})
}

// Clone returns a copy with Attributes of its own, for a sink that keeps it.
func (e *Event) Clone() Event {
	clone := *e
	clone.Attributes = slices.Clone(e.Attributes)
	return clone
}

// outcome is what the caller of an evaluation got. The details that OpenFeature
// hands to the finally stage are not that: they lack the error when another
// hook caused it.
type outcome struct {
	value     any
	variant   string
	reason    openfeature.Reason
	errorCode openfeature.ErrorCode
	message   string
	replaced  bool // by the default value, after another hook failed
}

// read fills the outcome from the details. The error is the one that the error
// stage saw, or nil; details that say themselves what went wrong take precedence.
func (o *outcome) read(hookContext *openfeature.HookContext, details *openfeature.InterfaceEvaluationDetails, err error) {
	if err != nil && details.ErrorCode == "" {
		o.value = hookContext.DefaultValue()
		o.reason = openfeature.ErrorReason
		o.errorCode = errorCodeOf(err)
		o.message = err.Error()
		o.replaced = true
		return
	}
	o.value = details.Value
	o.variant = details.Variant
	o.reason = details.Reason
	o.errorCode = details.ErrorCode
	o.message = details.ErrorMessage
	switch {
	case o.errorCode != "":
		o.reason = openfeature.ErrorReason
	case o.reason == openfeature.ErrorReason:
		o.errorCode = openfeature.GeneralCode
	}
}

// errorCodeOf finds the code of a resolution error. The type keeps it to
// itself; a resolution detail does not.
func errorCodeOf(err error) openfeature.ErrorCode {
	if resolution, ok := errors.AsType[openfeature.ResolutionError](err); ok {
		detail := openfeature.ProviderResolutionDetail{ResolutionError: resolution}.ResolutionDetail()
		if detail.ErrorCode != "" {
			return detail.ErrorCode
		}
	}
	return openfeature.GeneralCode
}

// build makes the event of an evaluation. It is the whole mapping of Appendix D,
// and depends on nothing but its arguments. The attributes are appended to attrs,
// whose room they use. It fills an event rather than returning one to spare a
// copy of it.
func (e *Event) build(
	hookContext *openfeature.HookContext,
	details *openfeature.InterfaceEvaluationDetails,
	result *outcome,
	c *config,
	attrs []slog.Attr,
) {
	e.Name = telemetry.FlagEvaluationKey
	e.FlagKey = hookContext.FlagKey()
	e.Variant = result.variant
	e.Reason = result.reason
	e.ErrorCode = result.errorCode
	e.ProviderName = hookContext.ProviderMetadata().Name
	e.Domain = hookContext.ClientMetadata().Domain()
	e.EvaluationContext = hookContext.EvaluationContext()
	metadata := details.FlagMetadata

	add := adder{attrs: attrs, excluded: c.excluded}
	add.text(telemetry.FlagKey, e.FlagKey)
	add.text(telemetry.ProviderNameKey, e.ProviderName)
	add.text(telemetry.ResultVariantKey, result.variant)
	if c.wantsValue(result.variant) {
		add.value(telemetry.ResultValueKey, cut(encodeValue(result.value), c.maxValueBytes))
	}
	add.value(telemetry.ResultReasonKey, slog.StringValue(reasonName(result.reason)))
	if !c.withoutContextID {
		add.text(telemetry.ContextIDKey, contextID(metadata, e.EvaluationContext))
	}
	if len(metadata) > 0 {
		add.text(telemetry.FlagSetIDKey, metadataString(metadata, metadataFlagSetID))
		add.text(telemetry.VersionKey, metadataString(metadata, metadataVersion))
		if !result.replaced { // else they are about a value that nobody got
			add.text(ReasonKindKey, lowerSnake(metadataString(metadata, metadataReasonKind)))
			if in, ok := metadata[metadataInExperiment].(bool); ok && in {
				add.value(InExperimentKey, slog.BoolValue(true))
			}
		}
	}
	if result.errorCode != "" {
		add.value(telemetry.ErrorTypeKey, slog.StringValue(errorTypeName(result.errorCode)))
		add.text(telemetry.ErrorMessageKey, result.message)
	}
	e.Attributes = add.attrs

	for _, mapper := range c.mappers {
		for _, attr := range mapper(*hookContext, *details) {
			if !slices.Contains(c.excluded, attr.Key) {
				e.Set(attr)
			}
		}
	}
	if len(c.mutators) > 0 {
		*e = mutated(*e, c.mutators)
		e.Name = validString(e.Name)
	}
	if len(c.mappers) > 0 || len(c.mutators) > 0 {
		normalize(e.Attributes)
	}
}

// mutated is apart from build because what mutators get a pointer to is
// allocated.
func mutated(event Event, mutators []func(*Event)) Event {
	for _, mutate := range mutators {
		mutate(&event)
	}
	return event
}

// adder collects attributes, without those that are excluded.
type adder struct {
	attrs    []slog.Attr
	excluded []string
}

// text adds a string, if there is one.
func (a *adder) text(key, value string) {
	if value != "" {
		a.value(key, slog.StringValue(validString(value)))
	}
}

func (a *adder) value(key string, value slog.Value) {
	if len(a.excluded) == 0 || !slices.Contains(a.excluded, key) {
		a.attrs = append(a.attrs, slog.Attr{Key: key, Value: value})
	}
}

// contextID follows Appendix D: the metadata's id, else the targeting key.
func contextID(metadata openfeature.FlagMetadata, evalCtx openfeature.EvaluationContext) string {
	if len(metadata) > 0 {
		if id := metadataString(metadata, metadataContextID); id != "" {
			return id
		}
	}
	return evalCtx.TargetingKey()
}

// metadataString reads a string, empty if there is none. Versions are numbers
// with some providers, so whole numbers count as their decimal text.
func metadataString(metadata openfeature.FlagMetadata, key string) string {
	switch value := metadata[key].(type) {
	case string:
		return value
	case int:
		return strconv.Itoa(value)
	case int64:
		return strconv.FormatInt(value, 10)
	case float64:
		if value == math.Trunc(value) && math.Abs(value) < 1<<53 {
			return strconv.FormatInt(int64(value), 10)
		}
	}
	return ""
}
