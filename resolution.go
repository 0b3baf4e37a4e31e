package launchdarkly

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync/atomic"

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

// resolver turns LaunchDarkly's evaluation details into OpenFeature's resolution details. Besides the choice of reasons
// it only remembers flag metadata that it has made before; it is safe for concurrent use.
type resolver struct {
	standardReasons bool
	metadata        metadataCache
}

// resolution gives the details of a value that LaunchDarkly resolved, or why it could not. err is what the SDK returned
// next to the detail.
func (r *resolver) resolution(
	detail *ldreason.EvaluationDetail, err error, contextID string,
) openfeature.ProviderResolutionDetail {
	resolution := openfeature.ProviderResolutionDetail{
		Reason:       r.reason(detail.Reason),
		FlagMetadata: r.metadata.of(detail.Reason, contextID),
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
func (r *resolver) contextFailure(err error) openfeature.ProviderResolutionDetail {
	resolution := openfeature.NewInvalidContextResolutionError(err.Error())
	if errors.Is(err, ErrTargetingKeyMissing) {
		resolution = openfeature.NewTargetingKeyMissingResolutionError(err.Error())
	}
	return r.failure(ldreason.EvalErrorUserNotSpecified, resolution)
}

// failure gives the details for an evaluation that LaunchDarkly was not, or could not be, asked for.
func (r *resolver) failure(
	kind ldreason.EvalErrorKind, err openfeature.ResolutionError,
) openfeature.ProviderResolutionDetail {
	return openfeature.ProviderResolutionDetail{
		ResolutionError: err,
		Reason:          openfeature.ErrorReason,
		FlagMetadata:    r.metadata.of(ldreason.NewEvalReasonError(kind), ""),
	}
}

// reason maps LaunchDarkly's reason. By default it keeps LaunchDarkly's own word where OpenFeature has no equal, as
// LaunchDarkly's providers for Java, Python and Ruby do.
func (r *resolver) reason(reason ldreason.EvaluationReason) openfeature.Reason {
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

// maxCachedMetadata bounds the cache; an environment has a reason for each of its rules at most.
const maxCachedMetadata = 4096

// metadataCache holds one flag metadata map a reason, because the same few reasons come back all the time. Readers take
// no lock. The maps are never changed: ProviderResolutionDetail.ResolutionDetail hands out clones. Its zero value is
// ready, and it is safe for concurrent use.
type metadataCache struct {
	fallthroughs atomic.Pointer[openfeature.FlagMetadata]
	byReason     atomic.Pointer[map[ldreason.EvaluationReason]openfeature.FlagMetadata]
}

// of gives the metadata of a reason and, unless it is empty, a context ID, which makes a map of its own.
func (c *metadataCache) of(reason ldreason.EvaluationReason, contextID string) openfeature.FlagMetadata {
	metadata := c.shared(reason)
	if contextID == "" {
		return metadata
	}
	own := make(openfeature.FlagMetadata, len(metadata)+1)
	maps.Copy(own, metadata)
	own[MetadataContextID] = contextID
	return own
}

// shared gives the map that all evaluations with the reason have in common.
func (c *metadataCache) shared(reason ldreason.EvaluationReason) openfeature.FlagMetadata {
	// By far the most frequent reason is worth a look of its own: hashing one costs more than all else here.
	if reason == ldreason.NewEvalReasonFallthrough() {
		if metadata := c.fallthroughs.Load(); metadata != nil {
			return *metadata
		}
		metadata := flagMetadata(reason)
		c.fallthroughs.Store(&metadata)
		return metadata
	}
	var known map[ldreason.EvaluationReason]openfeature.FlagMetadata
	if cached := c.byReason.Load(); cached != nil {
		known = *cached
	}
	metadata, ok := known[reason]
	if !ok {
		metadata = flagMetadata(reason)
		c.add(known, reason, metadata)
	}
	return metadata
}

// add replaces the map that readers see. When two goroutines do so at once, one entry may be lost until it is asked
// for again.
func (c *metadataCache) add(
	known map[ldreason.EvaluationReason]openfeature.FlagMetadata,
	reason ldreason.EvaluationReason, metadata openfeature.FlagMetadata,
) {
	grown := make(map[ldreason.EvaluationReason]openfeature.FlagMetadata, len(known)+1)
	if len(known) < maxCachedMetadata {
		maps.Copy(grown, known)
	}
	grown[reason] = metadata
	c.byReason.Store(&grown)
}

// flagMetadata lists what a reason has to say.
func flagMetadata(reason ldreason.EvaluationReason) openfeature.FlagMetadata {
	metadata := openfeature.FlagMetadata{}
	say := func(key, value string) {
		if value != "" {
			metadata[key] = value
		}
	}
	say(MetadataReasonKind, string(reason.GetKind()))
	say(MetadataRuleID, reason.GetRuleID())
	say(MetadataPrerequisiteKey, reason.GetPrerequisiteKey())
	say(MetadataBigSegmentsStatus, string(reason.GetBigSegmentsStatus()))
	say(MetadataErrorKind, string(reason.GetErrorKind()))
	if index := reason.GetRuleIndex(); index >= 0 {
		metadata[MetadataRuleIndex] = index
	}
	if reason.IsInExperiment() {
		metadata[MetadataInExperiment] = true
	}
	return metadata
}
