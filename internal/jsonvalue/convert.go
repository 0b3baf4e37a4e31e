package jsonvalue

import (
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

// String returns s with each byte that is not part of valid UTF-8 replaced by U+FFFD, as encoding/json does. It does not
// allocate if there is nothing to replace.
func String(s string) string {
	if isASCII(s) || utf8.ValidString(s) {
		return s
	}
	valid := make([]byte, 0, len(s)+len(s)/4)
	for _, r := range s {
		valid = utf8.AppendRune(valid, r)
	}
	return string(valid)
}

// isASCII reports whether all bytes of s are ASCII. For short strings, it takes a tenth of the time of utf8.ValidString.
func isASCII(s string) bool {
	const high = 0x8080808080808080
	switch n := len(s); {
	case n >= 8:
		for i := 0; i < n-8; i += 8 {
			if eight(s[i:i+8])&high != 0 {
				return false
			}
		}
		return eight(s[n-8:])&high == 0
	case n >= 4:
		return (four(s[:4])|four(s[n-4:]))&(high>>32) == 0
	default:
		for i := range n {
			if s[i] >= utf8.RuneSelf {
				return false
			}
		}
		return true
	}
}

// eight returns the first eight bytes of s, which the compiler makes a single load.
func eight(s string) uint64 { return uint64(four(s)) | uint64(four(s[4:]))<<32 }

// four returns the first four bytes of s.
func four(s string) uint32 {
	_ = s[3]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

// Flatten returns the attributes of an evaluation context, with the targeting key among them as in OpenFeature's flattened
// contexts. The map belongs to the caller.
func Flatten(e openfeature.EvaluationContext) map[string]any {
	attributes := e.Attributes()
	if key := e.TargetingKey(); key != "" {
		attributes[openfeature.TargetingKey] = key
	}
	return attributes
}

// converter is the state of one conversion. Its methods return false for a value that has no JSON form, after adding the
// problem. Once tooLarge is set, the value as a whole is given up.
type converter struct {
	spent    Budget
	tooLarge bool
	open     []container  // the maps, slices and pointers around the current value
	first    [4]container // room for the first of them
	structs  map[reflect.Type][]field
	problems []Problem
}

// container identifies a map, slice or pointer while the conversion is inside it.
type container struct {
	of      reflect.Type // a struct and its first field have the same address
	pointer uintptr
	length  int // of a slice, which may share its first element with a shorter one
}

// any converts one value; depth is the number of arrays and objects around it. Common types come first, without
// reflection; everything else is walked in reflect.go.
func (c *converter) any(v any, depth int) (ldvalue.Value, bool) {
	if !c.spend(1, 0) {
		return ldvalue.Null(), false
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
	case int:
		return c.integer(int64(x))
	case int64:
		return c.integer(x)
	case json.Number:
		return c.numeral(string(x))
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
		return c.members(Flatten(x), depth)
	default:
		return c.walk(reflect.ValueOf(v), depth)
	}
}

// spend adds values and bytes to the payload. If they do not fit, it returns false, and the conversion is given up.
func (c *converter) spend(values, bytes int) bool {
	if values > MaxValues-c.spent.values || bytes > MaxBytes-c.spent.bytes {
		c.tooLarge = true
		return false
	}
	c.spent.values += values
	c.spent.bytes += bytes
	return true
}

// fail adds a problem with the current value, which has no JSON form. Callers add their own steps to the path.
func (c *converter) fail(err error) (ldvalue.Value, bool) {
	c.warn(err)
	return ldvalue.Null(), false
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

// locate puts a step in front of the path of every problem from index from on: they were found below that step.
func (c *converter) locate(from int, name string) {
	for i := from; i < len(c.problems); i++ {
		c.problems[i].Path = append([]string{step(name)}, c.problems[i].Path...)
	}
}

// enter begins a map, slice or pointer. It fails if the conversion is already inside it. Each enter that succeeds must be
// followed by a leave.
func (c *converter) enter(entered container) error {
	if slices.Contains(c.open, entered) {
		return ErrCycle
	}
	c.open = append(c.open, entered)
	return nil
}

func (c *converter) leave() { c.open = c.open[:len(c.open)-1] }

func (c *converter) string(s string) (ldvalue.Value, bool) {
	if !c.spend(0, len(s)) {
		return ldvalue.Null(), false
	}
	return ldvalue.String(String(s)), true
}

func (c *converter) number(f float64) (ldvalue.Value, bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return c.fail(ErrNotFinite)
	}
	return ldvalue.Float64(f), true
}

func (c *converter) integer(i int64) (ldvalue.Value, bool) {
	f := float64(i)
	if !isExact(i, f) {
		c.warn(ErrPrecision)
	}
	return ldvalue.Float64(f), true
}

func (c *converter) unsigned(u uint64) (ldvalue.Value, bool) {
	f := float64(u)
	if !isExactUint(u, f) {
		c.warn(ErrPrecision)
	}
	return ldvalue.Float64(f), true
}

// float32 returns the number that encoding/json would write: 0.1, and not its float64 expansion 0.10000000149011612.
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

// numeral converts a [json.Number]. As in encoding/json, an empty one is 0.
func (c *converter) numeral(n string) (ldvalue.Value, bool) {
	if n == "" {
		return ldvalue.Float64(0), true
	}
	// Other than strconv, JSON knows no hexadecimal, no underscores, and no words for infinity.
	if first := n[0]; first != '-' && (first < '0' || first > '9') || !json.Valid([]byte(n)) {
		return c.fail(ErrInvalidJSON)
	}
	return c.literal(n)
}

// literal converts a number in its JSON notation. An integer that float64 can't hold is approximated, with a problem; a
// fraction that float64 can't hold is what float64 is for.
func (c *converter) literal(n string) (ldvalue.Value, bool) {
	const exact = 15                             // an integer of so many digits is exact
	if len(n) > exact && !c.spend(len(n)/2, 0) { // parsing can take much longer
		return ldvalue.Null(), false
	}
	f, err := strconv.ParseFloat(n, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return c.fail(ErrInvalidJSON)
	}
	if len(n) > exact && !math.IsInf(f, 0) && !strings.ContainsAny(n, ".eE") && strconv.FormatFloat(f, 'f', 0, 64) != n {
		c.warn(ErrPrecision)
	}
	return c.number(f) // beyond float64's range, f is an infinity
}

// time returns what time.Time's own marshaler would for the time in UTC: RFC 3339 has four digits for the year.
func (c *converter) time(t time.Time) (ldvalue.Value, bool) {
	const lastYear = 9999
	t = t.UTC()
	if year := t.Year(); year < 0 || year > lastYear {
		return c.fail(ErrMarshal)
	}
	return c.string(t.Format(time.RFC3339Nano))
}

func (c *converter) base64(b []byte) (ldvalue.Value, bool) {
	if b == nil {
		return ldvalue.Null(), true
	}
	if !c.spend(0, base64.StdEncoding.EncodedLen(len(b))) {
		return ldvalue.Null(), false
	}
	return ldvalue.String(base64.StdEncoding.EncodeToString(b)), true
}

func (c *converter) strings(s []string, depth int) (ldvalue.Value, bool) {
	if s == nil {
		return ldvalue.Null(), true
	}
	return c.array(len(s), depth, func(i int) (ldvalue.Value, bool) {
		if !c.spend(1, 0) {
			return ldvalue.Null(), false
		}
		return c.string(s[i])
	})
}

// array converts n elements; one that has no JSON form becomes null, so that the others keep their places.
func (c *converter) array(n, depth int, element func(i int) (ldvalue.Value, bool)) (ldvalue.Value, bool) {
	if !c.fits(n, depth) {
		return ldvalue.Null(), false
	}
	b := ldvalue.ArrayBuildWithCapacity(n)
	for i := range n {
		before := len(c.problems)
		value, _ := element(i) // null if it has no JSON form
		if c.tooLarge {
			return ldvalue.Null(), false
		}
		if len(c.problems) > before {
			c.locate(before, strconv.Itoa(i))
		}
		b.Add(value)
	}
	return b.Build(), true
}

// fits reports whether an array or object of n values, inside depth others, is allowed.
func (c *converter) fits(n, depth int) bool {
	if depth >= MaxDepth {
		c.warn(ErrTooDeep)
		return false
	}
	if c.spent.overrun || n > MaxValues-c.spent.values {
		c.tooLarge = true
		return false
	}
	return true
}

// object collects the members of one JSON object; one that has no JSON form is left out.
type object struct {
	c       *converter
	members *ldvalue.ObjectBuilder
}

// object begins an object of at most n members.
func (c *converter) object(n, depth int) (object, bool) {
	if !c.fits(n, depth) || !c.spend(objectValues, 0) {
		return object{}, false
	}
	return object{c: c, members: ldvalue.ObjectBuildWithCapacity(n)}, true
}

// set adds the member, or leaves it out if convert has no value for it.
func (o object) set(name string, convert func() (ldvalue.Value, bool)) {
	c := o.c
	if !c.spend(1, len(name)) {
		return
	}
	before := len(c.problems)
	if value, ok := convert(); ok {
		o.members.Set(String(name), value)
	}
	if len(c.problems) > before {
		c.locate(before, name)
	}
}

func (o object) value() (ldvalue.Value, bool) { return o.members.Build(), !o.c.tooLarge }

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
		if c.tooLarge {
			break
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
			if c.tooLarge {
				break
			}
		}
		return o.value()
	case ldvalue.RawType:
		return c.json(v.AsRaw(), depth, ErrInvalidJSON)
	default:
		return c.fail(ErrType)
	}
}

// marshaled converts the result of the application's own MarshalJSON.
func (c *converter) marshaled(m json.Marshaler, depth int) (ldvalue.Value, bool) {
	text, ok := call(m.MarshalJSON)
	if !ok {
		return c.fail(ErrMarshal)
	}
	return c.json(text, depth, ErrMarshal)
}

// texted converts the result of the application's own MarshalText.
func (c *converter) texted(m encoding.TextMarshaler) (ldvalue.Value, bool) {
	text, ok := call(m.MarshalText)
	if !ok {
		return c.fail(ErrMarshal)
	}
	return c.string(string(text))
}

// call runs a method of the application's, and reports whether it succeeded. Its error's text may hold personal data.
func call[T any](method func() (T, error)) (result T, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	result, err := method()
	return result, err == nil
}
