package hooks

import (
	"log/slog"
	"math"
	"slices"
	"strconv"

	"github.com/open-feature/go-sdk/openfeature"
)

// fill makes e the event of an evaluation. It implements the mapping in the package documentation
// and depends on nothing but its arguments. Attributes are appended to attrs.
func (e *Event) fill(
	hookContext *openfeature.HookContext,
	details *openfeature.InterfaceEvaluationDetails,
	result *outcome,
	c *config,
	attrs []slog.Attr,
) {
	e.Name = eventName
	e.FlagKey = hookContext.FlagKey()
	e.Variant = result.variant
	e.Reason = result.reason
	e.ErrorCode = result.errorCode
	e.ProviderName = hookContext.ProviderMetadata().Name
	e.Domain = hookContext.ClientMetadata().Domain()
	e.EvaluationContext = hookContext.EvaluationContext()
	e.Attributes = e.appendAttributes(attrs, details.FlagMetadata, result, c)

	for _, mapper := range c.mappers {
		for _, attr := range mapper(*hookContext, *details) {
			if !c.excludes(attr.Key) {
				e.Set(attr)
			}
		}
	}
	for _, mutate := range c.mutators {
		mutate(e)
	}
	if len(c.mappers) > 0 || len(c.mutators) > 0 {
		e.Name = validString(e.Name)
		normalize(e.Attributes)
	}
}

// appendAttributes appends the attributes of the conventions and those of LaunchDarkly.
func (e *Event) appendAttributes(
	attrs []slog.Attr, metadata openfeature.FlagMetadata, result *outcome, c *config,
) []slog.Attr {
	inExperiment := false
	if !result.replaced { // otherwise the metadata is about a value that the caller did not get
		inExperiment, _ = metadata[metadataInExperiment].(bool)
	}

	a := appender{attrs: attrs, config: c}
	a.text(flagKey, e.FlagKey)
	a.text(providerNameKey, e.ProviderName)
	a.text(resultVariantKey, e.Variant)
	if (e.Variant == "" || c.values) && !c.excludes(resultValueKey) {
		a.value(resultValueKey, truncate(encodeValue(result.value), c.maxValueBytes))
	}
	if inExperiment && e.ErrorCode == "" {
		a.text(resultReasonKey, reasonSplit)
	} else {
		a.text(resultReasonKey, reasonName(e.Reason))
	}
	a.text(contextIDKey, contextID(metadata, e.EvaluationContext))
	a.text(setIDKey, metadataString(metadata, metadataFlagSetID))
	a.text(versionKey, metadataString(metadata, metadataVersion))
	if !result.replaced {
		a.text(ReasonKindKey, reasonKindName(metadataString(metadata, metadataReasonKind)))
	}
	if inExperiment {
		a.value(InExperimentKey, slog.BoolValue(true))
	}
	if e.ErrorCode != "" {
		a.text(errorTypeKey, errorTypeName(e.ErrorCode))
		a.text(ErrorMessageKey, result.message)
		a.text(errorMessageOldKey, result.message)
	}
	return a.attrs
}

// appender collects attributes, except for those that are excluded.
type appender struct {
	attrs  []slog.Attr
	config *config
}

// text appends a string unless it is empty.
func (a *appender) text(key, value string) {
	if value != "" {
		a.value(key, slog.StringValue(validString(value)))
	}
}

func (a *appender) value(key string, value slog.Value) {
	if !a.config.excludes(key) {
		a.attrs = append(a.attrs, slog.Attr{Key: key, Value: value})
	}
}

// contextID returns flag metadata contextId, or the targeting key if there is none, as Appendix D
// defines it.
func contextID(metadata openfeature.FlagMetadata, evalCtx openfeature.EvaluationContext) string {
	if id := metadataString(metadata, metadataContextID); id != "" {
		return id
	}
	return evalCtx.TargetingKey()
}

// metadataString returns a metadata value as a string, and an empty one if there is none. Versions
// are numbers with some providers, so whole numbers are converted to decimal text.
func metadataString(metadata openfeature.FlagMetadata, key string) string {
	if len(metadata) == 0 {
		return ""
	}
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

func (c *config) excludes(key string) bool {
	return len(c.excluded) > 0 && slices.Contains(c.excluded, key)
}
