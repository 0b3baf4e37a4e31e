package launchdarkly

import (
	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/open-feature/go-sdk/openfeature"
)

// LDContext converts an evaluation context to the LaunchDarkly context that the provider evaluates
// flags and tracks events with, for features that OpenFeature does not cover, such as Identify and
// AllFlagsState of [Provider.Client]:
//
//	who, _, err := provider.LDContext(evaluationContext)
//	if err != nil {
//		return err
//	}
//	state := provider.Client().AllFlagsState(who, flagstate.OptionClientSideOnly())
//
// The package documentation has the rules. The warnings, which are not logged here, are about
// attributes that were left out, changed, or made private: each is an [*AttributeError], or matches
// [ErrTooLarge] or [ErrTooManyProblems]. err is not nil if there is no valid context; it matches
// [ErrTargetingKeyMissing] or [ErrInvalidContext].
//
// OpenFeature's SDK merges the evaluation contexts of its API, its clients and transactions into
// that of a call; here, only the argument counts. LDContext is safe for concurrent use, also after
// a shutdown.
//
// The other direction needs no function. The attributes of an evaluation context can have the form
// of LaunchDarkly's own JSON (https://launchdarkly.com/docs/sdk/features/context-config),
// multi-contexts and private attributes included: decoded into a map[string]any, it is the argument
// of [openfeature.NewTargetlessEvaluationContext]. Unless [WithContextKindAttribute] is used,
// LDContext returns the same context again.
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
