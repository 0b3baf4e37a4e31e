package jsonvalue

import (
	"errors"
	"strings"
)

// What can be wrong with a value. Each of them also matches [ErrUnsupported].
var (
	// ErrUnsupported matches every problem of this package: a value, or a part of one, has no JSON form.
	ErrUnsupported = errors.New("value has no JSON form")
	// ErrNotFinite is a NaN, an infinity, or a number too large for a float64.
	ErrNotFinite = unsupported("number is not finite")
	// ErrType is a channel, a function, a complex number, or a map whose keys are not strings.
	ErrType = unsupported("type has no JSON form")
	// ErrMarshal is a marshaler that failed, panicked, or wrote something other than JSON.
	ErrMarshal = unsupported("marshaling failed")
	// ErrInvalidJSON is a json.RawMessage, json.Number or ldvalue.Raw that is not JSON.
	ErrInvalidJSON = unsupported("raw JSON is invalid")
	// ErrCycle is a map, slice or pointer that contains itself.
	ErrCycle = unsupported("value contains itself")
	// ErrTooDeep is an array or object nested beyond [MaxDepth].
	ErrTooDeep = unsupported("value is nested too deep")
	// ErrTooLarge is what is left of a value beyond [MaxNodes] or [MaxBytes].
	ErrTooLarge = unsupported("value is too large")
	// ErrMore stands for the part that it names, and for all those without a JSON form that came after it.
	ErrMore = unsupported("this part, and more of them, have no JSON form")
)

// unsupported makes an error that also matches [ErrUnsupported].
func unsupported(reason string) error { return &unsupportedError{reason: reason} }

type unsupportedError struct{ reason string }

func (e *unsupportedError) Error() string { return e.reason }

func (e *unsupportedError) Is(target error) bool { return target == ErrUnsupported }

// Problem is a part of a value that was left out, or replaced by null inside an array.
type Problem struct {
	// Path leads from the converted value to the part: object keys and array indexes, outermost first. It is empty
	// where the value itself is the problem.
	Path []string
	// Err is one of this package's errors. Its text never holds any of the value.
	Err error
}

// Reference renders the problem's place below the attribute of the given name as LaunchDarkly writes attribute
// references: the name alone, or a path such as "/cart/items/3/price".
// See https://launchdarkly.com/docs/sdk/features/private-attributes.
func (p Problem) Reference(attribute string) string {
	if len(p.Path) == 0 {
		return attribute
	}
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	var b strings.Builder
	b.WriteByte('/')
	b.WriteString(escape.Replace(attribute))
	for _, step := range p.Path {
		b.WriteByte('/')
		b.WriteString(escape.Replace(step))
	}
	return b.String()
}
