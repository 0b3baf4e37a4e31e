package launchdarkly

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/launchdarkly/go-sdk-common/v3/ldattr"
	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/lderrors"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/open-feature/go-sdk/openfeature"

	"github.com/openfeature-launchdarkly/go-provider/internal/jsonvalue"
)

// The attributes of an evaluation context that LaunchDarkly gives a meaning to, besides the kind.
const (
	keyAttribute               = ldattr.KeyAttr
	nameAttribute              = ldattr.NameAttr
	anonymousAttribute         = ldattr.AnonymousAttr
	privateAttributesAttribute = "privateAttributes"
	metaAttribute              = "_meta"
)

// contextMapper turns evaluation contexts into LaunchDarkly contexts, by the table in the package documentation. It
// keeps no state and logs nothing: it returns what was wrong.
type contextMapper struct {
	kindAttribute string
}

// attribute is an attribute of an evaluation context, as the application set it.
type attribute struct {
	name  string
	value any
}

// appendAttributes appends the attributes of an evaluation context, in any order.
func appendAttributes(list []attribute, attributes map[string]any) []attribute {
	for name, v := range attributes {
		list = append(list, attribute{name, v})
	}
	return list
}

// toLaunchDarkly maps one evaluation context into out, a large value that is not copied around here for speed. The
// targeting key is the one that OpenFeature holds beside the attributes; where it is empty, the attribute of that name
// counts. The order of the attributes may change; their values may be used by others at the same time.
//
// warnings are about attributes that were left out or read otherwise than they were meant; err says why there is no
// context at all.
func (m contextMapper) toLaunchDarkly(
	out *ldcontext.Context, targetingKey string, attributes []attribute,
) (warnings []error, err error) {
	b := contextBuilder{kindAttribute: m.kindAttribute}
	kind := b.kind(attributes)
	if kind == ldcontext.MultiKind {
		err = b.multi(out, attributes)
	} else {
		err = b.single(out, kind, targetingKey, attributes)
	}
	return b.warnings, err
}

// contextBuilder collects the warnings of one mapping.
type contextBuilder struct {
	kindAttribute string
	parent        string            // the kind of the part of a multi-context that is being read
	shared        privateAttributes // of all parts of a multi-context
	warnings      problems
}

// warn adds a warning about the attribute.
func (b *contextBuilder) warn(err error, attribute string) {
	b.warnings.add(attributeError(err, b.nameOf(attribute)))
}

// nameOf tells the attributes of the parts of a multi-context apart.
func (b *contextBuilder) nameOf(attribute string) []string {
	if b.parent != "" {
		return []string{b.parent, attribute}
	}
	return []string{attribute}
}

// kind reads the context kind of an evaluation context; without one, it is a user.
func (b *contextBuilder) kind(attributes []attribute) ldcontext.Kind {
	for i := range attributes {
		if attributes[i].name != b.kindAttribute {
			continue
		}
		kind, ok := text(attributes[i].value)
		if !ok {
			b.warn(ErrAttributeType, b.kindAttribute)
			break
		}
		return ldcontext.Kind(kind)
	}
	return ldcontext.DefaultKind
}

// single maps the attributes of one context of the given kind.
func (b *contextBuilder) single(
	out *ldcontext.Context, kind ldcontext.Kind, targetingKey string, attributes []attribute,
) error {
	if kind == "" { // LaunchDarkly's builder would take it for a user
		return invalidContext(lderrors.ErrContextKindEmpty{})
	}
	var builder ldcontext.Builder
	if n := b.customAttributes(attributes); n > smallMap {
		builder = *ldcontext.NewBuilderWithCapacity("", n)
	}
	targetingKey = jsonvalue.String(targetingKey)
	var key string
	private := b.shared
	for i := range attributes {
		name, v := attributes[i].name, attributes[i].value
		if name == b.kindAttribute && b.parent == "" {
			continue // it has been read; a part of a multi-context has its kind, so that this is an attribute there
		}
		switch name {
		case openfeature.TargetingKey:
			if targetingKey == "" {
				targetingKey, _ = text(v)
			}
		case keyAttribute:
			key, _ = text(v)
		case nameAttribute:
			if s, ok := text(v); ok {
				builder.Name(s)
			} else if !isNull(v) {
				b.warn(ErrAttributeType, name)
			}
		case anonymousAttribute:
			if anonymous, ok := boolean(v); ok {
				builder.Anonymous(anonymous)
			} else if !isNull(v) {
				b.warn(ErrAttributeType, name)
			}
		case privateAttributesAttribute:
			if !private.add(v) {
				b.warn(ErrPrivateAttributes, name)
			}
		case metaAttribute:
			if !private.addMeta(v) {
				b.warn(ErrPrivateAttributes, name)
			}
		case ldattr.KindAttr: // of a part, or where another attribute holds the kind
			if again, _ := text(v); b.parent == "" || again != string(kind) && !isNull(v) {
				b.warn(ErrAttributeIgnored, name)
			}
		case "":
			b.warn(ErrAttributeIgnored, name)
		default:
			b.set(&builder, name, v)
		}
	}
	if targetingKey != "" {
		if key != "" {
			b.warn(fmt.Errorf("%w: the targeting key is set, too", ErrAttributeIgnored), keyAttribute)
		}
		key = targetingKey
	}
	if key == "" {
		return b.missingKey(kind)
	}
	private.apply(&builder, attributes)
	*out = builder.Kind(kind).Key(key).Build()
	if err := out.Err(); err != nil {
		return invalidContext(err)
	}
	return nil
}

func (b *contextBuilder) missingKey(kind ldcontext.Kind) error {
	if b.parent != "" {
		return fmt.Errorf("%w: the %q context of the multi-context has neither a %s nor a %s",
			ErrTargetingKeyMissing, kind, openfeature.TargetingKey, keyAttribute)
	}
	return fmt.Errorf("%w: the evaluation context has neither a %s nor a %s",
		ErrTargetingKeyMissing, openfeature.TargetingKey, keyAttribute)
}

// smallMap is how many entries a Go map holds before its size makes a difference.
const smallMap = 8

// customAttributes counts the attributes that end up in LaunchDarkly's map, as far as that can be more than a small one:
// a map that is sized for the others, too, can be twice as large.
func (b *contextBuilder) customAttributes(attributes []attribute) int {
	n := len(attributes)
	if n <= smallMap {
		return n
	}
	for i := range attributes {
		switch attributes[i].name {
		case b.kindAttribute, openfeature.TargetingKey, keyAttribute, nameAttribute, anonymousAttribute,
			privateAttributesAttribute, metaAttribute:
			n--
		}
	}
	return n
}

// set adds a custom attribute.
func (b *contextBuilder) set(builder *ldcontext.Builder, name string, v any) {
	value, ok, problems := jsonvalue.Convert(v)
	if ok {
		builder.SetValue(jsonvalue.String(name), value)
	}
	if problems != nil {
		b.warnings.addParts(problems, b.nameOf(name)...)
	}
}

// multi maps an evaluation context whose attributes are contexts of their own, each under its kind.
func (b *contextBuilder) multi(out *ldcontext.Context, attributes []attribute) error {
	multi := ldcontext.NewMultiBuilder()
	// Always the same error where several are possible.
	slices.SortFunc(attributes, func(a, b attribute) int { return strings.Compare(a.name, b.name) })
	b.share(attributes)
	var attributesOfPart []attribute
	for i := range attributes {
		kind := attributes[i].name
		switch kind {
		case b.kindAttribute, openfeature.TargetingKey, privateAttributesAttribute, metaAttribute:
			continue
		}
		part, problems := objectOf(attributes[i].value)
		for _, p := range problems { // the first step is an attribute of the part
			b.warnings.add(attributeError(p.Err, []string{kind, p.Path[0]}, p.Path[1:]...))
		}
		if part == nil {
			b.warn(fmt.Errorf("%w: a multi-context holds only objects", ErrAttributeIgnored), kind)
			continue
		}
		b.parent = kind
		attributesOfPart = appendAttributes(attributesOfPart[:0], part)
		err := b.single(out, ldcontext.Kind(kind), "", attributesOfPart)
		b.parent = ""
		if err != nil {
			return err
		}
		multi.Add(*out)
	}
	*out = multi.Build()
	if err := out.Err(); err != nil {
		return invalidContext(err)
	}
	return nil
}

// share reads private attributes that stand beside the parts. LaunchDarkly has no place for them there; to hide too much
// is better than to hide too little.
func (b *contextBuilder) share(attributes []attribute) {
	for i := range attributes {
		name, v := attributes[i].name, attributes[i].value
		if name == privateAttributesAttribute && !b.shared.add(v) || name == metaAttribute && !b.shared.addMeta(v) {
			b.warn(ErrPrivateAttributes, name)
		}
	}
	b.shared.refs = slices.Clip(b.shared.refs) // each part adds to it
}

// objectOf reads a value that may be a context of its own: anything that is an object in JSON. It gives nil for what is
// none, and the problems with the parts that it had to leave out.
func objectOf(v any) (map[string]any, []jsonvalue.Problem) {
	switch v := v.(type) {
	case map[string]any:
		return v, nil
	case openfeature.FlattenedContext:
		return v, nil
	case openfeature.EvaluationContext:
		return jsonvalue.Flatten(v), nil
	}
	value, _, problems := jsonvalue.Convert(v)
	if value.Type() != ldvalue.ObjectType {
		return nil, nil
	}
	object := value.AsValueMap().AsArbitraryValueMap()
	for _, p := range problems {
		// What was left out may have been private attributes, or what named them.
		if len(problems) == jsonvalue.MaxProblems || errors.Is(p.Err, jsonvalue.ErrTooLarge) ||
			p.Path[0] == privateAttributesAttribute || p.Path[0] == metaAttribute {
			object[privateAttributesAttribute] = unreadable
		}
	}
	return object, problems
}

// text reads what is a string in JSON.
func text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return jsonvalue.String(v), true
	case nil:
		return "", false
	}
	value, ok, _ := jsonvalue.Convert(v)
	return value.StringValue(), ok && value.IsString()
}

// isNull tells what is null in JSON, and so says nothing.
func isNull(v any) bool {
	value, ok, _ := jsonvalue.Convert(v)
	return ok && value.IsNull()
}

// boolean reads what is true or false in JSON.
func boolean(v any) (value, ok bool) {
	if v, ok := v.(bool); ok {
		return v, true
	}
	converted, ok, _ := jsonvalue.Convert(v)
	return converted.BoolValue(), ok && converted.IsBool()
}

// unreadable stands for a list of private attributes that can't be read.
const unreadable = false

// privateAttributes collects the references to a context's private attributes. It fails closed: one that can't be read
// makes all of them private.
type privateAttributes struct {
	refs       []ldattr.Ref
	unreadable bool
}

// add reads a list of attribute references, and reports whether it could.
func (p *privateAttributes) add(v any) bool {
	names, ok := v.([]string)
	if !ok {
		names, ok = texts(v)
	}
	for _, name := range names {
		ref := ldattr.NewRef(jsonvalue.String(name))
		if ref.Err() != nil {
			ok = false
			continue
		}
		p.refs = append(p.refs, ref)
	}
	p.unreadable = p.unreadable || !ok
	return ok
}

// addMeta reads the notation of LaunchDarkly's own JSON.
func (p *privateAttributes) addMeta(v any) bool {
	if isNull(v) {
		return true
	}
	meta, _ := objectOf(v)
	if meta == nil {
		return p.add(unreadable)
	}
	ok := true
	for name, v := range meta {
		switch {
		case name == privateAttributesAttribute:
			ok = p.add(v) && ok
		case !isNull(v): // it may be a list of private attributes, misspelled
			ok = p.add(unreadable) && ok
		}
	}
	return ok
}

// texts reads what is an array of strings in JSON. ok is false where any part of it is something else. A nil slice is one
// of none, as it is in Go; in JSON it would be null.
func texts(v any) (list []string, ok bool) {
	if none := reflect.ValueOf(v); none.Kind() == reflect.Slice && none.IsNil() {
		switch none.Type().Elem().Kind() {
		case reflect.String, reflect.Interface:
			return nil, true
		}
	}
	value, ok, problems := jsonvalue.Convert(v)
	if !ok || problems != nil || value.Type() != ldvalue.ArrayType {
		return nil, false
	}
	for _, element := range value.AsValueArray().AsSlice() {
		if !element.IsString() {
			return nil, false
		}
		list = append(list, element.StringValue())
	}
	return list, true
}

// apply tells the builder. Where the list could not be read, that is every optional attribute.
func (p *privateAttributes) apply(builder *ldcontext.Builder, attributes []attribute) {
	if p.unreadable {
		for i := range attributes {
			if name := attributes[i].name; name != openfeature.TargetingKey {
				p.refs = append(p.refs, ldattr.NewLiteralRef(jsonvalue.String(name)))
			}
		}
	}
	if len(p.refs) > 0 {
		builder.PrivateRef(p.refs...)
	}
}

// invalidContext keeps LaunchDarkly's message and error.
func invalidContext(err error) error { return &contextError{err: err} }

// contextError reads as LaunchDarkly's error does, and matches [ErrInvalidContext], too.
type contextError struct{ err error }

func (e *contextError) Error() string { return e.err.Error() }

func (e *contextError) Unwrap() []error { return []error{ErrInvalidContext, e.err} }
