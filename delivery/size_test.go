package delivery

import (
	"encoding/json"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"
)

var nan = math.NaN()

// It is what makes the unsafe read of an event's context safe. Where a new version of the SDK turns it off, contexts
// count for nothing in the bound of bytes until the sizer is adapted.
func TestSizerSeesContexts(t *testing.T) {
	if !newSizer().seesContexts {
		t.Fatal("the SDK's EventInputContext no longer starts with the context")
	}
	for _, c := range []struct {
		name string
		of   reflect.Type
		want bool
	}{
		{"first", reflect.TypeFor[struct {
			context ldcontext.Context
			more    int
		}](), true},
		{"second", reflect.TypeFor[struct {
			more    int
			context ldcontext.Context
		}](), false},
		{"pointer", reflect.TypeFor[struct{ context *ldcontext.Context }](), false},
		{"empty", reflect.TypeFor[struct{}](), false},
		{"no struct", reflect.TypeFor[int](), false},
		{"interface", reflect.TypeFor[any](), false},
	} {
		if startsWithContext(c.of) != c.want {
			t.Errorf("%s: want %v", c.name, c.want)
		}
	}
}

func TestSize(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	bare := sizeOfEvent(ldevents.CustomEventData{})
	for _, c := range []struct {
		name  string
		event ldevents.CustomEventData
		least int // beyond that of an event without anything
	}{
		{"key", ldevents.CustomEventData{Key: long}, 10_000},
		{"string", ldevents.CustomEventData{Data: ldvalue.String(long)}, 10_000},
		{"raw", ldevents.CustomEventData{Data: ldvalue.Raw(json.RawMessage(`"` + long + `"`))}, 10_000},
		{"array", ldevents.CustomEventData{Data: ldvalue.ArrayOf(ldvalue.String(long), ldvalue.String(long))}, 20_000},
		{
			"object", ldevents.CustomEventData{
				Data: ldvalue.ObjectBuild().Set(long, ldvalue.ArrayOf(ldvalue.String(long))).Build(),
			}, 20_000,
		},
		{"context key", about(ldcontext.New(long)), 10_000},
		{"context attribute", about(ldcontext.NewBuilder("k").SetString("a", long).Name(long).Build()), 20_000},
		{
			"multi-context", about(ldcontext.NewMulti(
				ldcontext.NewBuilder("k").SetString("a", long).Build(),
				ldcontext.NewBuilder("o").Kind("org").SetString("a", long).Build(),
			)), 20_000,
		},
		{"invalid context", about(ldcontext.NewWithKind("kind", long)), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			size, valid := newSizer().event(&c.event)
			if more := size - bare; more < c.least || more > 2*c.least+3_000 || !valid {
				t.Errorf("%d bytes more, valid %v; want about %d", more, valid, c.least)
			}
			blind, _ := sizer{}.event(&c.event)
			if blind < eventSize+len(c.event.Key) {
				t.Errorf("%d bytes without a look at the context", blind)
			}
		})
	}
}

func about(c ldcontext.Context) ldevents.CustomEventData {
	return ldevents.CustomEventData{BaseEvent: ldevents.BaseEvent{Context: ldevents.Context(c)}}
}

// The estimate is about what the events say. Documentation promises what it means for memory.
func TestSizeAndMemory(t *testing.T) {
	const events = 20_000
	estimate := 0
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var f fifo
	for i := range events {
		e := about(ldcontext.NewBuilder(numbered(i).Key).SetString("plan", "gold").SetInt("age", i).Build())
		e.Key = "purchase"
		e.Data = ldvalue.ObjectBuild().SetString("currency", "EUR").SetInt("items", i).Build()
		size, _ := newSizer().event(&e)
		estimate += size
		f.push(waitingEvent{event: e, size: size})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	heap := int(after.HeapAlloc) - int(before.HeapAlloc)
	runtime.KeepAlive(&f)
	t.Logf("%d bytes an event, estimated as %d", heap/events, estimate/events)
	if heap > 4*estimate || heap < estimate {
		t.Errorf("%d events take %d bytes, and were estimated to take %d", events, heap, estimate)
	}
}

func TestValidity(t *testing.T) {
	number, raw := ldvalue.Float64, func(s string) ldvalue.Value { return ldvalue.Raw(json.RawMessage(s)) }
	deep := number(1)
	for range 2 * maxMeasuredDepth {
		deep = ldvalue.ArrayOf(deep)
	}
	for _, c := range []struct {
		name  string
		event ldevents.CustomEventData
		valid bool
	}{
		{"nothing", ldevents.CustomEventData{}, true},
		{"metric", ldevents.CustomEventData{HasMetric: true, MetricValue: 1}, true},
		{"metric NaN", ldevents.CustomEventData{HasMetric: true, MetricValue: nan}, false},
		{"metric Inf", ldevents.CustomEventData{HasMetric: true, MetricValue: math.Inf(-1)}, false},
		{"unused NaN", ldevents.CustomEventData{MetricValue: nan}, true},
		{"NaN", ldevents.CustomEventData{Data: number(nan)}, false},
		{"NaN within", ldevents.CustomEventData{Data: ldvalue.ArrayOf(ldvalue.ObjectBuild().Set("a", number(nan)).Build())}, false},
		{"raw", ldevents.CustomEventData{Data: ldvalue.ArrayOf(raw(`{"a": 1}`))}, true},
		{"invalid raw within", ldevents.CustomEventData{Data: ldvalue.ArrayOf(raw(`{"a": `))}, false},
		{"invalid raw, which the SDK leaves out", ldevents.CustomEventData{Data: raw(`{"a": `)}, true},
		{"deep", ldevents.CustomEventData{Data: deep}, true},
		{"NaN of a context, which may be private", about(ldcontext.NewBuilder("k").SetFloat64("a", nan).Build()), true},
	} {
		if _, valid := newSizer().event(&c.event); valid != c.valid {
			t.Errorf("%s: valid is %v", c.name, valid)
		}
	}
}
