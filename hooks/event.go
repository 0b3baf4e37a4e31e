package hooks

import (
	"log/slog"
	"slices"

	"github.com/open-feature/go-sdk/openfeature"
)

// Event is one flag evaluation. It is a plain value, but copies share Attributes, whose memory the
// hook reuses for later events: see [Event.Clone].
type Event struct {
	// Name is feature_flag.evaluation unless an event mutator changed it.
	Name string

	// FlagKey is the key of the evaluated flag.
	FlagKey string

	// Variant is the variant in the evaluation details. It is empty if the provider has none, and
	// if another hook failed, because the caller then gets the default value. It may be set
	// although the evaluation failed, for example because the value has the wrong type.
	Variant string

	// Reason is the reason as reported by the provider, or ERROR if the evaluation failed.
	Reason openfeature.Reason

	// ErrorCode is empty if the evaluation succeeded.
	ErrorCode openfeature.ErrorCode

	// ProviderName is the name in the provider's metadata.
	ProviderName string

	// Domain is the domain of the client, empty for the default domain.
	Domain string

	// EvaluationContext is the context that was evaluated: the API's, transaction's, client's and
	// invocation's context as merged by OpenFeature, with the additions of before hooks. Options do
	// not remove anything from it.
	EvaluationContext openfeature.EvaluationContext

	// Attributes are what sinks send. They are valid until Emit returns: see [Event.Clone]. Each
	// key occurs once. The kind of a value is one of [slog.KindString], [slog.KindBool],
	// [slog.KindInt64] and [slog.KindFloat64]. Keys and strings are valid UTF-8, and floats are
	// finite.
	Attributes []slog.Attr
}

// Attribute returns the value of the attribute with the given key, and whether it exists.
func (e *Event) Attribute(key string) (slog.Value, bool) {
	for i := range e.Attributes {
		if e.Attributes[i].Key == key {
			return e.Attributes[i].Value, true
		}
	}
	return slog.Value{}, false
}

// Set adds an attribute, or replaces the one with the same key. An attribute with an empty key is
// ignored. Set is for event mutators; sinks must not change the event that they receive.
func (e *Event) Set(attr slog.Attr) {
	if attr.Key == "" {
		return
	}
	for i := range e.Attributes {
		if e.Attributes[i].Key == attr.Key {
			e.Attributes[i] = attr
			return
		}
	}
	e.Attributes = append(e.Attributes, attr)
}

// Remove deletes the attributes with the given keys and ignores keys that do not exist. Like
// [Event.Set], it is for event mutators.
func (e *Event) Remove(keys ...string) {
	e.Attributes = slices.DeleteFunc(e.Attributes, func(attr slog.Attr) bool {
		return slices.Contains(keys, attr.Key)
	})
}

// Clone returns a copy with its own Attributes, for a sink that keeps the event.
func (e *Event) Clone() Event {
	clone := *e
	clone.Attributes = slices.Clone(e.Attributes)
	return clone
}
