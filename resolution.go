package launchdarkly

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/open-feature/go-sdk/openfeature"
)

// The keys of the flag metadata, in which resolution details carry what OpenFeature has no field for. A key is there
// only when LaunchDarkly says something under it.
const (
	// MetadataReasonKind is the kind of LaunchDarkly's evaluation reason, a string such as "RULE_MATCH".
	MetadataReasonKind = "reasonKind"
	// MetadataRuleIndex is the index of the rule that matched, an int.
	MetadataRuleIndex = "ruleIndex"
	// MetadataRuleID is the identifier of the rule that matched, a string.
	MetadataRuleID = "ruleId"
	// MetadataPrerequisiteKey is the key of the prerequisite flag that failed, a string.
	MetadataPrerequisiteKey = "prerequisiteKey"
	// MetadataInExperiment is true where the evaluation is part of an experiment.
	MetadataInExperiment = "inExperiment"
	// MetadataBigSegmentsStatus says how the query of a big segment went, a string such as "HEALTHY".
	MetadataBigSegmentsStatus = "bigSegmentsStatus"
	// MetadataErrorKind is the kind of LaunchDarkly's evaluation error, a string such as "WRONG_TYPE".
	MetadataErrorKind = "errorKind"
	// MetadataContextID is LaunchDarkly's fully qualified context key, a string such as "org:acme:user:42". It is there
	// where it differs from the targeting key.
	MetadataContextID = "contextId"
)

// resolver turns LaunchDarkly's evaluation details into OpenFeature's resolution details.
type resolver struct {
	standardReasons bool
}

// resolution gives the details of a value that LaunchDarkly resolved, or why it could not. err is what the SDK returned
// next to the detail.
func (r resolver) resolution(
	detail *ldreason.EvaluationDetail, err error, contextID string,
) openfeature.ProviderResolutionDetail {
	resolution := openfeature.ProviderResolutionDetail{
		Reason:       r.reason(detail.Reason),
		FlagMetadata: flagMetadata(detail.Reason, contextID),
	}
	if index, ok := detail.VariationIndex.Get(); ok {
		resolution.Variant = strconv.Itoa(index)
	}
	if detail.Reason.GetKind() == ldreason.EvalReasonError {
		resolution.ResolutionError = evaluationError(detail.Reason.GetErrorKind(), err)
	}
	return resolution
}

// contextFailure gives the details for an evaluation context that could not become a LaunchDarkly context.
func (r resolver) contextFailure(err error) openfeature.ProviderResolutionDetail {
	resolution := openfeature.NewInvalidContextResolutionError(err.Error())
	if errors.Is(err, ErrTargetingKeyMissing) {
		resolution = openfeature.NewTargetingKeyMissingResolutionError(err.Error())
	}
	return r.failure(ldreason.EvalErrorUserNotSpecified, resolution)
}

// failure gives the details for an evaluation that LaunchDarkly was not, or could not be, asked for.
func (r resolver) failure(
	kind ldreason.EvalErrorKind, err openfeature.ResolutionError,
) openfeature.ProviderResolutionDetail {
	return openfeature.ProviderResolutionDetail{
		ResolutionError: err,
		Reason:          openfeature.ErrorReason,
		FlagMetadata:    flagMetadata(ldreason.NewEvalReasonError(kind), ""),
	}
}

// reason maps LaunchDarkly's reason. By default it keeps LaunchDarkly's own word where OpenFeature has no equal, as
// LaunchDarkly's providers for Java, Python and Ruby do.
func (r resolver) reason(reason ldreason.EvaluationReason) openfeature.Reason {
	switch kind := reason.GetKind(); kind {
	case ldreason.EvalReasonOff:
		return openfeature.DisabledReason
	case ldreason.EvalReasonTargetMatch:
		return openfeature.TargetingMatchReason
	case ldreason.EvalReasonError:
		return openfeature.ErrorReason
	default:
		if r.standardReasons {
			return standardReason(reason)
		}
		return openfeature.Reason(kind)
	}
}

// standardReason maps the reasons that reason leaves as they are to OpenFeature's vocabulary.
func standardReason(reason ldreason.EvaluationReason) openfeature.Reason {
	if reason.IsInExperiment() {
		return openfeature.SplitReason
	}
	switch reason.GetKind() {
	case ldreason.EvalReasonRuleMatch:
		return openfeature.TargetingMatchReason
	case ldreason.EvalReasonFallthrough, ldreason.EvalReasonPrerequisiteFailed:
		return openfeature.DefaultReason
	default:
		return openfeature.UnknownReason
	}
}

// evaluationError maps LaunchDarkly's error kind; the message is LaunchDarkly's where it has one.
func evaluationError(kind ldreason.EvalErrorKind, err error) openfeature.ResolutionError {
	message := errorMessage(kind)
	if err != nil {
		message = err.Error()
	}
	switch kind {
	case ldreason.EvalErrorClientNotReady:
		return openfeature.NewProviderNotReadyResolutionError(message)
	case ldreason.EvalErrorFlagNotFound:
		return openfeature.NewFlagNotFoundResolutionError(message)
	case ldreason.EvalErrorMalformedFlag:
		return openfeature.NewParseErrorResolutionError(message)
	case ldreason.EvalErrorWrongType:
		return openfeature.NewTypeMismatchResolutionError(message)
	case ldreason.EvalErrorUserNotSpecified:
		return openfeature.NewInvalidContextResolutionError(message)
	default:
		return openfeature.NewGeneralResolutionError(message)
	}
}

// errorMessage says in words what LaunchDarkly says with an error kind alone.
func errorMessage(kind ldreason.EvalErrorKind) string {
	switch kind {
	case ldreason.EvalErrorClientNotReady:
		return "the LaunchDarkly client is not ready (CLIENT_NOT_READY)"
	case ldreason.EvalErrorMalformedFlag:
		return "the flag's data in LaunchDarkly is inconsistent (MALFORMED_FLAG)"
	case ldreason.EvalErrorWrongType:
		return "the flag's value in LaunchDarkly is of another type (WRONG_TYPE)"
	default:
		return fmt.Sprintf("LaunchDarkly could not evaluate the flag (%s)", kind)
	}
}

// reasonKind is the reason's kind as a string in an interface. That of a constant costs no allocation.
func reasonKind(reason ldreason.EvaluationReason) any {
	switch kind := reason.GetKind(); kind {
	case ldreason.EvalReasonFallthrough:
		return string(ldreason.EvalReasonFallthrough)
	case ldreason.EvalReasonRuleMatch:
		return string(ldreason.EvalReasonRuleMatch)
	case ldreason.EvalReasonTargetMatch:
		return string(ldreason.EvalReasonTargetMatch)
	case ldreason.EvalReasonOff:
		return string(ldreason.EvalReasonOff)
	default:
		return string(kind)
	}
}

// flagMetadata lists what a reason has to say and, unless it is empty, a context ID. The map is the caller's own: those
// who wrap a provider, as OpenFeature's multi-provider does, write to it.
func flagMetadata(reason ldreason.EvaluationReason, contextID string) openfeature.FlagMetadata {
	metadata := openfeature.FlagMetadata{}
	say := func(key, value string) {
		if value != "" {
			metadata[key] = value
		}
	}
	metadata[MetadataReasonKind] = reasonKind(reason)
	say(MetadataRuleID, reason.GetRuleID())
	say(MetadataPrerequisiteKey, reason.GetPrerequisiteKey())
	say(MetadataBigSegmentsStatus, string(reason.GetBigSegmentsStatus()))
	say(MetadataErrorKind, string(reason.GetErrorKind()))
	say(MetadataContextID, contextID)
	if index := reason.GetRuleIndex(); index >= 0 {
		metadata[MetadataRuleIndex] = index
	}
	if reason.IsInExperiment() {
		metadata[MetadataInExperiment] = true
	}
	return metadata
}
