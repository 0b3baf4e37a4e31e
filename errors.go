package launchdarkly

import (
	"errors"
	"fmt"
	"slices"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/internal/jsonvalue"
	"github.com/openfeature-launchdarkly/go-provider/internal/logtext"
)

// The errors of what an application passes in. Errors that are passed to the handler of
// [WithErrorHandler] match them with [errors.Is].
var (
	// ErrTargetingKeyMissing is an evaluation context, or a part of a multi-context, without a
	// usable targeting key.
	ErrTargetingKeyMissing = errors.New("targeting key missing")
	// ErrInvalidContext is an evaluation context that LaunchDarkly's SDK refuses, such as one of an
	// invalid kind. Errors that match it also match LaunchDarkly's own, from the package lderrors.
	ErrInvalidContext = errors.New("invalid context")
	// ErrEmptyEventName is a call of Track without an event name.
	ErrEmptyEventName = errors.New("tracking event name is empty")
	// ErrMetricNotFinite is a tracking value of positive or negative infinity. The event is sent
	// without it.
	ErrMetricNotFinite = errors.New("metric value is not finite")
	// ErrUnsupportedValue is an attribute, or a part of one, that has no JSON form: NaN, an
	// infinity, a channel, a function, invalid raw JSON, a cycle, or what is nested beyond 100
	// levels. It is left out.
	ErrUnsupportedValue = jsonvalue.ErrUnsupported
	// ErrTooLarge is what exceeds a bound of an evaluation context or of tracking details, and is
	// left out: attributes beyond the first 1,000, contexts beyond the first 100 in a
	// multi-context, values beyond 65,536, text beyond 8 MiB. With more than 64 KiB of keys and
	// kinds, the context is invalid; an event is not sent if its name is longer than that.
	ErrTooLarge = jsonvalue.ErrTooLarge
	// ErrPrecision is an integer that LaunchDarkly's numbers, which are float64, can't hold. The
	// nearest number is used. Identifiers of that size belong in strings.
	ErrPrecision = jsonvalue.ErrPrecision
	// ErrAttributeType is an attribute that has a meaning to LaunchDarkly and the wrong type for
	// it. It is left out.
	ErrAttributeType = errors.New("attribute has the wrong type")
	// ErrAttributeIgnored is an attribute that has no place in LaunchDarkly's context: one without
	// a name, one with a reserved name, a key next to a targeting key, or an attribute of a
	// multi-context that is not an object.
	ErrAttributeIgnored = errors.New("attribute is ignored")
	// ErrPrivateAttributes is a list of private attributes that can't be read, or has more than
	// 1,000 elements. Every optional attribute of the context is private.
	ErrPrivateAttributes = errors.New("private attributes can't be read, all attributes are private")
	// ErrPrivateReference is a private attribute that LaunchDarkly would send: a reference into an
	// array, such as "/cards/0/number", or one that begins with a context kind beside the contexts
	// of a multi-context, such as "/user/email". The whole attribute that it leads into is private.
	// The key, the kind and "anonymous" can't be private.
	ErrPrivateReference = errors.New("private attribute reference can't be followed")
	// ErrTooManyProblems is reported in place of further problems with one attribute, evaluation
	// context, or call of Track.
	ErrTooManyProblems = jsonvalue.ErrMore
	// ErrClosed is a call of Track after Shutdown, an event that Shutdown could not deliver in
	// time, or an initialization that a shutdown ends, or has overtaken.
	ErrClosed = delivery.ErrClosed
)

// AttributeError is a problem with one attribute of an evaluation context or of tracking details.
type AttributeError struct {
	// Attribute is the attribute's name, or the path to a part of it as LaunchDarkly writes
	// attribute references: "/cart/items/3". In a multi-context, it begins with the context kind.
	// Paths contain the keys of maps, which can be personal data; the provider's own log only has
	// the attribute's name. Long names are cut.
	Attribute string
	// Err matches one of this package's errors.
	Err error

	name string // the attribute's own, after its kind in a multi-context
}

// attributeError returns a problem with the part that the path leads to, below the attribute that
// the name leads to.
func attributeError(err error, name []string, path ...string) *AttributeError {
	return &AttributeError{Attribute: reference(slices.Concat(name, path)), Err: err, name: reference(name)}
}

// reference joins the steps of a path. Long ones are cut first: names can have any size.
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

// TrackingError is a problem with one call of Track.
type TrackingError struct {
	// EventName is the name that was tracked.
	EventName string
	// Sent is true if the event is sent all the same, without the part that Err is about, or with a
	// different one.
	Sent bool
	// Err matches one of this package's errors.
	Err error
}

// Error returns the event's name, which is cut if it is long, and the cause.
func (e *TrackingError) Error() string {
	return fmt.Sprintf("track %q: %v", logtext.Cut(e.EventName), e.Err)
}

// Unwrap returns the cause.
func (e *TrackingError) Unwrap() error { return e.Err }

// maxProblems bounds the number of problems that are reported for one input. The last of so many is
// ErrTooManyProblems.
const maxProblems = 32

// problems are those of one input: an evaluation context, tracking details, or a default value.
type problems []error

// add appends a problem, up to the bound: thousands of bad attributes are bad for the same few
// reasons.
func (p *problems) add(err error) {
	switch len(*p) {
	case maxProblems:
	case maxProblems - 1:
		*p = append(*p, ErrTooManyProblems)
	default:
		*p = append(*p, err)
	}
}

// addParts appends the problems of the value of the attribute that the name leads to.
func (p *problems) addParts(parts []jsonvalue.Problem, name ...string) {
	for _, part := range parts {
		p.add(attributeError(part.Err, name, part.Path...))
	}
}
