// Package launchdarkly is the OpenFeature provider for LaunchDarkly: with it, services evaluate flags and track events
// through the vendor-neutral OpenFeature SDK, and LaunchDarkly does the work.
//
//	provider, err := launchdarkly.NewProvider(os.Getenv("LAUNCHDARKLY_SDK_KEY"))
//	if err != nil {
//		return err
//	}
//	defer openfeature.Shutdown()
//	if err := openfeature.SetProviderAndWait(provider); err != nil {
//		slog.Error("no feature flags yet", slog.Any("error", err))
//	}
//
//	client := openfeature.NewDefaultClient()
//	user := openfeature.NewEvaluationContext("user-42", map[string]any{"plan": "gold"})
//	if enabled, _ := client.BooleanValue(ctx, "new-checkout", false, user); enabled {
//		client.Track(ctx, "checkout", user, openfeature.NewTrackingEventDetails(99.90).Add("currency", "EUR"))
//	}
//
// # Evaluation contexts
//
// An evaluation context becomes a LaunchDarkly context (https://launchdarkly.com/docs/home/flags/contexts), for
// evaluations and for tracking alike:
//
//	evaluation context                      LaunchDarkly context
//	no "kind"                               of kind "user"
//	"kind": "org", or another string        of that kind
//	"kind" that is not a string             of kind "user"; a warning
//	"kind": "multi"                         a multi-context: each attribute that is an object is a context of the kind
//	                                        that the attribute is named by. A targeting key beside them is ignored,
//	                                        anything else beside them, and another "kind" in them, too, with a warning
//	targeting key, or "key"                 the key. The targeting key wins; a warning if both are set.
//	                                        One that is empty or not a string counts as missing
//	"name", a string                        the name
//	"anonymous", a bool                     whether the context is anonymous
//	"name" or "anonymous" of another type   left out; a warning
//	"privateAttributes"                     attributes that LaunchDarkly must not see: a []string, or a []any of
//	                                        strings, of names or of references such as "/address/street"
//	"_meta": {"privateAttributes": […]}     the same, as in LaunchDarkly's own JSON
//	anything else                           an attribute, converted as described under Values
//
// Privacy fails closed: a list of private attributes that can't be read makes every optional attribute of its context
// private, with a warning. So does anything else in "_meta". Beside the contexts of a multi-context, both hold for each of
// them. Evaluations still see private attributes, events do not. As everywhere in LaunchDarkly, a reference can lead into
// objects, and not into arrays.
//
// A context without a key is a TARGETING_KEY_MISSING error, a kind that is reserved or has characters other than
// letters, digits, ".", "_" and "-" is an INVALID_CONTEXT error, as is a multi-context without any context. Evaluations
// return the caller's default then, and Track sends nothing. Warnings are logged and, from Track, reported to the
// handler of [WithErrorHandler].
//
// # Values
//
// Attributes of contexts and of tracking details, and defaults of object flags in LaunchDarkly's events, are converted
// as encoding/json would, with these rules:
//
//	Go                                      LaunchDarkly
//	bool, string, numbers, types derived    the JSON value; nil and nil pointers are null.
//	from them, pointers to them             LaunchDarkly's numbers are float64: integers beyond 2^53 are rounded
//	time.Time                               an RFC 3339 string in UTC, for the operators "before" and "after"
//	slices, arrays, maps, structs,          an array or an object
//	json.Marshaler, json.RawMessage,        (encoding.TextMarshaler: a string)
//	ldvalue.Value, EvaluationContext
//	NaN, ±Inf, channels, functions,         left out, null inside an array; a warning that names the attribute
//	invalid raw JSON, cycles, what is
//	nested beyond 100 levels, what exceeds
//	8 MiB or 65,536 values, times outside
//	of the years 0 to 9999
//	invalid UTF-8                           replaced by U+FFFD
//
// Nothing that is passed in can panic, or make a payload that LaunchDarkly can't read. What the caller changes after a
// call has returned is never seen.
//
// # Results
//
// The variant is the index of the variation. The reason is LaunchDarkly's, except that OFF is DISABLED and TARGET_MATCH
// is TARGETING_MATCH; [WithStandardReasons] keeps to OpenFeature's. Errors map as follows:
//
//	LaunchDarkly                            OpenFeature
//	CLIENT_NOT_READY                        PROVIDER_NOT_READY
//	FLAG_NOT_FOUND                          FLAG_NOT_FOUND
//	MALFORMED_FLAG                          PARSE_ERROR
//	WRONG_TYPE                              TYPE_MISMATCH
//	USER_NOT_SPECIFIED                      TARGETING_KEY_MISSING or INVALID_CONTEXT, see Evaluation contexts
//	anything else                           GENERAL
//
// What OpenFeature has no field for stands in the flag metadata, see [MetadataReasonKind] and the constants after it.
//
// # Tracking
//
// [Provider.Track] sends a custom event (https://launchdarkly.com/docs/sdk/features/events):
//
//	tracking details                        event
//	openfeature.TrackingEventDetails{}      the name alone
//	NewTrackingEventDetails(v)              metric value v, also when it is 0
//	….Add(key, x)                           data, an object of all attributes
//	NewTrackingEventDetails(math.NaN())     no metric value: data alone
//	NewTrackingEventDetails(math.Inf(1))    no metric value, and an error to the handler
//	….Add(launchdarkly.TrackingDataKey, x)  x as the whole data: 42, false, "my value", an array
//
// An event with an empty name or an unusable context, or after shutdown, is not sent: the handler of [WithErrorHandler]
// hears of it, the log has a line, and [Provider.Stats] counts it.
//
// Tracked events are delivered without loss, as far as memory allows: see the package delivery. [Provider.Flush] waits
// for it.
//
// # Provider events
//
//	LaunchDarkly's data source              provider event
//	VALID                                   PROVIDER_READY
//	INTERRUPTED                             PROVIDER_STALE: evaluations use the last known flags
//	OFF                                     PROVIDER_ERROR; fatal where there are no flags at all
//	flags change                            PROVIDER_CONFIGURATION_CHANGED: one event for all that change together
//
// # Configuration
//
// [WithConfig] takes all of LaunchDarkly's own configuration: the Relay Proxy, persistent stores, polling, offline mode,
// private attributes. The provider adds its name to the request headers, and lossless delivery unless events are turned
// off or go through another event processor.
package launchdarkly
