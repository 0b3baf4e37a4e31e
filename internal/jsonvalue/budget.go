package jsonvalue

import (
	"math"
	"slices"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
)

// The bounds of one payload, such as an evaluation context or the data of an event. They are far
// above what LaunchDarkly accepts in one event. They bound the time and the memory that a
// conversion takes, also where a small Go value unfolds into a huge JSON one (maps that share
// maps).
const (
	// MaxDepth is how deep arrays and objects can be nested.
	MaxDepth = 100
	// MaxValues is the number of values in one payload. By what they cost, an object counts as
	// eight besides its members, the name of a member as one, a value in raw JSON as two, and a
	// number there with more than 15 digits as one more for each two.
	MaxValues = 1 << 16
	// MaxBytes is the number of bytes of text in one payload: strings, object keys and raw JSON, as
	// they were passed in.
	MaxBytes = 8 << 20
	// MaxPlain is the number of bytes of a string up to which it is plain, see [Plain].
	MaxPlain = 1 << 10
	// MaxProblems is the number of problems that one conversion reports. The last of so many is
	// [ErrMore].
	MaxProblems = 16
)

// objectValues is what an object counts as, besides its members: the smallest map has room for so
// many.
const objectValues = 8

// Plain sets *out to the JSON value of v, if v is what most attributes are: nil, a boolean, a
// number, or a string of up to [MaxPlain] bytes, of Go's own types. Such values don't count against
// a [Budget]. It returns false for every other value, and for numbers that have no JSON form or can
// only be approximated.
func Plain(out *ldvalue.Value, v any) bool {
	if s, ok := v.(string); ok {
		if len(s) > MaxPlain {
			return false
		}
		*out = ldvalue.String(String(s))
		return true
	}
	return scalar(out, v)
}

// scalar is Plain for what is not a string.
func scalar(out *ldvalue.Value, v any) bool {
	switch x := v.(type) {
	case bool:
		*out = ldvalue.Bool(x)
	case int:
		f := float64(x)
		*out = ldvalue.Float64(f)
		return isExact(int64(x), f)
	case float64:
		*out = ldvalue.Float64(x)
		return !math.IsNaN(x) && !math.IsInf(x, 0)
	case int64:
		f := float64(x)
		*out = ldvalue.Float64(f)
		return isExact(x, f)
	case int32:
		*out = ldvalue.Float64(float64(x))
	case nil:
		*out = ldvalue.Null()
	default:
		return false
	}
	return true
}

// isExact reports whether f, the conversion of i, is the same number.
func isExact(i int64, f float64) bool { return f < 1<<63 && int64(f) == i }

// isExactUint reports whether f, the conversion of u, is the same number.
func isExactUint(u uint64, f float64) bool { return f < 1<<64 && uint64(f) == u }

// Budget counts the values of one payload against its bounds. The zero value is an empty payload.
//
// A value that does not fit is left out as a whole and does not count. After an array or object
// that was given up halfway, because its parts did not fit, no other array, object or raw JSON is
// converted: all conversions with one budget together take no longer than that of the largest
// payload.
type Budget struct {
	values  int
	bytes   int
	overrun bool // an array or object was given up halfway
}

// Convert adds v to the payload, and sets *out to it as a JSON value. ok is false if v has no JSON
// form, or does not fit; problems then has the cause, with an empty path, and *out does not count.
// Otherwise problems lists the parts of v that were left out (null inside an array), or changed; it
// is nil if there are none.
//
// Convert never panics and always returns, whatever v is, as long as nobody else changes v while it
// runs.
func (b *Budget) Convert(out *ldvalue.Value, v any) (ok bool, problems []Problem) {
	c := converter{spent: *b}
	ok = c.any(out, v, &place{})
	if c.tooLarge {
		b.overrun = b.overrun || c.spent.values > b.values+objectValues
		return false, []Problem{{Err: ErrTooLarge}}
	}
	*b = c.spent
	return ok, c.problems
}

// ConvertMember is [Budget.Convert] for a member of an object, whose name counts, too.
func (b *Budget) ConvertMember(out *ldvalue.Value, name string, v any) (ok bool, problems []Problem) {
	if len(name) > MaxBytes-b.bytes {
		return false, []Problem{{Err: ErrTooLarge}}
	}
	b.bytes += len(name)
	return b.Convert(out, v)
}

// Convert returns a value as a JSON value, as [Budget.Convert] does for a payload of one value.
func Convert(v any) (value ldvalue.Value, ok bool, problems []Problem) {
	ok, problems = new(Budget).Convert(&value, v)
	if !ok {
		value = ldvalue.Null()
	}
	return value, ok, problems
}

// Object returns the members of a map as a JSON object. A member that does not fit is left out,
// always the same one: those that are not plain are converted in the order of their names. The path
// of a problem begins with the name of the member.
func Object(members map[string]any) (ldvalue.Value, []Problem) {
	object := *ldvalue.ValueMapBuildWithCapacity(len(members))
	var others []string
	var value ldvalue.Value
	for name, v := range members {
		if len(name) <= MaxPlain && Plain(&value, v) {
			object.Set(String(name), value)
		} else {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	var budget Budget
	var problems []Problem
	for _, name := range others {
		ok, found := budget.ConvertMember(&value, name, members[name])
		if ok {
			object.Set(String(name), value)
		}
		for _, p := range found {
			problems = append(problems, Problem{Path: append([]string{step(name)}, p.Path...), Err: p.Err})
		}
	}
	return object.Build().AsValue(), problems
}
