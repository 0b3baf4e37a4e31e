// Package hooks reports flag evaluations. An [EvaluationHook] builds an event for each evaluation,
// and a [Sink] sends it.
//
//	sink := hooks.NewTrackerSink(provider)
//	openfeature.AddHooks(hooks.NewEvaluationHook(sink))
//
// The hook works with every OpenFeature provider. It can be registered on the API, on a client, on
// an invocation, or by a provider. Registering it twice reports each evaluation twice.
//
// # Event
//
// Events follow OpenTelemetry's [semantic conventions for feature flags], version 1.44, and
// OpenFeature's [Appendix D], which defines where the values come from. The name of the event is
// feature_flag.evaluation. Attributes without a value are left out.
//
//   - feature_flag.key: the flag key
//   - feature_flag.provider.name: the name in the provider's metadata
//   - feature_flag.result.variant: the variant
//   - feature_flag.result.value: the value that the caller got, if there is no variant; with
//     [WithValues], always. It is a bool, a number or a string, or JSON text for other types
//   - feature_flag.result.reason: one of the conventions' well-known values (static, default,
//     targeting_match, split, cached, disabled, unknown, stale, error), for LaunchDarkly's reasons
//     too: FALLTHROUGH and PREREQUISITE_FAILED are default, RULE_MATCH and TARGET_MATCH are
//     targeting_match, OFF is disabled, and every evaluation in an experiment is split. A
//     provider's own reason is converted to lower snake case
//   - feature_flag.context.id: flag metadata contextId, or the targeting key
//   - feature_flag.set.id: flag metadata flagSetId
//   - feature_flag.version: flag metadata version
//   - error.type: the error code in lower snake case if the evaluation failed, general if the error
//     has no code
//   - feature_flag.error.message ([ErrorMessageKey]): the error message if the evaluation failed
//   - error.message: the same; the conventions renamed it in version 1.40, Appendix D did not yet
//
// Two more come from the flag metadata of this module's LaunchDarkly provider:
//
//   - launchdarkly.reason.kind ([ReasonKindKey]): LaunchDarkly's reason kind in lower snake case,
//     such as rule_match
//   - feature_flag.result.reason.inExperiment ([InExperimentKey]): true if the evaluation is part
//     of an experiment
//
// # Errors
//
// Failed evaluations are events too, whether the provider, OpenFeature's SDK (provider not ready)
// or another hook failed. If an after hook fails, the caller gets the default value although the
// provider resolved another one. The event then has what the caller got: the default value, no
// variant, nothing about an experiment, and the error.
//
// The SDK passes the error of another hook to the error stage only, so the hook keeps it for the
// finally stage. It recognizes the evaluation by its [context.Context], flag, client domain,
// provider and context key. If the same evaluation runs several times at once and another hook
// fails only some of them, an error may be reported with the wrong one. If the finally stage never
// comes, because a hook panicked in it, the hook logs a warning once.
//
// The SDK runs no hooks if a flag key is not valid UTF-8. That is the only evaluation without an
// event.
//
// A panic of the provider or of another hook propagates to the caller. The SDK runs the finally
// stage first, without any indication of the panic: the event has the default value, no variant, no
// error, and the reason unknown.
//
// # Sinks
//
//   - [TrackerSink]: custom events of LaunchDarkly, or of any other provider that supports tracking
//   - [SlogSink]: structured log records
//   - [MultiSink]: several sinks
//   - the module hooks/otelhooks: OpenTelemetry's log records, span events and metrics
//
// [semantic conventions for feature flags]: https://opentelemetry.io/docs/specs/semconv/feature-flags/feature-flags-events/
// [Appendix D]: https://openfeature.dev/specification/appendix-d
package hooks
