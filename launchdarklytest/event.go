package launchdarklytest

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
)

// The kinds of events that LaunchDarkly's SDKs send, as they stand in [Event.Kind].
const (
	KindCustom      = "custom"       // tracked by the application
	KindIdentify    = "identify"     // the application made a context known
	KindIndex       = "index"        // the SDK made a context known
	KindFeature     = "feature"      // one evaluation of a flag that is tracked
	KindDebug       = "debug"        // one evaluation of a flag that is debugged
	KindSummary     = "summary"      // counts of all evaluations
	KindMigrationOp = "migration_op" // one operation of a migration
)

// Event is an event as it arrived. A field that the event does not have, or that is not what
// LaunchDarkly's SDKs send, has its zero value: everything is in Raw.
type Event struct {
	// Kind is one of the Kind constants, or something that this package does not know.
	Kind string
	// Key is the event key of a custom event, and the flag key of a feature or debug event.
	Key string
	// CreationDate is when the event happened; zero for a summary.
	CreationDate time.Time
	// Context is the context's JSON, in which private attributes are redacted.
	Context ldvalue.Value

	// Data is a custom event's data. HasData tells data that is null from none.
	Data    ldvalue.Value
	HasData bool
	// MetricValue is a custom event's metric; nil when it has none.
	MetricValue *float64

	// Value is what a feature or debug event's evaluation returned, Default what the caller passed.
	Value, Default ldvalue.Value
	// Variation and Version are the flag's; undefined when it was not found.
	Variation, Version ldvalue.OptionalInt
	// Reason is only there when the application asked for details or the flag is in an experiment.
	Reason ldreason.EvaluationReason

	// Features are a summary's counters by flag key, StartDate and EndDate the time that it covers.
	Features           ldvalue.Value
	StartDate, EndDate time.Time

	// Raw is the whole event. It must not be changed: it is the server's own memory.
	Raw json.RawMessage
}

// String is the event's JSON, as it arrived.
func (e Event) String() string { return string(e.Raw) }

// GomegaString is what Gomega prints for an event: String, rather than every field.
func (e Event) GomegaString() string { return e.String() }

// ContextKeys returns the context's keys by kind: one for a single context, several for a
// multi-context. It is empty when the event has no context.
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
		// A reason that the SDK's own type cannot hold stays zero.
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

// eventKind reads the kind alone. LaunchDarkly's SDKs write it first, which spares the parsing.
func eventKind(raw json.RawMessage) string {
	if rest, ok := bytes.CutPrefix(raw, []byte(`{"kind":"`)); ok {
		if kind, _, ok := bytes.Cut(rest, []byte(`"`)); ok && bytes.IndexByte(kind, '\\') < 0 {
			return internKind(kind)
		}
	}
	return ldvalue.Parse(raw).GetByKey("kind").StringValue()
}

// internKind spares an allocation for each of a million custom events.
func internKind(kind []byte) string {
	if string(kind) == KindCustom {
		return KindCustom
	}
	return string(kind)
}
