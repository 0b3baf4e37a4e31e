package delivery

import (
	"reflect"
	"unsafe"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"
)

// What things take in memory, about. JSON takes less.
const (
	eventSize   = int(unsafe.Sizeof(ldevents.CustomEventData{}))
	contextSize = int(unsafe.Sizeof(ldcontext.Context{}))
	valueSize   = int(unsafe.Sizeof(ldvalue.Value{})) + 16 // with the header of its name
)

// sizer estimates how much memory events take.
type sizer struct{ seesContexts bool }

// newSizer finds out whether it can see the context of an event. The SDK's EventInputContext hides it, as its first
// field; reading it there is safe exactly when that is what the type looks like.
func newSizer() sizer {
	hidden := reflect.TypeFor[ldevents.EventInputContext]().Field(0)
	return sizer{seesContexts: hidden.Offset == 0 && hidden.Type == reflect.TypeFor[ldcontext.Context]()}
}

// event estimates the bytes of one event.
func (s sizer) event(e *ldevents.CustomEventData) int {
	size := eventSize + len(e.Key) + s.value(e.Data, 0)
	if !s.seesContexts {
		return size + contextSize
	}
	context := (*ldcontext.Context)(unsafe.Pointer(&e.Context)) // see newSizer
	if !context.Multiple() {
		return size + s.context(context)
	}
	for i := range context.IndividualContextCount() {
		individual := context.IndividualContextByIndex(i)
		size += contextSize + s.context(&individual)
	}
	return size
}

func (s sizer) context(c *ldcontext.Context) int {
	size := 2*len(c.Key()) + len(c.Kind()) // the key is also part of the fully qualified key
	var buffer [32]string
	for _, name := range c.GetOptionalAttributeNames(buffer[:0]) {
		size += len(name) + s.value(c.GetValue(name), 0)
	}
	return size
}

// maxSizedDepth ends the walk through nested values, which the converter in front of it bounds to less.
const maxSizedDepth = 200

func (s sizer) value(v ldvalue.Value, depth int) int {
	switch v.Type() {
	case ldvalue.StringType:
		return valueSize + len(v.StringValue())
	case ldvalue.RawType:
		return valueSize + len(v.AsRaw())
	case ldvalue.ArrayType:
		size := valueSize
		for i := 0; i < v.Count() && depth < maxSizedDepth; i++ {
			size += s.value(v.GetByIndex(i), depth+1)
		}
		return size
	case ldvalue.ObjectType:
		size := valueSize
		var buffer [16]string
		names := v.Keys(buffer[:0])
		for i := 0; i < len(names) && depth < maxSizedDepth; i++ {
			size += len(names[i]) + s.value(v.GetByKey(names[i]), depth+1)
		}
		return size
	default:
		return valueSize
	}
}
