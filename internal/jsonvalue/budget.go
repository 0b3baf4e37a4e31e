package jsonvalue

import (
	"maps"
	"math"
	"slices"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
)

// The bounds of one payload, such as an evaluation context or the data of an event. They are far above what LaunchDarkly
// accepts in one event. They bound the time and the memory that a conversion takes, also where a small Go value unfolds
// into a huge JSON one (maps that share maps).
const (
	// MaxDepth is how deep arrays and objects can be nested.
	MaxDepth = 100
	// MaxValues is the number of arrays and objects in one payload, and of the values inside them.
	MaxValues = 1 << 16
	// MaxBytes is the number of bytes of text in one payload: strings, object keys and raw JSON, as they were passed in.
	MaxBytes = 8 << 20
	// MaxProblems is the number of problems that one conversion reports. The last of so many is [ErrMore].
	MaxProblems = 16
)

// Budget counts the values of one payload against its bounds. The zero value is an empty payload.
//
// A value that does not fit is left out as a whole and does not count. After an array or object that was given up halfway,
// because its parts did not fit, no other array or object is converted: all conversions with one budget together take no
// longer than that of the largest payload.
type Budget struct {
	values   int
	bytes    int
	exceeded bool // something did not fit
	overrun  bool // an array or object was given up halfway
}

// Exceeded reports whether something did not fit.
func (b *Budget) Exceeded() bool { return b.exceeded }

// Spend adds n bytes of text to the payload. It returns false, and adds nothing, if they do not fit.
func (b *Budget) Spend(n int) bool {
	if n > MaxBytes-b.bytes {
		b.exceeded = true
		return false
	}
	b.bytes += n
	return true
}

// String adds s to the payload, and returns it with invalid UTF-8 replaced. It returns false if s does not fit.
func (b *Budget) String(s string) (string, bool) {
	if !b.Spend(len(s)) {
		return "", false
	}
	return String(s), true
}

// Convert adds v to the payload, and returns it as a JSON value. ok is false if v has no JSON form, or does not fit;
// problems then says why, with an empty path. Otherwise problems lists the parts of v that were left out (null inside an
// array), or changed; it is nil if there are none.
//
// Convert never panics and always returns, whatever v is, as long as nobody else changes v while it runs.
func (b *Budget) Convert(v any) (value ldvalue.Value, ok bool, problems []Problem) {
	if value, ok := b.scalar(v); ok {
		return value, true, nil
	}
	return b.convert(v)
}

// convert is Convert for what is not a scalar. Only that needs a converter, which is allocated.
func (b *Budget) convert(v any) (ldvalue.Value, bool, []Problem) {
	c := converter{spent: *b}
	c.open = c.first[:0]
	value, ok := c.any(v, 0)
	if c.tooLarge {
		b.exceeded = true
		b.overrun = b.overrun || c.spent.values > b.values+1
		return ldvalue.Null(), false, []Problem{{Err: ErrTooLarge}}
	}
	*b = c.spent
	return value, ok, c.problems
}

// scalar converts the values that most attributes are. It returns false for everything else, also for a scalar that
// has no JSON form, does not fit, or can only be approximated.
func (b *Budget) scalar(v any) (ldvalue.Value, bool) {
	switch x := v.(type) {
	case string:
		s, ok := b.String(x)
		return ldvalue.String(s), ok
	case bool:
		return ldvalue.Bool(x), true
	case int:
		f := float64(x)
		return ldvalue.Float64(f), isExact(int64(x), f)
	case float64:
		return ldvalue.Float64(x), !math.IsNaN(x) && !math.IsInf(x, 0)
	case int64:
		f := float64(x)
		return ldvalue.Float64(f), isExact(x, f)
	case int32:
		return ldvalue.Float64(float64(x)), true
	case nil:
		return ldvalue.Null(), true
	default:
		return ldvalue.Null(), false
	}
}

// isExact reports whether f, the conversion of i, is the same number.
func isExact(i int64, f float64) bool { return f < 1<<63 && int64(f) == i }

// isExactUint reports whether f, the conversion of u, is the same number.
func isExactUint(u uint64, f float64) bool { return f < 1<<64 && uint64(f) == u }

// Object returns the members as a JSON object, each converted as [Budget.Convert] does. A member that does not fit is left
// out, and the others are kept. In that case they are taken in the order of their names, so that the same ones are kept
// each time. The path of a problem begins with the name of the member.
func Object(members map[string]any) (ldvalue.Value, []Problem) {
	o := payload{members: *ldvalue.ValueMapBuildWithCapacity(len(members))}
	for name, v := range members {
		o.add(name, v)
	}
	if o.budget.exceeded {
		o = payload{members: *ldvalue.ValueMapBuildWithCapacity(len(members))}
		for _, name := range slices.Sorted(maps.Keys(members)) {
			o.add(name, members[name])
		}
	}
	return o.members.Build().AsValue(), o.problems
}

// payload is an object under construction, with a budget of its own.
type payload struct {
	budget   Budget
	members  ldvalue.ValueMapBuilder
	problems []Problem
}

func (o *payload) add(name string, v any) {
	if !o.budget.Spend(len(name)) {
		o.problems = append(o.problems, Problem{Path: []string{step(name)}, Err: ErrTooLarge})
		return
	}
	value, ok, problems := o.budget.Convert(v)
	if ok {
		o.members.Set(String(name), value)
	}
	for _, p := range problems {
		o.problems = append(o.problems, Problem{Path: append([]string{step(name)}, p.Path...), Err: p.Err})
	}
}

// Convert is [Budget.Convert] for a payload of one value.
func Convert(v any) (value ldvalue.Value, ok bool, problems []Problem) {
	return new(Budget).Convert(v)
}
