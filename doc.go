// Package launchdarkly implements an OpenFeature provider backed by LaunchDarkly's Go SDK. Services
// evaluate flags and track events through the vendor-neutral OpenFeature SDK.
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
// An evaluation context is converted to a LaunchDarkly context
// (https://launchdarkly.com/docs/home/flags/contexts), for evaluations and tracking alike:
//
//	evaluation context                      LaunchDarkly context
//	no "kind"                               kind "user"
//	"kind": "org", or another string        that kind
//	"kind" that is not a string             kind "user", and a warning
//	"kind": "multi"                         a multi-context: each attribute that is an object is a context of the kind
//	                                        that the attribute is named by. A targeting key beside them is ignored.
//	                                        Anything else beside them is ignored with a warning, as is another "kind"
//	                                        in one of them
//	targeting key, or "key"                 the key. The targeting key wins, with a warning if both are set.
//	                                        One that is empty or not a string counts as missing
//	"name", a string                        the name
//	"anonymous", a bool                     whether the context is anonymous
//	"name" or "anonymous" of another type   left out, with a warning
//	"privateAttributes"                     attributes that LaunchDarkly must not receive: a []string, or a []any of
//	                                        strings, with names or references such as "/address/street"
//	"_meta": {"privateAttributes": […]}     the same, as in LaunchDarkly's own JSON
//	anything else                           an attribute, converted as described under Values
//
// LaunchDarkly's own JSON of a context, decoded into a map[string]any, is a valid set of
// attributes. [Provider.LDContext] returns the LaunchDarkly context of an evaluation context.
//
// A context without a key is a TARGETING_KEY_MISSING error. A kind that is reserved or has
// characters other than letters, digits, ".", "_" and "-" is an INVALID_CONTEXT error, as is a
// multi-context without any context. Evaluations then return the caller's default, and Track sends
// nothing. Warnings are logged and, from Track, passed to the handler of [WithErrorHandler].
//
// The bounds of an evaluation context, all contexts of a multi-context together:
//
//	1,000 attributes            the others are left out: the ones whose names sort last
//	100 contexts                the others are left out: the ones whose kinds sort last
//	64 KiB of keys and kinds    more is an INVALID_CONTEXT error
//	65,536 values, 8 MiB of     attributes that don't fit are left out, in the order of their names. Only arrays, objects,
//	text                        and strings of more than 1 KiB count; an object counts as eight values, the name of each of
//	                            its members as one, and each value in raw JSON as two
//
// What is left out is a warning. The same evaluation context always becomes the same LaunchDarkly
// context. A mebibyte of attributes, whatever they are, takes no longer than some milliseconds.
//
// # Private attributes
//
// Evaluations use private attributes, events do not contain them. A name that begins with a slash
// is written as a reference: "/~1email" is the attribute "/email", and "/email" the attribute
// "email". "~0" is a tilde.
//
// Privacy fails closed, always with a warning:
//
//	private attributes                      what is private
//	a list that can't be read, of more      every optional attribute of the context
//	than 1,000, or with an invalid
//	reference; anything else in "_meta"
//	a reference that leads into something   the whole attribute: LaunchDarkly can only leave out members of objects
//	other than an object, such as an
//	array: "/cards/0/number"
//	beside the contexts of a multi-context  attributes of that name in each of the contexts
//	… "/user/email", with a kind            also the whole attribute "email" in the context of the kind "user"
//	… "user", a kind                        also every optional attribute of the context of the kind "user"
//	"key", "kind", "anonymous"              nothing: LaunchDarkly always receives these
//
// LaunchDarkly's SDK compares every attribute with every private attribute, for each event. If that
// takes more than 262,144 comparisons, as for some 500 attributes that are all private, the context
// has no optional attributes at all, neither in events nor for evaluations.
//
// # Values
//
// Attributes of contexts and of tracking details, and defaults of object flags in LaunchDarkly's
// events, are converted as by encoding/json, with these additions:
//
//	Go                                      LaunchDarkly
//	bool, string, numbers, types derived    the JSON value; nil and nil pointers are null
//	from them, pointers to them
//	an integer that float64 can't hold      the nearest number, and a warning: LaunchDarkly's numbers are float64.
//	exactly, such as 2^53+1                 IDs of that size belong in strings
//	time.Time, and types with a method      an RFC 3339 string in UTC, for the operators "before" and "after"
//	AsTime() time.Time (protobuf)
//	error                                   its text
//	driver.Valuer, such as sql.NullString   its value, unless that is a []byte
//	slices, arrays, maps, structs,          an array or an object
//	json.Marshaler, json.RawMessage,        (encoding.TextMarshaler: a string)
//	ldvalue.Value, EvaluationContext
//	NaN, ±Inf, channels, functions,         left out, null inside an array; a warning that names the attribute
//	invalid raw JSON, cycles, what is
//	nested beyond 100 levels, times outside
//	of the years 0 to 9999
//	invalid UTF-8                           replaced by U+FFFD
//
// A json.Marshaler or encoding.TextMarshaler comes before error, driver.Valuer and AsTime. Tracking
// details have the bounds of an evaluation context.
//
// Nothing that is passed in can panic, or make a payload that is not valid JSON. What the caller
// changes after a call has returned is not seen.
//
// # Results
//
// The variant is the index of the variation. The reason is LaunchDarkly's, except that OFF is
// DISABLED and TARGET_MATCH is TARGETING_MATCH; [WithStandardReasons] only uses OpenFeature's.
// Errors are converted as follows:
//
//	LaunchDarkly                            OpenFeature
//	CLIENT_NOT_READY                        PROVIDER_NOT_READY
//	FLAG_NOT_FOUND                          FLAG_NOT_FOUND
//	MALFORMED_FLAG                          PARSE_ERROR
//	WRONG_TYPE                              TYPE_MISMATCH
//	USER_NOT_SPECIFIED                      TARGETING_KEY_MISSING or INVALID_CONTEXT, see Evaluation contexts
//	anything else                           GENERAL
//
// An integer evaluation truncates a number towards zero, as LaunchDarkly's SDK does: 0.5 is 0,
// without an error. Use a float evaluation for flags whose numbers can have a fraction.
//
// Flag metadata has what OpenFeature has no field for, see [MetadataVariationIndex] and the
// constants after it.
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
// An event without a name or with one of more than 64 KiB, with an unusable context, or after a
// shutdown is not sent: the handler of [WithErrorHandler] is called, a line is logged, and
// [Provider.Stats] counts it.
//
// Tracked events are delivered without loss, as far as memory allows: see the package delivery.
// [Provider.Flush] waits for it.
//
// # Provider events
//
//	LaunchDarkly's data source              provider event
//	VALID                                   PROVIDER_READY
//	INTERRUPTED                             PROVIDER_STALE: evaluations use the last known flags. None without flags
//	OFF                                     PROVIDER_ERROR; fatal where there are no flags at all
//	flags change                            PROVIDER_CONFIGURATION_CHANGED: one event for all that change together
//
// # Configuration
//
// [WithConfig] takes all of LaunchDarkly's own configuration: the Relay Proxy, persistent stores,
// polling, offline mode, private attributes. The provider adds its name to the request headers, and
// lossless delivery unless events are turned off or go through another event processor.
package launchdarkly
