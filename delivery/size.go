package delivery

import (
	"encoding/json"
	"math"
	"reflect"
	"unsafe"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"
)

// eventSize is what an event takes without what it refers to.
const eventSize = int(unsafe.Sizeof(waitingEvent{}))

// contextSize is what each part of a multi-context takes.
const contextSize = int(unsafe.Sizeof(ldcontext.Context{}))

// valueSize is what a value counts for, besides its text. A Go map of a few values takes more for each of them, one of
// many less.
const valueSize = 64

// sizer estimates how large events are, and finds those that have no JSON form on the way.
type sizer struct{ seesContexts bool }

// newSizer finds out whether it can see the context of an event. The SDK's EventInputContext hides it, as its first
// field; reading it there is safe exactly when that is what the type looks like.
func newSizer() sizer {
	return sizer{seesContexts: startsWithContext(reflect.TypeFor[ldevents.EventInputContext]())}
}

func startsWithContext(t reflect.Type) bool {
	if t.Kind() != reflect.Struct || t.NumField() == 0 {
		return false
	}
	first := t.Field(0)
	return first.Offset == 0 && first.Type == reflect.TypeFor[ldcontext.Context]()
}

// event estimates the bytes of one event. valid is false where its metric or its data would make any payload invalid;
// its context is not looked at for that, because what is wrong with it may be redacted.
func (s sizer) event(e *ldevents.CustomEventData) (size int, valid bool) {
	var data measure
	data.add(e.Data, 0)
	size = eventSize + len(e.Key) + data.size
	valid = !data.invalid && !(e.HasMetric && !finite(e.MetricValue))
	if !s.seesContexts {
		return size + contextSize, valid
	}
	context := (*ldcontext.Context)(unsafe.Pointer(&e.Context)) //nolint:gosec // newSizer has looked at the type
	if !context.Multiple() {
		return size + sizeOf(context), valid
	}
	for i := range context.IndividualContextCount() {
		individual := context.IndividualContextByIndex(i)
		size += contextSize + sizeOf(&individual)
	}
	return size, valid
}

// sizeOf is what a single context takes beyond the struct itself.
func sizeOf(c *ldcontext.Context) int {
	m := measure{size: 2*len(c.Key()) + len(c.Kind())} // the key is also part of the fully qualified key
	var buffer [32]string
	names := c.GetOptionalAttributeNames(buffer[:0])
	for _, name := range names {
		m.size += len(name)
		m.add(c.GetValue(name), 0)
	}
	return m.size
}

// maxMeasuredDepth ends the walk through nested values. The provider's own converter allows less.
const maxMeasuredDepth = 200

// measure is what a walk through values finds.
type measure struct {
	size    int
	invalid bool // something in them has no JSON form
}

func (m *measure) add(v ldvalue.Value, depth int) {
	m.size += valueSize
	switch v.Type() {
	case ldvalue.NumberType:
		m.invalid = m.invalid || !finite(v.Float64Value())
	case ldvalue.StringType:
		m.size += len(v.StringValue())
	case ldvalue.RawType:
		raw := v.AsRaw()
		m.size += len(raw)
		// As a whole, the SDK takes invalid JSON for null.
		m.invalid = m.invalid || depth > 0 && !json.Valid(raw)
	case ldvalue.ArrayType:
		for i := 0; i < v.Count() && depth < maxMeasuredDepth; i++ {
			m.add(v.GetByIndex(i), depth+1)
		}
	case ldvalue.ObjectType:
		var buffer [16]string
		names := v.Keys(buffer[:0])
		for i := 0; i < len(names) && depth < maxMeasuredDepth; i++ {
			m.size += len(names[i])
			m.add(v.GetByKey(names[i]), depth+1)
		}
	}
}

// compacted is the same data as the text that it is sent as, which takes a fraction of the memory of Go's maps. Making
// the request from it costs a little more.
func compacted(data ldvalue.Value) ldvalue.Value {
	switch data.Type() {
	case ldvalue.ArrayType, ldvalue.ObjectType:
		return ldvalue.Raw(json.RawMessage(data.JSONString()))
	default:
		return data
	}
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }
