// Package hooks reports flag evaluations: one [EvaluationHook] builds an event
// for each evaluation, and a [Sink] sends it where it is wanted.
//
//	sink := hooks.NewTrackerSink(provider)
//	openfeature.AddHooks(hooks.NewEvaluationHook(sink))
//
// The hook works with every OpenFeature provider. It can stand on the API, on a
// client, on one call, or come with a provider. Where it stands twice, it
// reports twice.
//
// # Event
//
// The event is named feature_flag.evaluation. Its attributes are those of
// OpenTelemetry's [semantic conventions for feature flags], filled in as
// OpenFeature's [Appendix D] says. Those without a value are left out.
//
//   - feature_flag.key: the flag's key
//   - feature_flag.provider.name: the provider's metadata name
//   - feature_flag.result.variant: the variant
//   - feature_flag.result.value: the value that the caller got; a bool, a
//     number or a string as it is, anything else as JSON text
//   - feature_flag.result.reason: the reason in lower snake case, unknown when
//     the provider gave none
//   - feature_flag.context.id: flag metadata contextId, else the targeting key
//   - feature_flag.set.id: flag metadata flagSetId
//   - feature_flag.version: flag metadata version
//   - error.type: the error code in lower snake case, when there was an error;
//     general when the error has no code
//   - error.message: the error's message, when there was an error; version 1.40
//     of the conventions renamed it to feature_flag.error.message, but Appendix D
//     and the SDK's telemetry package have not followed
//
// The LaunchDarkly provider of this module adds two, from its flag metadata:
//
//   - launchdarkly.reason.kind ([ReasonKindKey]): LaunchDarkly's reason kind in
//     lower snake case, such as rule_match
//   - feature_flag.result.reason.inExperiment ([InExperimentKey]): true for an
//     evaluation that is part of an experiment, under the name that
//     LaunchDarkly's own OpenTelemetry hooks use
//
// # Errors
//
// Evaluations that fail are events too, whoever failed: the provider, the SDK
// (provider not ready) or another hook. When an after-hook fails, the caller
// gets the default value although the provider resolved another. The event then
// says what the caller got: the default value, no variant, nothing about an
// experiment, and the error.
//
// The SDK runs no hooks for a flag key that is not valid UTF-8, so that is the
// one evaluation without an event.
//
// A panic of the provider, or of another hook, goes on to the caller. The SDK
// runs the finally stage on the way and tells it nothing of the panic: the event
// then has the default value, no variant, no error and the reason unknown.
//
// # Sinks
//
//   - [TrackerSink]: a custom event of LaunchDarkly, or of any other provider
//     that can track
//   - [SlogSink]: a structured log record
//   - [MultiSink]: several sinks at once
//   - OpenTelemetry's log records, span events and metrics are in the module
//     hooks/otelhooks
//
// [semantic conventions for feature flags]: https://opentelemetry.io/docs/specs/semconv/feature-flags/feature-flags-events/
// [Appendix D]: https://openfeature.dev/specification/appendix-d
package hooks
