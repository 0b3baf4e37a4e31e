package launchdarkly

import (
	"errors"
	"fmt"
	"slices"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/internal/jsonvalue"
)

// What can be wrong with what an application passes in. Errors that reach the handler of [WithErrorHandler] match them
// with [errors.Is].
var (
	// ErrTargetingKeyMissing is an evaluation context, or a part of a multi-context, without a usable targeting key.
	ErrTargetingKeyMissing = errors.New("targeting key missing")
	// ErrInvalidContext is an evaluation context that LaunchDarkly refuses, such as one of an invalid kind. The error
	// that matches it also matches LaunchDarkly's own from the package lderrors.
	ErrInvalidContext = errors.New("invalid context")
	// ErrEmptyEventName is a call of Track without an event name.
	ErrEmptyEventName = errors.New("tracking event name is empty")
	// ErrMetricNotFinite is a tracking value of positive or negative infinity. The event is sent without it.
	ErrMetricNotFinite = errors.New("metric value is not finite")
	// ErrUnsupportedValue is an attribute, or a part of one, that has no JSON form: NaN, an infinity, a channel, a
	// function, invalid raw JSON, a cycle, or what is nested beyond 100 levels or too large. It is left out.
	ErrUnsupportedValue = jsonvalue.ErrUnsupported
	// ErrAttributeType is an attribute that LaunchDarkly gives a meaning to, and that has another type than that asks
	// for. It is left out.
	ErrAttributeType = errors.New("attribute has the wrong type")
	// ErrAttributeIgnored is an attribute that has no place in LaunchDarkly's context: one without a name, one with a
	// reserved name, one next to a targeting key that says the same, or one of a multi-context that is no object.
	ErrAttributeIgnored = errors.New("attribute is ignored")
	// ErrPrivateAttributes is a list of private attributes that can't be read. Every optional attribute of the context
	// is private then.
	ErrPrivateAttributes = errors.New("private attributes can't be read, all attributes are private")
	// ErrTooManyProblems stands for the problems with one evaluation context, or with the tracking details of one call,
	// beyond the first 31.
	ErrTooManyProblems = errors.New("there are more problems than are told one by one")
	// ErrClosed is a call of Track after Shutdown, or an event that Shutdown could not deliver in time.
	ErrClosed = delivery.ErrClosed
)

// AttributeError is a problem with one attribute, of an evaluation context or of tracking details.
type AttributeError struct {
	// Attribute is the attribute's name, or the way to a part of it as LaunchDarkly writes attribute references:
	// "/cart/items/3". In a multi-context, the first step is the context kind. The keys of maps inside a value are part of
	// the way, so that it may hold personal data; the provider's own log has the name alone.
	Attribute string
	// Err says what is wrong. It matches one of this package's errors.
	Err error

	name string // the attribute's own, with its kind in a multi-context
}

// attributeError is about the part that the path leads to, below the attribute that the name leads to.
func attributeError(err error, name []string, path ...string) *AttributeError {
	return &AttributeError{Attribute: reference(slices.Concat(name, path)), Err: err, name: reference(name)}
}

func reference(path []string) string {
	return jsonvalue.String(jsonvalue.Problem{Path: path[1:]}.Reference(path[0]))
}

// Error names the attribute and says what is wrong with it.
func (e *AttributeError) Error() string { return fmt.Sprintf("attribute %q: %v", e.Attribute, e.Err) }

// Unwrap gives the cause.
func (e *AttributeError) Unwrap() error { return e.Err }

// TrackingError is a problem with one call of Track.
type TrackingError struct {
	// EventName is the name that was tracked.
	EventName string
	// Sent is true where the event is sent all the same, without the part that Err is about.
	Sent bool
	// Err says what is wrong. It matches one of this package's errors.
	Err error
}

// Error names the event and says what is wrong.
func (e *TrackingError) Error() string { return fmt.Sprintf("track %q: %v", e.EventName, e.Err) }

// Unwrap gives the cause.
func (e *TrackingError) Unwrap() error { return e.Err }

// maxProblems bounds how many problems with one input are told. The last of so many is ErrTooManyProblems.
const maxProblems = 32

// problems are what was wrong with one input: an evaluation context, tracking details, or a default value.
type problems []error

// add takes in a problem, up to a bound: thousands of attributes that are wrong are wrong for the same few reasons.
func (p *problems) add(err error) {
	switch len(*p) {
	case maxProblems:
	case maxProblems - 1:
		*p = append(*p, ErrTooManyProblems)
	default:
		*p = append(*p, err)
	}
}

// addParts takes in what had to be left out of the value of the attribute that the name leads to.
func (p *problems) addParts(parts []jsonvalue.Problem, name ...string) {
	for _, part := range parts {
		p.add(attributeError(part.Err, name, part.Path...))
	}
}
