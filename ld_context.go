package launchdarkly

import (
	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/open-feature/go-sdk/openfeature"
)

// LDContext returns the LaunchDarkly context with which the provider evaluates flags and tracks
// events for an evaluation context. Use it for features of [Provider.Client] that OpenFeature does
// not cover, such as Identify and AllFlagsState:
//
//	who, _, err := provider.LDContext(evaluationContext)
//	if err != nil {
//		return err
//	}
//	state := provider.Client().AllFlagsState(who, flagstate.OptionClientSideOnly())
//
// The package documentation describes the conversion. The warnings are about attributes that were
// omitted, changed, or made private. They are not logged. Each is an [*AttributeError], or matches
// [ErrTooLarge] or [ErrTooManyProblems]. If there is no valid context, err matches
// [ErrTargetingKeyMissing] or [ErrInvalidContext].
//
// Only the argument is converted: the evaluation contexts of OpenFeature's API, clients and
// transactions are not merged into it. LDContext is safe for concurrent use, also after a shutdown.
//
// For the opposite direction, decode the JSON representation of a LaunchDarkly context
// (https://launchdarkly.com/docs/sdk/features/context-config) into a map[string]any, and pass it to
// [openfeature.NewTargetlessEvaluationContext]. LDContext converts the result to the same
// LaunchDarkly context, unless [WithContextKindAttribute] is used.
func (p *Provider) LDContext(evaluationContext openfeature.EvaluationContext) (
	context ldcontext.Context, warnings []error, err error,
) {
	warnings, err = p.contexts.toLaunchDarkly(&context, evaluationContext.TargetingKey(), false,
		evaluationContext.Attributes())
	if err != nil {
		return ldcontext.Context{}, warnings, err
	}
	return context, warnings, nil
}
