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
//		client.Track(ctx, "checkout", user,
//			openfeature.NewTrackingEventDetails(99.90).Add("currency", "EUR"))
//	}
//
// # Evaluation contexts
//
// Evaluations and Track convert an evaluation context to a LaunchDarkly context
// (https://launchdarkly.com/docs/home/flags/contexts):
//
//	evaluation context                     LaunchDarkly context
//	no "kind"                              kind "user"
//	"kind": a string, such as "org"        that kind
//	"kind": another type                   kind "user", and a warning
//	"kind": "multi"                        a multi-context: see below
//	targeting key, or "key"                the key. If both are set, the targeting key is used, with
//	                                       a warning. An empty one, or one that is not a string,
//	                                       counts as missing
//	"name", a string                       the name
//	"anonymous", a bool                    whether the context is anonymous
//	"name", "anonymous" of another type    omitted, with a warning
//	"privateAttributes"                    attributes that events omit: a []string, or a []any of
//	                                       strings, with names or references ("/address/street")
//	"_meta": {"privateAttributes": […]}    the same, as in LaunchDarkly's JSON
//	any other attribute                    an attribute, converted as described under Values
//
// In a multi-context, each attribute that is an object is a context, and its name is the kind. A
// targeting key at the top level is ignored. Any other attribute at the top level is ignored with a
// warning, and so is an attribute "kind" within a context.
//
// LaunchDarkly's JSON representation of a context, decoded into a map[string]any, is a valid set of
// attributes. [Provider.LDContext] returns the LaunchDarkly context of an evaluation context.
//
// A context without a key is a TARGETING_KEY_MISSING error. A kind that is reserved, or contains
// characters other than letters, digits, ".", "_" and "-", is an INVALID_CONTEXT error, and so is a
// multi-context without contexts. Evaluations then return the caller's default, and Track sends
// nothing. Warnings are logged; those of Track are also passed to the handler of
// [WithErrorHandler].
//
// An evaluation context has these limits, which apply to all contexts of a multi-context together:
//
//	1,000 attributes            excess attributes are omitted: those whose names sort last
//	100 contexts                excess contexts are omitted: those whose kinds sort last
//	64 KiB of keys and kinds    beyond that, the context is an INVALID_CONTEXT error
//	65,536 values,              attributes that do not fit are omitted, in the order of their names
//	8 MiB of text
//
// Only arrays, objects, and strings longer than 1 KiB count towards the limits of values and text.
// An object counts as eight values, each name of its members as one, and each value in raw JSON as
// two. Each omission is a warning. The same evaluation context always becomes the same LaunchDarkly
// context.
//
// # Private attributes
//
// Evaluations use private attributes; events omit them. A name that begins with a slash is written
// as a reference: "/~1email" is the attribute "/email", whereas "/email" is the attribute "email".
// "~0" stands for a tilde.
//
// Privacy fails closed: if a list cannot be applied exactly, more attributes become private, with a
// warning.
//
//	private attributes                     what becomes private
//	a list that cannot be read, has more   every optional attribute of the context
//	than 1,000 entries or an invalid
//	reference; any other key in "_meta"
//	a reference into an array or another   the whole attribute, because LaunchDarkly omits members of
//	value that is not an object, such as   objects only
//	"/cards/0/number"
//
// A list at the top level of a multi-context applies to each of its contexts. There, "/user/email"
// also makes "email" private in the context of kind "user", and "user" makes every optional
// attribute of that context private, both with a warning.
//
// The key, the kind and "anonymous" cannot be private: LaunchDarkly always receives them. Listing
// them is a warning.
//
// LaunchDarkly's SDK compares every attribute with every private attribute, for each event. If a
// context requires more than 262,144 comparisons, as one with some 500 attributes that are all
// private does, all its optional attributes are omitted, for events and for evaluations, with a
// warning.
//
// # Values
//
// Attributes of contexts and of tracking details, and defaults of object flags in LaunchDarkly's
// events, are converted as by encoding/json, with these additions:
//
//	Go                                     LaunchDarkly
//	bool, string, numbers, types derived   the JSON value; nil and nil pointers are null
//	from them, pointers to them
//	an integer that float64 cannot hold    the nearest number, and a warning. Use strings for IDs of
//	exactly, such as 2^53+1                that size
//	time.Time, and types with a method     an RFC 3339 string in UTC, for the operators "before" and
//	AsTime() time.Time (protobuf)          "after"
//	error                                  its text
//	driver.Valuer (sql.NullString)         its value, unless that is a []byte
//	slices, arrays, maps, structs,         an array or an object
//	json.Marshaler, json.RawMessage,       (encoding.TextMarshaler: a string)
//	ldvalue.Value, EvaluationContext
//	NaN, ±Inf, channels, functions,        omitted, or null inside an array, with a warning that names
//	invalid raw JSON, cycles, nesting      the attribute
//	beyond 100 levels, times outside of
//	the years 0 to 9999
//	invalid UTF-8                          replaced by U+FFFD
//
// json.Marshaler and encoding.TextMarshaler take precedence over error, driver.Valuer and AsTime.
// Tracking details have the limits of an evaluation context.
//
// No argument causes a panic, or a payload that is not valid JSON. Arguments may be modified once
// the call has returned.
//
// # Results
//
// The variant is the variation index. The reason is LaunchDarkly's, except that OFF is reported as
// DISABLED, and TARGET_MATCH as TARGETING_MATCH; with [WithStandardReasons], all reasons are
// OpenFeature's. Errors are converted as follows:
//
//	LaunchDarkly                           OpenFeature
//	CLIENT_NOT_READY                       PROVIDER_NOT_READY
//	FLAG_NOT_FOUND                         FLAG_NOT_FOUND
//	MALFORMED_FLAG                         PARSE_ERROR
//	WRONG_TYPE                             TYPE_MISMATCH
//	USER_NOT_SPECIFIED                     TARGETING_KEY_MISSING or INVALID_CONTEXT, as above
//	any other                              GENERAL
//
// An integer evaluation truncates a number towards zero, as LaunchDarkly's SDK does: 0.5 is 0,
// without an error. Use a float evaluation for flags whose numbers can have a fraction.
//
// Flag metadata holds what OpenFeature has no field for: see [MetadataVariationIndex] and the
// constants after it.
//
// # Tracking
//
// [Provider.Track] sends a custom event (https://launchdarkly.com/docs/sdk/features/events):
//
//	tracking details                       event
//	openfeature.TrackingEventDetails{}     no metric value and no data
//	NewTrackingEventDetails(v)             metric value v, including 0
//	….Add(key, x)                          data: an object with all attributes
//	NewTrackingEventDetails(math.NaN())    no metric value
//	NewTrackingEventDetails(math.Inf(1))   no metric value, and an error
//	….Add(TrackingDataKey, x)              data: x itself, such as 42, false, "my value", an array
//
// An event is not sent if its name is empty or longer than 64 KiB, if its context is invalid, or
// after a shutdown. The error is passed to the handler of [WithErrorHandler], logged, and counted
// in [Provider.Stats].
//
// Tracked events are queued, retried until they are delivered, and counted, as far as memory
// allows: see the package delivery. [Provider.Flush] waits for their delivery.
//
// # Provider events
//
//	LaunchDarkly's data source             provider event
//	VALID                                  PROVIDER_READY
//	INTERRUPTED                            PROVIDER_STALE: evaluations use the last known flags.
//	                                       Before there are flags, no event
//	OFF                                    PROVIDER_ERROR, fatal if there are no flags
//	flag changes                           PROVIDER_CONFIGURATION_CHANGED, one event for all flags
//	                                       that change together
//
// # Configuration
//
// [WithConfig] takes all of LaunchDarkly's own configuration: the Relay Proxy, persistent stores,
// polling, offline mode, private attributes. The provider adds its name to the request headers, and
// lossless delivery unless events are turned off or use another event processor.
package launchdarkly
