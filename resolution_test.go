package launchdarkly

import (
	"errors"
	"maps"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/open-feature/go-sdk/openfeature"
)

func TestResolution(t *testing.T) {
	type metadata = openfeature.FlagMetadata
	value := func(reason ldreason.EvaluationReason) ldreason.EvaluationDetail {
		return ldreason.NewEvaluationDetail(ldvalue.Bool(true), 2, reason)
	}
	failure := func(kind ldreason.EvalErrorKind) ldreason.EvaluationDetail {
		return ldreason.NewEvaluationDetailForError(kind, ldvalue.Null())
	}
	sdkError := errors.New("what the SDK says")
	for name, test := range map[string]struct {
		detail   ldreason.EvaluationDetail
		err      error
		reason   openfeature.Reason
		standard openfeature.Reason
		code     openfeature.ErrorCode
		metadata metadata
	}{
		"off": {value(ldreason.NewEvalReasonOff()), nil, "DISABLED", "DISABLED", "", metadata{"reasonKind": "OFF"}},
		"fallthrough": {value(ldreason.NewEvalReasonFallthrough()), nil, "FALLTHROUGH", "DEFAULT", "",
			metadata{"reasonKind": "FALLTHROUGH"}},
		"fallthrough in an experiment": {value(ldreason.NewEvalReasonFallthroughExperiment(true)), nil, "FALLTHROUGH", "SPLIT", "",
			metadata{"reasonKind": "FALLTHROUGH", "inExperiment": true}},
		"target": {value(ldreason.NewEvalReasonTargetMatch()), nil, "TARGETING_MATCH", "TARGETING_MATCH", "",
			metadata{"reasonKind": "TARGET_MATCH"}},
		"first rule": {value(ldreason.NewEvalReasonRuleMatch(0, "id")), nil, "RULE_MATCH", "TARGETING_MATCH", "",
			metadata{"reasonKind": "RULE_MATCH", "ruleIndex": 0, "ruleId": "id"}},
		"rule without id": {value(ldreason.NewEvalReasonRuleMatch(3, "")), nil, "RULE_MATCH", "TARGETING_MATCH", "",
			metadata{"reasonKind": "RULE_MATCH", "ruleIndex": 3}},
		"rule in an experiment": {value(ldreason.NewEvalReasonRuleMatchExperiment(1, "id", true)), nil, "RULE_MATCH", "SPLIT", "",
			metadata{"reasonKind": "RULE_MATCH", "ruleIndex": 1, "ruleId": "id", "inExperiment": true}},
		"prerequisite": {value(ldreason.NewEvalReasonPrerequisiteFailed("other")), nil, "PREREQUISITE_FAILED", "DEFAULT", "",
			metadata{"reasonKind": "PREREQUISITE_FAILED", "prerequisiteKey": "other"}},
		"big segments": {value(ldreason.NewEvalReasonFromReasonWithBigSegmentsStatus(ldreason.NewEvalReasonFallthrough(), ldreason.BigSegmentsStale)),
			nil, "FALLTHROUGH", "DEFAULT", "", metadata{"reasonKind": "FALLTHROUGH", "bigSegmentsStatus": "STALE"}},

		"not ready": {failure(ldreason.EvalErrorClientNotReady), sdkError, "ERROR", "ERROR", openfeature.ProviderNotReadyCode,
			metadata{"reasonKind": "ERROR", "errorKind": "CLIENT_NOT_READY"}},
		"not found": {failure(ldreason.EvalErrorFlagNotFound), sdkError, "ERROR", "ERROR", openfeature.FlagNotFoundCode,
			metadata{"reasonKind": "ERROR", "errorKind": "FLAG_NOT_FOUND"}},
		"malformed": {failure(ldreason.EvalErrorMalformedFlag), nil, "ERROR", "ERROR", openfeature.ParseErrorCode,
			metadata{"reasonKind": "ERROR", "errorKind": "MALFORMED_FLAG"}},
		"wrong type": {failure(ldreason.EvalErrorWrongType), nil, "ERROR", "ERROR", openfeature.TypeMismatchCode,
			metadata{"reasonKind": "ERROR", "errorKind": "WRONG_TYPE"}},
		"context": {failure(ldreason.EvalErrorUserNotSpecified), sdkError, "ERROR", "ERROR", openfeature.InvalidContextCode,
			metadata{"reasonKind": "ERROR", "errorKind": "USER_NOT_SPECIFIED"}},
		"exception": {failure(ldreason.EvalErrorException), sdkError, "ERROR", "ERROR", openfeature.GeneralCode,
			metadata{"reasonKind": "ERROR", "errorKind": "EXCEPTION"}},
	} {
		t.Run(name, func(t *testing.T) {
			var r resolver
			got := resolved(&r, &test.detail, test.err, "")
			if got.Reason != test.reason {
				t.Errorf("reason %s, want %s", got.Reason, test.reason)
			}
			if standard := resolved(&resolver{standardReasons: true}, &test.detail, test.err, ""); standard.Reason != test.standard {
				t.Errorf("standard reason %s, want %s", standard.Reason, test.standard)
			}
			wantVariant := ""
			if test.code == "" {
				wantVariant, test.metadata["variationIndex"] = "2", 2
			}
			if !maps.Equal(got.FlagMetadata, test.metadata) {
				t.Errorf("metadata %v, want %v", got.FlagMetadata, test.metadata)
			}
			details := got.ResolutionDetail()
			if details.ErrorCode != test.code || (test.code != "") != (details.ErrorMessage != "") {
				t.Errorf("error %s: %q, want %s", details.ErrorCode, details.ErrorMessage, test.code)
			}
			if test.err != nil && details.ErrorMessage != test.err.Error() {
				t.Errorf("message %q, want LaunchDarkly's", details.ErrorMessage)
			}
			if got.Variant != wantVariant {
				t.Errorf("variant %q, want %q", got.Variant, wantVariant)
			}
		})
	}
}

// TestMetadataBelongsToTheCaller has a caller that writes to it, as OpenFeature's multi-provider
// does.
func TestMetadataBelongsToTheCaller(t *testing.T) {
	detail := ldreason.NewEvaluationDetail(ldvalue.Bool(true), 0, ldreason.NewEvalReasonFallthrough())
	var r resolver
	resolved(&r, &detail, nil, "").FlagMetadata["provider"] = "written by a wrapper"
	want := openfeature.FlagMetadata{"reasonKind": "FALLTHROUGH", "variationIndex": 0, "contextId": "org:o"}
	if got := resolved(&r, &detail, nil, "org:o").FlagMetadata; !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func resolved(r *resolver, detail *ldreason.EvaluationDetail, err error, contextID string) (out openfeature.ProviderResolutionDetail) {
	r.resolve(&out, detail, err, contextID)
	return out
}
