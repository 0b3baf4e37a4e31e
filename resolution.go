package launchdarkly

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/open-feature/go-sdk/openfeature"
)

// The keys of the flag metadata, which carries what OpenFeature's resolution details have no field
// for. A key is present only if LaunchDarkly has a value for it. LaunchDarkly's providers for other
// languages use the first six keys, too.
const (
	// MetadataVariationIndex is the index of the variation, an int. It is absent if the default was
	// returned.
	MetadataVariationIndex = "variationIndex"
	// MetadataReasonKind is LaunchDarkly's evaluation reason kind, a string such as "RULE_MATCH".
	MetadataReasonKind = "reasonKind"
	// MetadataRuleIndex is the index of the rule that matched, an int.
	MetadataRuleIndex = "ruleIndex"
	// MetadataRuleID is the identifier of the rule that matched, a string.
	MetadataRuleID = "ruleId"
	// MetadataPrerequisiteKey is the key of the prerequisite flag that failed, a string.
	MetadataPrerequisiteKey = "prerequisiteKey"
	// MetadataInExperiment is true if the evaluation is part of an experiment.
	MetadataInExperiment = "inExperiment"
	// MetadataBigSegmentsStatus is the status of a big segment query, a string such as "HEALTHY".
	MetadataBigSegmentsStatus = "bigSegmentsStatus"
	// MetadataErrorKind is LaunchDarkly's evaluation error kind, a string such as "WRONG_TYPE".
	MetadataErrorKind = "errorKind"
	// MetadataContextID is LaunchDarkly's fully qualified context key, a string such as
	// "org:acme:user:42". It is absent if it equals the targeting key.
	MetadataContextID = "contextId"
	// MetadataFlagSetID is LaunchDarkly's environment ID, a string. It is present if the provider
	// owns the client and the client has received flag data from LaunchDarkly.
	MetadataFlagSetID = "flagSetId"
)

// resolver converts LaunchDarkly's evaluation details to OpenFeature's resolution details.
type resolver struct {
	standardReasons bool
	environment     environmentID
}

// resolve fills in the details of an evaluation. err is what the SDK returned next to its detail.
func (r *resolver) resolve(
	out *openfeature.ProviderResolutionDetail, detail *ldreason.EvaluationDetail, err error, contextID string,
) {
	kind := detail.Reason.GetKind()
	out.Reason = r.reason(kind, &detail.Reason)
	out.FlagMetadata = r.flagMetadata(kind, detail, contextID)
	if index, ok := detail.VariationIndex.Get(); ok {
		out.Variant = strconv.Itoa(index)
	}
	if kind == ldreason.EvalReasonError {
		out.ResolutionError = evaluationError(detail.Reason.GetErrorKind(), err)
	}
}

// contextFailure returns the details for an evaluation context that could not be converted to a
// LaunchDarkly context.
func (r *resolver) contextFailure(err error) openfeature.ProviderResolutionDetail {
	resolution := openfeature.NewInvalidContextResolutionError(err.Error())
	if errors.Is(err, ErrTargetingKeyMissing) {
		resolution = openfeature.NewTargetingKeyMissingResolutionError(err.Error())
	}
	return r.failure(ldreason.EvalErrorUserNotSpecified, resolution)
}

// failure returns the details for an evaluation that was not passed to LaunchDarkly's SDK.
func (r *resolver) failure(
	kind ldreason.EvalErrorKind, err openfeature.ResolutionError,
) openfeature.ProviderResolutionDetail {
	detail := ldreason.NewEvaluationDetailForError(kind, ldvalue.Null())
	return openfeature.ProviderResolutionDetail{
		ResolutionError: err,
		Reason:          openfeature.ErrorReason,
		FlagMetadata:    r.flagMetadata(ldreason.EvalReasonError, &detail, ""),
	}
}

// reason converts LaunchDarkly's reason. By default it keeps LaunchDarkly's own term if OpenFeature
// has no equivalent, as LaunchDarkly's providers for other languages do.
func (r *resolver) reason(kind ldreason.EvalReasonKind, reason *ldreason.EvaluationReason) openfeature.Reason {
	switch kind {
	case ldreason.EvalReasonOff:
		return openfeature.DisabledReason
	case ldreason.EvalReasonTargetMatch:
		return openfeature.TargetingMatchReason
	case ldreason.EvalReasonError:
		return openfeature.ErrorReason
	default:
		if r.standardReasons {
			return standardReason(kind, reason)
		}
		return openfeature.Reason(kind)
	}
}

// standardReason converts the reasons for which OpenFeature has no equivalent to the nearest of its
// own.
func standardReason(kind ldreason.EvalReasonKind, reason *ldreason.EvaluationReason) openfeature.Reason {
	if reason.IsInExperiment() {
		return openfeature.SplitReason
	}
	switch kind {
	case ldreason.EvalReasonRuleMatch:
		return openfeature.TargetingMatchReason
	case ldreason.EvalReasonFallthrough, ldreason.EvalReasonPrerequisiteFailed:
		return openfeature.DefaultReason
	default:
		return openfeature.UnknownReason
	}
}

// evaluationError converts LaunchDarkly's error kind. The message is LaunchDarkly's if it has one.
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

// errorMessage returns a message for the error kinds for which LaunchDarkly has none.
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

// flagMetadata converts an evaluation detail and a context ID, unless that is empty, to flag
// metadata. The map belongs to the caller: wrappers of providers, such as OpenFeature's
// multi-provider, write to it.
func (r *resolver) flagMetadata(
	kind ldreason.EvalReasonKind, detail *ldreason.EvaluationDetail, contextID string,
) openfeature.FlagMetadata {
	metadata := openfeature.FlagMetadata{}
	if index, ok := detail.VariationIndex.Get(); ok {
		metadata[MetadataVariationIndex] = index
	}
	reason := &detail.Reason
	switch kind { // a constant in an interface costs no allocation
	case ldreason.EvalReasonFallthrough:
		metadata[MetadataReasonKind] = string(ldreason.EvalReasonFallthrough)
	case ldreason.EvalReasonOff:
		metadata[MetadataReasonKind] = string(ldreason.EvalReasonOff)
	case ldreason.EvalReasonTargetMatch:
		metadata[MetadataReasonKind] = string(ldreason.EvalReasonTargetMatch)
	case ldreason.EvalReasonRuleMatch:
		metadata[MetadataReasonKind] = string(ldreason.EvalReasonRuleMatch)
		metadata[MetadataRuleIndex] = reason.GetRuleIndex()
		set(metadata, MetadataRuleID, reason.GetRuleID())
	default:
		metadata[MetadataReasonKind] = string(kind)
		set(metadata, MetadataPrerequisiteKey, reason.GetPrerequisiteKey())
		set(metadata, MetadataErrorKind, string(reason.GetErrorKind()))
	}
	if reason.IsInExperiment() {
		metadata[MetadataInExperiment] = true
	}
	set(metadata, MetadataBigSegmentsStatus, string(reason.GetBigSegmentsStatus()))
	set(metadata, MetadataContextID, contextID)
	if id := r.environment.load(); id != nil {
		metadata[MetadataFlagSetID] = id
	}
	return metadata
}

// set sets a key if it has a value.
func set(metadata openfeature.FlagMetadata, key, value string) {
	if value != "" {
		metadata[key] = value
	}
}
