package launchdarkly

import (
	"errors"
	"fmt"
	"slices"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/internal/jsonvalue"
	"github.com/openfeature-launchdarkly/go-provider/internal/logtext"
)

// Errors of the application's input. The errors passed to the handler of [WithErrorHandler] match
// them with [errors.Is].
var (
	// ErrTargetingKeyMissing reports an evaluation context, or a context of a multi-context,
	// without a usable targeting key.
	ErrTargetingKeyMissing = errors.New("targeting key missing")
	// ErrInvalidContext reports an evaluation context that LaunchDarkly's SDK rejects, for example
	// because of an invalid kind. Errors that match it also match those of LaunchDarkly's package
	// lderrors.
	ErrInvalidContext = errors.New("invalid context")
	// ErrEmptyEventName reports a call of Track without an event name.
	ErrEmptyEventName = errors.New("tracking event name is empty")
	// ErrMetricNotFinite reports a tracking value of positive or negative infinity. The event is
	// sent without a metric value.
	ErrMetricNotFinite = errors.New("metric value is not finite")
	// ErrUnsupportedValue reports an attribute, or a part of one, that has no JSON form: NaN, an
	// infinity, a channel, a function, invalid raw JSON, a cycle, or nesting beyond 100 levels. It
	// is omitted.
	ErrUnsupportedValue = jsonvalue.ErrUnsupported
	// ErrTooLarge reports input beyond a limit of the package documentation: an attribute or a
	// context is omitted, an evaluation context with more than 64 KiB of keys and kinds is invalid,
	// and an event with a name of more than 64 KiB is not sent.
	ErrTooLarge = jsonvalue.ErrTooLarge
	// ErrPrecision reports an integer that float64, the type of LaunchDarkly's numbers, cannot
	// hold. The nearest number is used. Use strings for IDs of that size.
	ErrPrecision = jsonvalue.ErrPrecision
	// ErrAttributeType reports an attribute with a meaning to LaunchDarkly, such as "name", whose
	// value has the wrong type. It is omitted.
	ErrAttributeType = errors.New("attribute has the wrong type")
	// ErrAttributeIgnored reports an attribute that LaunchDarkly's context cannot hold: one without
	// a name, one with a reserved name, "key" in addition to a targeting key, or one at the top
	// level of a multi-context that is not an object.
	ErrAttributeIgnored = errors.New("attribute is ignored")
	// ErrPrivateAttributes reports a list of private attributes that cannot be read, or has more
	// than 1,000 entries. Every optional attribute of the context is private.
	ErrPrivateAttributes = errors.New("private attributes can't be read, all attributes are private")
	// ErrPrivateReference reports a private attribute that LaunchDarkly would send anyway: a
	// reference into an array, such as "/cards/0/number", or one at the top level of a
	// multi-context that begins with a context kind, such as "/user/email". The whole attribute is
	// private. It also reports an attribute that cannot be private: the key, the kind, and
	// "anonymous".
	ErrPrivateReference = errors.New("private attribute reference can't be followed")
	// ErrTooManyProblems replaces further problems of one attribute, evaluation context, or call of
	// Track.
	ErrTooManyProblems = jsonvalue.ErrMore
	// ErrClosed reports a call of Track after Shutdown, an event that Shutdown could not deliver in
	// time, or an initialization that a shutdown ended or preceded.
	ErrClosed = delivery.ErrClosed
)

// AttributeError reports a problem with one attribute of an evaluation context or of tracking
// details.
type AttributeError struct {
	// Attribute is the attribute's name, or a reference to a part of it, such as "/cart/items/3".
	// In a multi-context, it begins with the context kind. A reference can contain the keys of
	// maps, which may be personal data; the provider logs only the attribute's name. Long names are
	// truncated.
	Attribute string
	// Err matches one of this package's errors.
	Err error

	name string // the attribute's own, after its kind in a multi-context
}

// attributeError returns a problem with the part at path below the attribute at name.
func attributeError(err error, name []string, path ...string) *AttributeError {
	return &AttributeError{Attribute: reference(slices.Concat(name, path)), Err: err, name: reference(name)}
}

// reference joins the steps of a path. Each step is truncated first, because names can have any
// size.
func reference(path []string) string {
	steps := make([]string, len(path))
	for i, step := range path {
		steps[i] = jsonvalue.String(logtext.Cut(step))
	}
	return jsonvalue.Problem{Path: steps[1:]}.Reference(steps[0])
}

// Error returns the attribute's name and the cause.
func (e *AttributeError) Error() string { return fmt.Sprintf("attribute %q: %v", e.Attribute, e.Err) }

// Unwrap returns the cause.
func (e *AttributeError) Unwrap() error { return e.Err }

// TrackingError reports a problem with one call of Track.
type TrackingError struct {
	// EventName is the name passed to Track.
	EventName string
	// Sent reports whether the event is sent nevertheless, with the value that Err is about omitted
	// or replaced.
	Sent bool
	// Err matches one of this package's errors.
	Err error
}

// Error returns the event's name, truncated if it is long, and the cause.
func (e *TrackingError) Error() string {
	return fmt.Sprintf("track %q: %v", logtext.Cut(e.EventName), e.Err)
}

// Unwrap returns the cause.
func (e *TrackingError) Unwrap() error { return e.Err }

// maxProblems is the maximum number of problems reported for one input. The last one is then
// ErrTooManyProblems.
const maxProblems = 32

// problems holds the problems of one input: an evaluation context, tracking details, or a default
// value.
type problems []error

// add appends a problem unless there are maxProblems.
func (p *problems) add(err error) {
	switch len(*p) {
	case maxProblems:
	case maxProblems - 1:
		*p = append(*p, ErrTooManyProblems)
	default:
		*p = append(*p, err)
	}
}

// addParts appends the problems of the value of the attribute at name.
func (p *problems) addParts(parts []jsonvalue.Problem, name ...string) {
	for _, part := range parts {
		p.add(attributeError(part.Err, name, part.Path...))
	}
}
