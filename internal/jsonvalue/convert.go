package jsonvalue

import (
	"bytes"
	"encoding"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/open-feature/go-sdk/openfeature"
)

// The bounds of one converted value. They are far above what LaunchDarkly accepts in one event, and keep a small Go
// value that unfolds into a huge JSON one (maps that share maps) from taking the process down.
const (
	// MaxDepth is how many arrays and objects may stand inside one another.
	MaxDepth = 100
	// MaxNodes is how many JSON values, those in arrays and objects included, one converted value may have.
	MaxNodes = 1 << 16
	// MaxBytes is how many bytes of strings, object keys and raw JSON one converted value may have. What stands in raw
	// JSON counts twice.
	MaxBytes = 8 << 20
	// MaxProblems is how many problems one conversion reports. Where there are more, the last of them is [ErrMore].
	MaxProblems = 16
)

// replacement stands for what is not valid UTF-8, as in encoding/json.
const replacement = "\uFFFD"

// Convert returns v as a JSON value that is safe to put into any payload. ok is false where v itself has no JSON form;
// problems then says why, with an empty path. Otherwise problems lists the parts of v that were left out, null where
// they stood in an array; it is nil where there were none.
//
// Convert never panics and always returns, whatever v is, as long as nobody else changes v while it runs.
func Convert(v any) (value ldvalue.Value, ok bool, problems []Problem) {
	if value, ok := scalar(v); ok {
		return value, true, nil
	}
	return convert(v)
}

// convert does what Convert does, for what is not a scalar: only that needs a converter, which costs an allocation.
func convert(v any) (ldvalue.Value, bool, []Problem) {
	var c converter
	c.open = c.first[:0]
	value, ok := c.any(v, 0)
	return value, ok, c.problems
}

// scalar converts the values that most attributes are. It reports false for everything else, also for a scalar that
// has no JSON form or counts against a bound.
func scalar(v any) (ldvalue.Value, bool) {
	switch x := v.(type) {
	case string:
		return ldvalue.String(String(x)), len(x) <= MaxBytes
	case bool:
		return ldvalue.Bool(x), true
	case int:
		return ldvalue.Float64(float64(x)), true
	case float64:
		return ldvalue.Float64(x), !math.IsNaN(x) && !math.IsInf(x, 0)
	case int64:
		return ldvalue.Float64(float64(x)), true
	case int32:
		return ldvalue.Float64(float64(x)), true
	case uint64:
		return ldvalue.Float64(float64(x)), true
	case uint32:
		return ldvalue.Float64(float64(x)), true
	case uint:
		return ldvalue.Float64(float64(x)), true
	case nil:
		return ldvalue.Null(), true
	default:
		return ldvalue.Null(), false
	}
}

// String returns s with whatever is not valid UTF-8 replaced by U+FFFD. It does not allocate where there is nothing to
// replace.
func String(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, replacement)
}

// Flatten gives the attributes of an evaluation context, with the targeting key among them as in OpenFeature's flattened
// contexts. The map belongs to the caller.
func Flatten(e openfeature.EvaluationContext) map[string]any {
	attributes := e.Attributes()
	if key := e.TargetingKey(); key != "" {
		attributes[openfeature.TargetingKey] = key
	}
	return attributes
}

// converter holds what one conversion needs beyond the value: how much has been spent and what was wrong.
type converter struct {
	nodes    int
	bytes    int
	open     []container  // the maps, slices and pointers that the current value stands in
	first    [4]container // room for the first of them
	structs  map[reflect.Type][]field
	problems []Problem
}

// container identifies a map, slice or pointer while the walk is inside of it.
type container struct {
	of      reflect.Type // a struct and its first field have the same address
	pointer uintptr
	length  int // of a slice, which may share its first element with a shorter one
}

// any converts one value; depth is the number of arrays and objects around it. Common types come first, without
// reflection; everything else is walked in reflect.go.
func (c *converter) any(v any, depth int) (ldvalue.Value, bool) {
	if c.nodes++; c.nodes > MaxNodes {
		return c.fail(ErrTooLarge)
	}
	if s, ok := v.(string); ok {
		return c.string(s)
	}
	if value, ok := scalar(v); ok {
		return value, true
	}
	switch x := v.(type) {
	case float64:
		return c.number(x)
	case float32:
		return c.float32(x)
	case json.Number:
		return c.numeral(x)
	case time.Time:
		return c.time(x)
	case ldvalue.Value:
		return c.ldvalue(x, depth)
	case map[string]any:
		return c.members(x, depth)
	case []any:
		return c.slice(reflect.ValueOf(v), depth)
	case []string:
		return c.strings(x, depth)
	case []byte:
		return c.base64(x)
	case json.RawMessage:
		if x == nil {
			return ldvalue.Null(), true
		}
		return c.json(x, depth, ErrInvalidJSON)
	case openfeature.EvaluationContext:
		return c.any(Flatten(x), depth)
	default:
		return c.walk(reflect.ValueOf(v), depth)
	}
}

// fail reports that the current value has no JSON form. Callers around it add their own place to the path.
func (c *converter) fail(err error) (ldvalue.Value, bool) {
	switch len(c.problems) {
	case MaxProblems:
	case MaxProblems - 1:
		c.problems = append(c.problems, Problem{Err: ErrMore})
	default:
		c.problems = append(c.problems, Problem{Err: err})
	}
	return ldvalue.Null(), false
}

// spend takes n bytes of strings out of what is left, unless that is too little: what is refused costs nothing.
func (c *converter) spend(n int) bool {
	if n > MaxBytes-c.bytes {
		return false
	}
	c.bytes += n
	return true
}

// located puts a step in front of the path of every problem from index from on: they were found below that step.
func (c *converter) located(from int, step string) {
	for i := from; i < len(c.problems); i++ {
		c.problems[i].Path = append([]string{step}, c.problems[i].Path...)
	}
}

// enter begins a map, slice or pointer. It fails where the walk is already inside of it. Each enter that succeeds must
// be followed by a leave.
func (c *converter) enter(entered container) error {
	if slices.Contains(c.open, entered) {
		return ErrCycle
	}
	c.open = append(c.open, entered)
	return nil
}

func (c *converter) leave() { c.open = c.open[:len(c.open)-1] }

func (c *converter) string(s string) (ldvalue.Value, bool) {
	if !c.spend(len(s)) {
		return c.fail(ErrTooLarge)
	}
	return ldvalue.String(String(s)), true
}

func (c *converter) number(f float64) (ldvalue.Value, bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return c.fail(ErrNotFinite)
	}
	return ldvalue.Float64(f), true
}

// float32 gives the number that encoding/json would write: 0.1, and not its float64 expansion 0.10000000149011612.
func (c *converter) float32(f float32) (ldvalue.Value, bool) {
	wide := float64(f)
	const exact = 1 << 24 // integers up to here are the same in both notations
	if math.IsNaN(wide) || math.Abs(wide) <= exact && wide == math.Trunc(wide) {
		return c.number(wide)
	}
	shortest, err := strconv.ParseFloat(strconv.FormatFloat(wide, 'g', -1, 32), 64)
	if err != nil {
		return c.number(wide)
	}
	return c.number(shortest)
}

// numeral converts a number in its JSON notation. As in encoding/json, none at all is 0.
func (c *converter) numeral(n json.Number) (ldvalue.Value, bool) {
	if n == "" {
		return ldvalue.Float64(0), true
	}
	// Other than strconv, JSON knows no hexadecimal, no underscores, and no words for infinity.
	if first := n[0]; first != '-' && (first < '0' || first > '9') || !json.Valid([]byte(n)) {
		return c.fail(ErrInvalidJSON)
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return c.fail(ErrInvalidJSON)
	}
	return c.number(f) // out of range, f is an infinity
}

// time gives what time.Time's own marshaler would give for the time in UTC: RFC 3339 has four digits for the year.
func (c *converter) time(t time.Time) (ldvalue.Value, bool) {
	const lastYear = 9999
	t = t.UTC()
	if year := t.Year(); year < 0 || year > lastYear {
		return c.fail(ErrMarshal)
	}
	return ldvalue.String(t.Format(time.RFC3339Nano)), true
}

func (c *converter) base64(b []byte) (ldvalue.Value, bool) {
	if b == nil {
		return ldvalue.Null(), true
	}
	if base64.StdEncoding.EncodedLen(len(b)) > MaxBytes-c.bytes {
		return c.fail(ErrTooLarge)
	}
	return c.string(base64.StdEncoding.EncodeToString(b))
}

func (c *converter) strings(s []string, depth int) (ldvalue.Value, bool) {
	if s == nil {
		return ldvalue.Null(), true
	}
	return c.array(len(s), depth, func(i int) (ldvalue.Value, bool) {
		if c.nodes++; c.nodes > MaxNodes {
			return c.fail(ErrTooLarge)
		}
		return c.string(s[i])
	})
}

// array converts n elements; one that has no JSON form becomes null, so that the others keep their places.
func (c *converter) array(n, depth int, element func(i int) (ldvalue.Value, bool)) (ldvalue.Value, bool) {
	if depth >= MaxDepth {
		return c.fail(ErrTooDeep)
	}
	if n > MaxNodes-c.nodes {
		return c.fail(ErrTooLarge)
	}
	b := ldvalue.ArrayBuildWithCapacity(n)
	for i := range n {
		before := len(c.problems)
		value, _ := element(i) // null where it has no JSON form
		if len(c.problems) > before {
			c.located(before, strconv.Itoa(i))
		}
		b.Add(value)
	}
	return b.Build(), true
}

// object collects the members of one JSON object; one that has no JSON form is left out.
type object struct {
	c       *converter
	members *ldvalue.ObjectBuilder
}

func (c *converter) object(n, depth int) (object, bool) {
	if depth >= MaxDepth {
		c.fail(ErrTooDeep)
		return object{}, false
	}
	return object{c: c, members: ldvalue.ObjectBuildWithCapacity(min(n, MaxNodes))}, true
}

// set adds the member, or leaves it out where convert has no value for it.
func (o object) set(name string, convert func() (ldvalue.Value, bool)) {
	c := o.c
	before := len(c.problems)
	if !c.spend(len(name)) {
		c.fail(ErrTooLarge)
	} else if value, ok := convert(); ok {
		o.members.Set(String(name), value)
	}
	if len(c.problems) > before {
		c.located(before, String(name))
	}
}

func (o object) value() (ldvalue.Value, bool) { return o.members.Build(), true }

// members converts the commonest map without reflection on its keys and values.
func (c *converter) members(m map[string]any, depth int) (ldvalue.Value, bool) {
	if m == nil {
		return ldvalue.Null(), true
	}
	v := reflect.ValueOf(m)
	if err := c.enter(container{of: v.Type(), pointer: v.Pointer()}); err != nil {
		return c.fail(err)
	}
	defer c.leave()
	o, ok := c.object(len(m), depth)
	if !ok {
		return ldvalue.Null(), false
	}
	for name, member := range m {
		o.set(name, func() (ldvalue.Value, bool) { return c.any(member, depth+1) })
		if c.nodes > MaxNodes {
			break // everything after this would be refused, too
		}
	}
	return o.value()
}

// ldvalue rebuilds a value that was made without our checks: it may hold NaN, invalid UTF-8 or raw text.
func (c *converter) ldvalue(v ldvalue.Value, depth int) (ldvalue.Value, bool) {
	switch v.Type() {
	case ldvalue.NullType, ldvalue.BoolType:
		return v, true
	case ldvalue.NumberType:
		return c.number(v.Float64Value())
	case ldvalue.StringType:
		return c.string(v.StringValue())
	case ldvalue.ArrayType:
		return c.array(v.Count(), depth, func(i int) (ldvalue.Value, bool) { return c.any(v.GetByIndex(i), depth+1) })
	case ldvalue.ObjectType:
		o, ok := c.object(v.Count(), depth)
		if !ok {
			return ldvalue.Null(), false
		}
		for _, name := range v.Keys(nil) {
			o.set(name, func() (ldvalue.Value, bool) { return c.any(v.GetByKey(name), depth+1) })
		}
		return o.value()
	case ldvalue.RawType:
		return c.json(v.AsRaw(), depth, ErrInvalidJSON)
	default:
		return c.fail(ErrType)
	}
}

// json parses text that claims to be JSON. It becomes a structured value rather than LaunchDarkly's raw type, because
// LaunchDarkly can neither evaluate rules on parts of a raw value nor redact its private parts. invalid is what to
// report where the text is not JSON.
func (c *converter) json(text []byte, depth int, invalid error) (ldvalue.Value, bool) {
	if !c.spend(len(text)) { // reading it takes time, whatever it says
		return c.fail(ErrTooLarge)
	}
	if !json.Valid(text) { // also refuses what is nested so deep that parsing it would be a danger
		return c.fail(invalid)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var parsed any
	if err := decoder.Decode(&parsed); err != nil {
		return c.fail(invalid)
	}
	return c.any(parsed, depth)
}

// marshaled converts what the application's own MarshalJSON wrote.
func (c *converter) marshaled(m json.Marshaler, depth int) (ldvalue.Value, bool) {
	text, ok := call(m.MarshalJSON)
	if !ok {
		return c.fail(ErrMarshal)
	}
	return c.json(text, depth, ErrMarshal)
}

// texted converts what the application's own MarshalText wrote.
func (c *converter) texted(m encoding.TextMarshaler) (ldvalue.Value, bool) {
	text, ok := call(m.MarshalText)
	if !ok {
		return c.fail(ErrMarshal)
	}
	return c.string(string(text))
}

// call runs a method of the application's. Its error text could hold personal data, so that only its failing counts.
func call(method func() ([]byte, error)) (text []byte, ok bool) {
	defer func() {
		if recover() != nil {
			text, ok = nil, false
		}
	}()
	text, err := method()
	return text, err == nil
}

// quoted is the effect of the `json:",string"` option: the JSON of a scalar, as a string.
func quoted(v ldvalue.Value) ldvalue.Value {
	switch v.Type() {
	case ldvalue.BoolType, ldvalue.NumberType, ldvalue.StringType:
		return ldvalue.String(v.JSONString())
	default:
		return v
	}
}
