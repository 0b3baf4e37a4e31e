package launchdarklytest

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
)

// The kinds of events that LaunchDarkly's SDKs send, the values of [Event.Kind].
const (
	KindCustom      = "custom"       // tracked by the application
	KindIdentify    = "identify"     // a context passed to Identify
	KindIndex       = "index"        // a context seen by the SDK for the first time
	KindFeature     = "feature"      // one evaluation of a flag with event tracking
	KindDebug       = "debug"        // one evaluation of a flag with debugging
	KindSummary     = "summary"      // evaluation counts
	KindMigrationOp = "migration_op" // one operation of a migration
)

// Event is a received event. Fields that are absent from the event, or not of the type that
// LaunchDarkly's SDKs send, have their zero value. Raw holds the complete event.
type Event struct {
	// Kind is one of the Kind constants or another string.
	Kind string
	// Key is the event key of a custom event, and the flag key of a feature or debug event.
	Key string
	// CreationDate is the time of the event. It is zero for a summary.
	CreationDate time.Time
	// Context is the context's JSON, with private attributes redacted.
	Context ldvalue.Value

	// Data is the data of a custom event. HasData distinguishes null from no data.
	Data    ldvalue.Value
	HasData bool
	// MetricValue is the metric value of a custom event, or nil.
	MetricValue *float64

	// Value and Default are the result and the default value of the evaluation in a feature or
	// debug event.
	Value, Default ldvalue.Value
	// Variation is the flag's variation index and Version the flag's version. They are undefined if
	// the flag was not found.
	Variation, Version ldvalue.OptionalInt
	// Reason is present only for detail evaluations and flags in experiments.
	Reason ldreason.EvaluationReason

	// Features holds the counters of a summary by flag key. StartDate and EndDate are the time
	// range that the summary covers.
	Features           ldvalue.Value
	StartDate, EndDate time.Time

	// Raw is the event's JSON as received. It must not be modified.
	Raw json.RawMessage
}

// String returns the event's JSON as received.
func (e Event) String() string { return string(e.Raw) }

// GomegaString returns String. Gomega prints it in place of the fields.
func (e Event) GomegaString() string { return e.String() }

// ContextKeys returns the keys of the context by context kind: one for a single context, several
// for a multi-context. The map is empty if the event has no context.
func (e Event) ContextKeys() map[string]string {
	keys := make(map[string]string)
	switch kind := e.Context.GetByKey("kind").StringValue(); {
	case e.Context.Type() != ldvalue.ObjectType:
	case kind == "multi":
		for name, part := range e.Context.AsValueMap().AsMap() {
			if part.Type() == ldvalue.ObjectType {
				keys[name] = part.GetByKey("key").StringValue()
			}
		}
	default:
		if kind == "" {
			kind = "user"
		}
		keys[kind] = e.Context.GetByKey("key").StringValue()
	}
	return keys
}

func parseEvent(raw json.RawMessage) Event {
	v := ldvalue.Parse(raw)
	e := Event{
		Kind:         eventKind(raw),
		Key:          v.GetByKey("key").StringValue(),
		CreationDate: parseTime(v.GetByKey("creationDate")),
		Context:      v.GetByKey("context"),
		Value:        v.GetByKey("value"),
		Default:      v.GetByKey("default"),
		Variation:    parseInt(v.GetByKey("variation")),
		Version:      parseInt(v.GetByKey("version")),
		Features:     v.GetByKey("features"),
		StartDate:    parseTime(v.GetByKey("startDate")),
		EndDate:      parseTime(v.GetByKey("endDate")),
		Raw:          raw,
	}
	e.Data, e.HasData = v.TryGetByKey("data")
	if metric := v.GetByKey("metricValue"); metric.IsNumber() {
		number := metric.Float64Value()
		e.MetricValue = &number
	}
	if reason, ok := v.TryGetByKey("reason"); ok {
		// A reason that does not fit the SDK's type is left zero.
		if err := json.Unmarshal([]byte(reason.JSONString()), &e.Reason); err != nil {
			e.Reason = ldreason.EvaluationReason{}
		}
	}
	return e
}

func parseTime(v ldvalue.Value) time.Time {
	if !v.IsNumber() {
		return time.Time{}
	}
	return time.UnixMilli(int64(v.Float64Value()))
}

func parseInt(v ldvalue.Value) ldvalue.OptionalInt {
	if !v.IsInt() {
		return ldvalue.OptionalInt{}
	}
	return ldvalue.NewOptionalInt(v.IntValue())
}

// eventKind returns the kind of an event. LaunchDarkly's SDKs write it first, in which case the
// rest need not be parsed.
func eventKind(raw json.RawMessage) string {
	if rest, ok := bytes.CutPrefix(raw, []byte(`{"kind":"`)); ok {
		if kind, _, ok := bytes.Cut(rest, []byte(`"`)); ok && bytes.IndexByte(kind, '\\') < 0 {
			return internKind(kind)
		}
	}
	return ldvalue.Parse(raw).GetByKey("kind").StringValue()
}

// internKind avoids an allocation for each custom event.
func internKind(kind []byte) string {
	if string(kind) == KindCustom {
		return KindCustom
	}
	return string(kind)
}
