package launchdarkly

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/launchdarkly/go-sdk-common/v3/ldattr"
	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/lderrors"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/open-feature/go-sdk/openfeature"

	"github.com/openfeature-launchdarkly/go-provider/internal/jsonvalue"
	"github.com/openfeature-launchdarkly/go-provider/internal/logtext"
)

// The attributes of an evaluation context that have a meaning to LaunchDarkly, besides the kind.
const (
	keyAttribute               = ldattr.KeyAttr
	nameAttribute              = ldattr.NameAttr
	anonymousAttribute         = ldattr.AnonymousAttr
	privateAttributesAttribute = "privateAttributes"
	metaAttribute              = "_meta"
)

// The bounds of an evaluation context, besides those of [jsonvalue.Budget].
const (
	maxAttributes = 1000 // in all contexts of a multi-context together
	maxContexts   = 100  // in a multi-context
)

// contextMapper converts evaluation contexts to LaunchDarkly contexts, by the table in the package
// documentation. It has no state and does not log.
type contextMapper struct {
	kindAttribute string
}

// toLaunchDarkly converts an evaluation context into *out, which avoids copying a large value. If
// targetingKey is empty, a targeting key among the attributes is used. The attributes are not
// modified.
//
// The warnings are about attributes that were omitted, changed, or made private without being
// listed; err is the reason why there is no context.
func (m contextMapper) toLaunchDarkly(
	out *ldcontext.Context, targetingKey string, attributes map[string]any,
) (warnings []error, err error) {
	b := contextBuilder{kindAttribute: m.kindAttribute}
	err = b.build(out, ldcontext.DefaultKind, targetingKey, attributes)
	return b.warnings, err
}

// contextBuilder is the state of one conversion. The result does not depend on the order of maps: a
// context with anything to omit or to change is converted again, in the order of the names.
type contextBuilder struct {
	kindAttribute string
	parent        string            // the kind of the current context of a multi-context
	shared        privateAttributes // of all contexts of a multi-context
	warnings      problems

	budget      jsonvalue.Budget
	attributes  int // converted so far
	keyBytes    int // of keys, and of kinds in a multi-context
	comparisons int // of private attributes, see hide
}

// warn adds a warning about the part at path of an attribute of the current context.
func (b *contextBuilder) warn(err error, attribute string, path ...string) {
	b.warnings.add(attributeError(err, b.qualified(attribute), path...))
}

// qualified returns an attribute's name, after the context kind in a multi-context.
func (b *contextBuilder) qualified(attribute string) []string {
	if b.parent != "" {
		return []string{b.parent, attribute}
	}
	return []string{attribute}
}

// individual is a context of one kind under construction.
type individual struct {
	kind         ldcontext.Kind
	builder      ldcontext.Builder
	targetingKey string
	key          string
	anonymous    bool
	lists        bool          // there are lists of private attributes
	value        ldvalue.Value // of the current attribute
}

// build converts the attributes of a context, which is of the given kind unless they say otherwise.
func (b *contextBuilder) build(
	out *ldcontext.Context, kind ldcontext.Kind, targetingKey string, attributes map[string]any,
) error {
	if b.attributes += len(attributes); b.attributes > maxAttributes {
		attributes = b.limit(attributes)
	}
	if b.parent == "" && targetingKey == "" && attributes[b.kindAttribute] == any(string(ldcontext.MultiKind)) {
		return b.multi(out, attributes)
	}
	before, budget := len(b.warnings), b.budget
	c := individual{kind: kind, targetingKey: targetingKey}
	c.reserve(len(attributes))
	inOrder := before == maxProblems
	for name, v := range attributes {
		if inOrder {
			break
		}
		b.read(&c, name, v)
		inOrder = len(b.warnings) > before
	}
	if inOrder {
		b.warnings, b.budget = b.warnings[:before], budget
		c = individual{kind: kind, targetingKey: targetingKey}
		c.reserve(len(attributes))
		for _, name := range slices.Sorted(maps.Keys(attributes)) {
			b.read(&c, name, attributes[name])
		}
	}
	switch {
	case c.kind == ldcontext.MultiKind && b.parent == "":
		b.warnings, b.budget = b.warnings[:before], budget // the attributes were read as those of one context
		return b.multi(out, attributes)
	case c.kind == "": // LaunchDarkly's builder would make it a user
		return invalidContext(lderrors.ErrContextKindEmpty{})
	}
	key, err := b.key(&c)
	if err != nil {
		return err
	}
	*out = c.builder.Kind(c.kind).Key(key).Anonymous(c.anonymous).Build()
	if c.kind != ldcontext.DefaultKind { // nothing else can be invalid
		if err := out.Err(); err != nil {
			return invalidContext(err)
		}
	}
	if c.lists || b.shared.all || len(b.shared.refs) > 0 {
		private := b.inherited()
		b.readPrivate(&private, attributes)
		b.hide(&c.builder, private, out)
	}
	return nil
}

// reserve makes room for n attributes, one of which is likely to be the targeting key or the kind.
func (c *individual) reserve(n int) {
	if n > smallMap+1 {
		c.builder = *ldcontext.NewBuilderWithCapacity("", n-1)
	}
}

// smallMap is the number of entries up to which Go's maps have one size.
const smallMap = 8

// read reads an attribute.
func (b *contextBuilder) read(c *individual, name string, v any) {
	if name == b.kindAttribute && b.parent == "" { // inside a multi-context, the kind is the name of the context
		b.readKind(c, v)
		return
	}
	switch name {
	case privateAttributesAttribute, metaAttribute:
		c.lists = true
	case openfeature.TargetingKey:
		if c.targetingKey == "" {
			c.targetingKey = b.text(c, name, v)
		}
	case keyAttribute:
		c.key = b.text(c, name, v)
	case nameAttribute, anonymousAttribute, ldattr.KindAttr, "":
		if b.convert(&c.value, name, v) {
			b.readBuiltIn(c, name)
		}
	default:
		if b.convert(&c.value, name, v) {
			c.builder.SetValue(jsonvalue.String(name), c.value)
		}
	}
}

// readBuiltIn reads the current attribute, which has a meaning to LaunchDarkly.
func (b *contextBuilder) readBuiltIn(c *individual, name string) {
	switch name {
	case nameAttribute:
		if c.value.IsString() {
			c.builder.Name(c.value.StringValue())
		} else if !c.value.IsNull() {
			b.warn(ErrAttributeType, name)
		}
	case anonymousAttribute:
		c.anonymous = c.value.BoolValue()
		if !c.value.IsBool() && !c.value.IsNull() {
			b.warn(ErrAttributeType, name)
		}
	case ldattr.KindAttr: // of a context of a multi-context, or the kind is in another attribute
		if redundant := c.value.IsNull() || c.value.StringValue() == string(c.kind); b.parent == "" || !redundant {
			b.warn(ErrAttributeIgnored, name)
		}
	default: // an empty name
		b.warn(ErrAttributeIgnored, name)
	}
}

// text returns the value of an attribute that holds a key, or "" if it is not a string. Keys have a
// bound of their own, as kinds do.
func (b *contextBuilder) text(c *individual, name string, v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	if !b.convert(&c.value, name, v) {
		return ""
	}
	return c.value.StringValue()
}

// readKind reads the attribute that holds the kind.
func (b *contextBuilder) readKind(c *individual, v any) {
	if s, ok := v.(string); ok {
		c.kind = ldcontext.Kind(s)
	} else if ok, _ := b.budget.Convert(&c.value, v); ok && c.value.IsString() {
		c.kind = ldcontext.Kind(c.value.StringValue())
	} else {
		b.warn(ErrAttributeType, b.kindAttribute)
	}
}

// convert sets *out to the value of an attribute. It returns false if the attribute is left out.
func (b *contextBuilder) convert(out *ldvalue.Value, name string, v any) bool {
	if len(name) <= jsonvalue.MaxPlain && jsonvalue.Plain(out, v) {
		return true
	}
	ok, problems := b.budget.ConvertMember(out, name, v)
	if problems != nil {
		b.warnings.addParts(problems, b.qualified(name)...)
	}
	return ok
}

// key returns the key of a context.
func (b *contextBuilder) key(c *individual) (string, error) {
	key := c.targetingKey
	switch {
	case key == "" && c.key == "":
		return "", b.missingKey(c.kind)
	case key == "":
		key = c.key
	case c.key != "":
		b.warn(errKeyTwice, keyAttribute)
	}
	if b.keyBytes += len(c.kind) + len(key); b.keyBytes > maxKeyBytes {
		return "", invalidContext(errKeysTooLarge)
	}
	return jsonvalue.String(key), nil
}

// limit returns those of the attributes of one context that are within the bound.
func (b *contextBuilder) limit(attributes map[string]any) map[string]any {
	n := max(0, len(attributes)+maxAttributes-b.attributes)
	kept := firstAttributes(attributes, n, b.kindAttribute, openfeature.TargetingKey, keyAttribute, nameAttribute,
		anonymousAttribute, privateAttributesAttribute, metaAttribute)
	if len(kept) < len(attributes) {
		b.warnings.add(errTooManyAttributes)
	}
	return kept
}

// firstAttributes returns the attributes of the given names, and the n others whose names sort
// first: the same ones each time. It takes time in proportion to the number of attributes, of which
// there may be very many.
func firstAttributes(attributes map[string]any, n int, always ...string) map[string]any {
	kept := make(map[string]any)
	for _, name := range always {
		if v, ok := attributes[name]; ok {
			kept[name] = v
		}
	}
	var names []string // the first n so far, in order, and then names that may belong there
	full := false
	truncate := func() {
		slices.Sort(names)
		full = len(names) >= n
		names = names[:min(n, len(names))]
	}
	for name := range attributes {
		if _, ok := kept[name]; ok || full && (n == 0 || name > names[n-1]) {
			continue
		}
		if names = append(names, name); len(names) >= 2*n {
			truncate()
		}
	}
	truncate()
	for _, name := range names {
		kept[name] = attributes[name]
	}
	return kept
}

// missingKey returns the error for a context of the given kind that has no key.
func (b *contextBuilder) missingKey(kind ldcontext.Kind) error {
	if b.parent != "" {
		return fmt.Errorf("%w: the %q context of the multi-context has neither a %s nor a %s",
			ErrTargetingKeyMissing, logtext.Cut(string(kind)), openfeature.TargetingKey, keyAttribute)
	}
	return fmt.Errorf("%w: the evaluation context has neither a %s nor a %s",
		ErrTargetingKeyMissing, openfeature.TargetingKey, keyAttribute)
}

// multi converts an evaluation context whose attributes are contexts of their own, each under its
// kind.
func (b *contextBuilder) multi(out *ldcontext.Context, attributes map[string]any) error {
	b.attributes = 0 // those of the contexts count
	b.readPrivate(&b.shared, attributes)
	var few [8]string
	kinds := few[:0]
	for name := range attributes {
		switch name {
		case b.kindAttribute, openfeature.TargetingKey, privateAttributesAttribute, metaAttribute:
		default:
			kinds = append(kinds, name)
		}
	}
	slices.Sort(kinds)
	multi := ldcontext.NewMultiBuilder()
	contexts := 0
	for _, kind := range kinds {
		part, problem := b.object(kind, attributes[kind])
		if part == nil {
			b.warn(problem, kind)
			continue
		}
		if contexts++; contexts > maxContexts {
			b.warnings.add(errTooManyContexts)
			break
		}
		b.parent = kind
		err := b.build(out, ldcontext.Kind(kind), "", part)
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

// object returns the attributes of a context of a multi-context: those of a map, or of anything
// that is an object in JSON. For what is not, it returns nil, and why.
func (b *contextBuilder) object(kind string, v any) (map[string]any, error) {
	switch v := v.(type) {
	case map[string]any:
		if v == nil {
			return nil, errNotAnObject
		}
		return v, nil
	case openfeature.FlattenedContext:
		return v, nil
	case openfeature.EvaluationContext:
		return jsonvalue.Flatten(v), nil
	}
	var value ldvalue.Value
	ok, problems := b.budget.Convert(&value, v) // the attributes count again when they are read
	switch {
	case isTooLarge(problems):
		return nil, ErrTooLarge
	case !ok || value.Type() != ldvalue.ObjectType:
		return nil, errNotAnObject
	}
	attributes := membersOf(value)
	for _, p := range problems {
		b.warnings.add(attributeError(p.Err, []string{kind, p.Path[0]}, p.Path[1:]...))
		// A list of private attributes may have been left out.
		if errors.Is(p.Err, ErrTooManyProblems) || p.Path[0] == privateAttributesAttribute || p.Path[0] == metaAttribute {
			attributes[privateAttributesAttribute] = unreadable
		}
	}
	return attributes, nil
}

// membersOf returns the members of an object.
func membersOf(object ldvalue.Value) map[string]any {
	members := make(map[string]any, object.Count())
	for _, name := range object.Keys(nil) {
		members[name] = object.GetByKey(name)
	}
	return members
}

// isTooLarge reports whether a value was left out as a whole.
func isTooLarge(problems []jsonvalue.Problem) bool {
	return len(problems) == 1 && len(problems[0].Path) == 0 && errors.Is(problems[0].Err, ErrTooLarge)
}

var (
	errNotAnObject       = fmt.Errorf("%w: a multi-context holds only objects", ErrAttributeIgnored)
	errKeyTwice          = fmt.Errorf("%w: the targeting key is set, too", ErrAttributeIgnored)
	errTooManyAttributes = fmt.Errorf("%w: more than %d attributes", ErrTooLarge, maxAttributes)
	errTooManyContexts   = fmt.Errorf("%w: more than %d contexts in a multi-context", ErrTooLarge, maxContexts)
	errKeysTooLarge      = fmt.Errorf("%w: more than 64 KiB of context keys and kinds", ErrTooLarge)
)

// invalidContext returns an error with LaunchDarkly's message.
func invalidContext(err error) error { return &contextError{err: err} }

// contextError matches [ErrInvalidContext] and LaunchDarkly's own error.
type contextError struct{ err error }

func (e *contextError) Error() string { return e.err.Error() }

func (e *contextError) Unwrap() []error { return []error{ErrInvalidContext, e.err} }
