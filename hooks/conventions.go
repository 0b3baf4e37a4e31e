package hooks

import (
	"strings"

	"github.com/open-feature/go-sdk/openfeature"
)

// Events follow OpenTelemetry's semantic conventions for feature flags, version 1.44, in which
// feature_flag.* is a release candidate. When a later version renames something, change it in this
// file, in the package documentation and in the table of conventions_test.go.

// eventName is the name of the event for a flag evaluation.
const eventName = "feature_flag.evaluation"

// Attribute keys of the conventions. OpenFeature's package telemetry exports the same keys, except
// that of [ErrorMessageKey]. They are literals here so that an upgrade of OpenFeature's SDK cannot
// rename an attribute of this package.
const (
	flagKey            = "feature_flag.key"
	providerNameKey    = "feature_flag.provider.name"
	resultVariantKey   = "feature_flag.result.variant"
	resultValueKey     = "feature_flag.result.value"
	resultReasonKey    = "feature_flag.result.reason"
	contextIDKey       = "feature_flag.context.id"
	setIDKey           = "feature_flag.set.id"
	versionKey         = "feature_flag.version"
	errorTypeKey       = "error.type"
	errorMessageOldKey = "error.message" // renamed in 1.40; Appendix D still has it
)

// Attribute keys that OpenFeature's package telemetry does not have.
const (
	// ErrorMessageKey is the key of the error message. The same text is sent as error.message,
	// its name before version 1.40 of the conventions, for as long as Appendix D uses that name.
	ErrorMessageKey = "feature_flag.error.message"

	// InExperimentKey is the key of the attribute that is true if the evaluation is part of a
	// LaunchDarkly experiment, and absent otherwise. LaunchDarkly's own OpenTelemetry hooks use
	// the same name. The value comes from the flag metadata of this module's provider.
	InExperimentKey = "feature_flag.result.reason.inExperiment"

	// ReasonKindKey is the key of the attribute that holds LaunchDarkly's reason kind in lower
	// snake case: off, fallthrough, target_match, rule_match, prerequisite_failed or error. The
	// value comes from the flag metadata of this module's provider.
	ReasonKindKey = "launchdarkly.reason.kind"
)

// Flag metadata keys. The first three are defined by Appendix D, the others by this module's
// provider.
const (
	metadataContextID    = "contextId"
	metadataFlagSetID    = "flagSetId"
	metadataVersion      = "version"
	metadataReasonKind   = "reasonKind"
	metadataInExperiment = "inExperiment"
)

// maxAttributes is the number of attributes that an event has without attribute mappers.
const maxAttributes = 13

// Well-known values of feature_flag.result.reason. Others are allowed where none of them applies.
const (
	reasonStatic         = "static"
	reasonDefault        = "default"
	reasonTargetingMatch = "targeting_match"
	reasonSplit          = "split"
	reasonCached         = "cached"
	reasonDisabled       = "disabled"
	reasonUnknown        = "unknown"
	reasonStale          = "stale"
	reasonError          = "error"
)

// reasonName returns the well-known name of a reason where one applies, and the reason in lower
// snake case otherwise. Reasons that are not OpenFeature's are LaunchDarkly's, which its providers
// report unchanged, and GO Feature Flag's. It does not allocate for any of those.
func reasonName(reason openfeature.Reason) string {
	switch reason {
	case openfeature.StaticReason:
		return reasonStatic
	case openfeature.DefaultReason, "FALLTHROUGH", "PREREQUISITE_FAILED":
		return reasonDefault
	case openfeature.TargetingMatchReason, "TARGET_MATCH", "RULE_MATCH":
		return reasonTargetingMatch
	case openfeature.SplitReason, "TARGETING_MATCH_SPLIT":
		return reasonSplit
	case openfeature.CachedReason:
		return reasonCached
	case openfeature.DisabledReason, "OFF":
		return reasonDisabled
	case openfeature.UnknownReason, "":
		return reasonUnknown
	case "STALE":
		return reasonStale
	case openfeature.ErrorReason:
		return reasonError
	default:
		return lowerSnake(string(reason))
	}
}

// errorTypeName returns the well-known value of error.type for an error code, general if there is
// no code, and the code in lower snake case if it is not one of OpenFeature's.
func errorTypeName(code openfeature.ErrorCode) string {
	switch code {
	case openfeature.GeneralCode, "":
		return "general"
	case openfeature.ProviderNotReadyCode:
		return "provider_not_ready"
	case openfeature.ProviderFatalCode:
		return "provider_fatal"
	case openfeature.FlagNotFoundCode:
		return "flag_not_found"
	case openfeature.ParseErrorCode:
		return "parse_error"
	case openfeature.TypeMismatchCode:
		return "type_mismatch"
	case openfeature.TargetingKeyMissingCode:
		return "targeting_key_missing"
	case openfeature.InvalidContextCode:
		return "invalid_context"
	default:
		return lowerSnake(string(code))
	}
}

// reasonKindName returns LaunchDarkly's reason kind in lower snake case. It does not allocate for
// the kinds that LaunchDarkly defines.
func reasonKindName(kind string) string {
	switch kind {
	case "":
		return ""
	case "OFF":
		return "off"
	case "FALLTHROUGH":
		return "fallthrough"
	case "TARGET_MATCH":
		return "target_match"
	case "RULE_MATCH":
		return "rule_match"
	case "PREREQUISITE_FAILED":
		return "prerequisite_failed"
	case "ERROR":
		return "error"
	default:
		return lowerSnake(kind)
	}
}

// lowerSnake converts the name of an enumeration value to lower snake case. Spaces, dashes, dots
// and slashes, which some providers use, become underscores.
func lowerSnake(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case ' ', '-', '.', '/':
			return '_'
		default:
			return r
		}
	}, strings.ToLower(s))
}
