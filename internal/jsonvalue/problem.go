package jsonvalue

import (
	"errors"
	"strings"

	"github.com/openfeature-launchdarkly/go-provider/internal/logtext"
)

// What can be wrong with a value. Those that mean that a value, or a part of one, has no JSON form
// match [ErrUnsupported].
var (
	// ErrUnsupported matches the errors up to ErrTooDeep.
	ErrUnsupported = errors.New("value has no JSON form")
	// ErrNotFinite is a NaN, an infinity, or a number too large for a float64.
	ErrNotFinite = unsupported("number is not finite")
	// ErrType is a channel, a function, a complex number, or a map whose keys are not strings.
	ErrType = unsupported("type has no JSON form")
	// ErrMarshal is a method that failed, panicked, or did not return JSON: of a json.Marshaler, an
	// encoding.TextMarshaler, a driver.Valuer, an error or a protobuf timestamp.
	ErrMarshal = unsupported("marshaling failed")
	// ErrInvalidJSON is a json.RawMessage, json.Number or ldvalue.Raw that is not JSON.
	ErrInvalidJSON = unsupported("raw JSON is invalid")
	// ErrCycle is a map, slice or pointer that contains itself.
	ErrCycle = unsupported("value contains itself")
	// ErrTooDeep is an array or object nested beyond [MaxDepth].
	ErrTooDeep = unsupported("value is nested too deep")

	// ErrTooLarge is a value that exceeds a [Budget].
	ErrTooLarge = errors.New("value is too large")
	// ErrPrecision is an integer that a float64 can't hold. The value has the nearest number that
	// it can.
	ErrPrecision = errors.New("integer is not exact as a float64")
	// ErrMore is the part at its path, and any number of further parts with problems.
	ErrMore = errors.New("further problems omitted")
)

// unsupported returns an error that also matches [ErrUnsupported].
func unsupported(reason string) error { return &unsupportedError{reason: reason} }

type unsupportedError struct{ reason string }

func (e *unsupportedError) Error() string { return e.reason }

func (e *unsupportedError) Is(target error) bool { return target == ErrUnsupported }

// Problem is a part of a value that was left out (null inside an array), or changed.
type Problem struct {
	// Path leads from the converted value to the part: object keys and array indexes, outermost
	// first. It is empty if the value itself is the problem. Long keys are cut.
	Path []string
	// Err is one of this package's errors. Its text never contains any of the value.
	Err error
}

// step returns a step of a path. Names of any length can be passed in, and paths are formatted.
func step(name string) string { return String(logtext.Cut(name)) }

// Reference returns the problem's place below the attribute of the given name as LaunchDarkly
// writes attribute references: the name alone, or a path such as "/cart/items/3/price". See
// https://launchdarkly.com/docs/sdk/features/private-attributes.
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
