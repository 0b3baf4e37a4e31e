package jsonvalue

import (
	"encoding"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/open-feature/go-sdk/openfeature"
)

// Flatten returns the attributes of an evaluation context, with the targeting key among them as in
// OpenFeature's flattened contexts. The map belongs to the caller.
func Flatten(e openfeature.EvaluationContext) map[string]any {
	attributes := e.Attributes()
	if key := e.TargetingKey(); key != "" {
		attributes[openfeature.TargetingKey] = key
	}
	return attributes
}

// converter is the state of one conversion. The methods that convert a value set *out, and return
// true. For a value that has no JSON form, they add a problem and return false, and *out does not
// count. Once tooLarge is set, the value as a whole is given up.
type converter struct {
	spent    Budget
	tooLarge bool
	structs  map[reflect.Type][]field
	text     string // raw JSON that is still to be parsed
	problems []Problem
}

// any converts one value, which the array or object around it has counted. Common types come first,
// without reflection; everything else is walked in reflect.go.
func (c *converter) any(out *ldvalue.Value, v any, at *place) bool {
	switch x := v.(type) {
	case nil:
		return null(out)
	case string:
		return c.string(out, x)
	case bool:
		*out = ldvalue.Bool(x)
		return true
	case int:
		return c.integer(out, int64(x))
	case int64:
		return c.integer(out, x)
	case float64:
		return c.number(out, x)
	case map[string]any:
		return c.members(out, x, at)
	case []any:
		return c.slice(out, reflect.ValueOf(v), at)
	case []string:
		return c.strings(out, x, at)
	case float32:
		return c.float32(out, x)
	case json.Number:
		return c.numeral(out, string(x))
	case time.Time:
		return c.time(out, x)
	case ldvalue.Value:
		return c.ldvalue(out, x, at.depth)
	case []byte:
		return c.base64(out, x)
	case json.RawMessage:
		if x == nil {
			return null(out)
		}
		return c.json(out, x, at.depth, ErrInvalidJSON)
	case openfeature.EvaluationContext:
		return c.members(out, Flatten(x), at)
	default:
		return c.walk(out, reflect.ValueOf(v), at)
	}
}

// null sets *out to null. It returns true.
func null(out *ldvalue.Value) bool {
	*out = ldvalue.Null()
	return true
}

// spend adds values and bytes to the payload. If they do not fit, it returns false, and the
// conversion is given up.
func (c *converter) spend(values, bytes int) bool {
	if values > MaxValues-c.spent.values || bytes > MaxBytes-c.spent.bytes {
		c.tooLarge = true
		return false
	}
	c.spent.values += values
	c.spent.bytes += bytes
	return true
}

// begin begins an array or object inside depth others, and adds its values to the payload. It
// returns false if that is not allowed.
func (c *converter) begin(values, depth int) bool {
	if depth >= MaxDepth {
		return c.fail(ErrTooDeep)
	}
	if c.spent.overrun {
		c.tooLarge = true
		return false
	}
	return c.spend(values, 0)
}

// fail adds a problem with the current value, which has no JSON form. Callers add their own steps
// to the path. It returns false.
func (c *converter) fail(err error) bool {
	c.warn(err)
	return false
}

// warn adds a problem with the current value.
func (c *converter) warn(err error) {
	switch len(c.problems) {
	case MaxProblems:
	case MaxProblems - 1:
		c.problems = append(c.problems, Problem{Err: ErrMore})
	default:
		c.problems = append(c.problems, Problem{Err: err})
	}
}

// locate puts a step in front of the path of every problem from index from on: they were found
// below that step.
func (c *converter) locate(from int, name string) {
	for i := from; i < len(c.problems); i++ {
		c.problems[i].Path = append([]string{step(name)}, c.problems[i].Path...)
	}
}

func (c *converter) string(out *ldvalue.Value, s string) bool {
	if !c.spend(0, len(s)) {
		return false
	}
	*out = ldvalue.String(String(s))
	return true
}

func (c *converter) number(out *ldvalue.Value, f float64) bool {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return c.fail(ErrNotFinite)
	}
	*out = ldvalue.Float64(f)
	return true
}

func (c *converter) integer(out *ldvalue.Value, i int64) bool {
	f := float64(i)
	if !isExact(i, f) {
		c.warn(ErrPrecision)
	}
	*out = ldvalue.Float64(f)
	return true
}

func (c *converter) unsigned(out *ldvalue.Value, u uint64) bool {
	f := float64(u)
	if !isExactUint(u, f) {
		c.warn(ErrPrecision)
	}
	*out = ldvalue.Float64(f)
	return true
}

// float32 converts to the number that encoding/json would write: 0.1, and not its float64 expansion
// 0.10000000149011612.
func (c *converter) float32(out *ldvalue.Value, f float32) bool {
	wide := float64(f)
	const exact = 1 << 24 // integers up to here are the same in both notations
	if math.IsNaN(wide) || math.Abs(wide) <= exact && wide == math.Trunc(wide) {
		return c.number(out, wide)
	}
	shortest, err := strconv.ParseFloat(strconv.FormatFloat(wide, 'g', -1, 32), 64)
	if err != nil {
		return c.number(out, wide)
	}
	return c.number(out, shortest)
}

// numeral converts a [json.Number]. As in encoding/json, an empty one is 0.
func (c *converter) numeral(out *ldvalue.Value, n string) bool {
	if n == "" {
		return c.number(out, 0)
	}
	// Other than strconv, JSON knows no hexadecimal, no underscores, and no words for infinity.
	if first := n[0]; first != '-' && (first < '0' || first > '9') || !json.Valid([]byte(n)) {
		return c.fail(ErrInvalidJSON)
	}
	return c.literal(out, n)
}

// literal converts a number in its JSON notation. An integer that float64 can't hold is
// approximated, with a problem; a fraction that float64 can't hold is what float64 is for.
func (c *converter) literal(out *ldvalue.Value, n string) bool {
	const exact = 15                             // an integer of so many digits is exact
	if len(n) > exact && !c.spend(len(n)/2, 0) { // parsing can take much longer
		return false
	}
	f, err := strconv.ParseFloat(n, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return c.fail(ErrInvalidJSON)
	}
	if len(n) > exact && !math.IsInf(f, 0) && !strings.ContainsAny(n, ".eE") && strconv.FormatFloat(f, 'f', 0, 64) != n {
		c.warn(ErrPrecision)
	}
	return c.number(out, f) // beyond float64's range, f is an infinity
}

// time converts as time.Time's own marshaler does, but in UTC. RFC 3339 has four digits for the
// year.
func (c *converter) time(out *ldvalue.Value, t time.Time) bool {
	const lastYear = 9999
	t = t.UTC()
	if year := t.Year(); year < 0 || year > lastYear {
		return c.fail(ErrMarshal)
	}
	return c.string(out, t.Format(time.RFC3339Nano))
}

func (c *converter) base64(out *ldvalue.Value, b []byte) bool {
	if b == nil {
		return null(out)
	}
	if !c.spend(0, base64.StdEncoding.EncodedLen(len(b))) {
		return false
	}
	*out = ldvalue.String(base64.StdEncoding.EncodeToString(b))
	return true
}

func (c *converter) strings(out *ldvalue.Value, s []string, at *place) bool {
	if s == nil {
		return null(out)
	}
	if !c.begin(len(s), at.depth) {
		return false
	}
	array := *ldvalue.ValueArrayBuildWithCapacity(len(s))
	for _, element := range s {
		if !c.spend(0, len(element)) {
			return false
		}
		array.Add(ldvalue.String(String(element)))
	}
	*out = array.Build().AsValue()
	return true
}

// add adds the element of the given index to an array. It is null if it could not be converted, so
// that the others keep their places. Problems from index before on were found in it.
func (c *converter) add(array *ldvalue.ValueArrayBuilder, index int, value *ldvalue.Value, ok bool, before int) {
	if len(c.problems) > before {
		c.locate(before, strconv.Itoa(index))
	}
	if !ok {
		null(value)
	}
	array.Add(*value)
}

// object returns a builder for an object of at most n members, which it adds to the payload.
func (c *converter) object(n, depth int) (object ldvalue.ValueMapBuilder, ok bool) {
	if !c.begin(objectValues+2*n, depth) {
		return object, false
	}
	return *ldvalue.ValueMapBuildWithCapacity(n), true
}

// set adds a member to an object, unless it could not be converted. Problems from index before on
// were found in it.
func (c *converter) set(object *ldvalue.ValueMapBuilder, name string, value *ldvalue.Value, ok bool, before int) {
	if len(c.problems) > before {
		c.locate(before, name)
	}
	if ok {
		object.Set(String(name), *value)
	}
}

// members converts the commonest map without reflection on its keys and values.
func (c *converter) members(out *ldvalue.Value, m map[string]any, at *place) bool {
	if m == nil {
		return null(out)
	}
	inside := at.inside(reflect.ValueOf(m))
	if inside.again() {
		return c.fail(ErrCycle)
	}
	object, ok := c.object(len(m), at.depth)
	if !ok {
		return false
	}
	var value ldvalue.Value
	for name, member := range m {
		if !c.spend(0, len(name)) {
			return false
		}
		before := len(c.problems)
		ok := c.any(&value, member, &inside)
		if c.tooLarge {
			return false
		}
		c.set(&object, name, &value, ok, before)
	}
	*out = object.Build().AsValue()
	return true
}

// ldvalue rebuilds a value that was made without our checks: it may hold NaN, invalid UTF-8 or raw
// text.
func (c *converter) ldvalue(out *ldvalue.Value, v ldvalue.Value, depth int) bool {
	switch v.Type() {
	case ldvalue.NullType, ldvalue.BoolType:
		*out = v
		return true
	case ldvalue.NumberType:
		return c.number(out, v.Float64Value())
	case ldvalue.StringType:
		return c.string(out, v.StringValue())
	case ldvalue.ArrayType:
		return c.ldarray(out, v.AsValueArray(), depth)
	case ldvalue.ObjectType:
		return c.ldobject(out, v.AsValueMap(), depth)
	case ldvalue.RawType:
		return c.json(out, v.AsRaw(), depth, ErrInvalidJSON)
	default:
		return c.fail(ErrType)
	}
}

func (c *converter) ldarray(out *ldvalue.Value, v ldvalue.ValueArray, depth int) bool {
	if !c.begin(v.Count(), depth) {
		return false
	}
	array := *ldvalue.ValueArrayBuildWithCapacity(v.Count())
	var value ldvalue.Value
	for i := range v.Count() {
		before := len(c.problems)
		ok := c.ldvalue(&value, v.Get(i), depth+1)
		if c.tooLarge {
			return false
		}
		c.add(&array, i, &value, ok, before)
	}
	*out = array.Build().AsValue()
	return true
}

func (c *converter) ldobject(out *ldvalue.Value, v ldvalue.ValueMap, depth int) bool {
	object, ok := c.object(v.Count(), depth)
	if !ok {
		return false
	}
	var value ldvalue.Value
	for _, name := range v.Keys(nil) {
		before := len(c.problems)
		ok := c.spend(0, len(name)) && c.ldvalue(&value, v.Get(name), depth+1)
		if c.tooLarge {
			return false
		}
		c.set(&object, name, &value, ok, before)
	}
	*out = object.Build().AsValue()
	return true
}

// marshaled converts the result of the application's own MarshalJSON.
func (c *converter) marshaled(out *ldvalue.Value, m json.Marshaler, at *place) bool {
	text, ok := call(m.MarshalJSON)
	if !ok {
		return c.fail(ErrMarshal)
	}
	return c.json(out, text, at.depth, ErrMarshal)
}

// texted converts the result of the application's own MarshalText.
func (c *converter) texted(out *ldvalue.Value, m encoding.TextMarshaler) bool {
	text, ok := call(m.MarshalText)
	if !ok {
		return c.fail(ErrMarshal)
	}
	return c.string(out, string(text))
}

// call runs a method of the application's, and reports whether it succeeded. Its error's text may
// hold personal data.
func call[T any](method func() (T, error)) (result T, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	result, err := method()
	return result, err == nil
}
