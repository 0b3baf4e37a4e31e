package launchdarkly

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/launchdarkly/go-sdk-common/v3/ldattr"
	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/open-feature/go-sdk/openfeature"

	"github.com/openfeature-launchdarkly/go-provider/internal/jsonvalue"
)

// The bounds of private attributes. For each event, LaunchDarkly's SDK compares each private
// attribute with each attribute of the context, and with each member of the objects that private
// attributes lead into.
const (
	maxPrivateAttributes = 1000      // of one context
	maxPrivateBytes      = 256 << 10 // of one context
	maxComparisons       = 1 << 18   // of all contexts of a multi-context
)

var (
	errPublic = fmt.Errorf("%w: LaunchDarkly always receives this attribute", ErrPrivateReference)
	errInside = fmt.Errorf("%w: it leads into what is not an object; the whole attribute is private", ErrPrivateReference)
	errBeside = fmt.Errorf("%w: it begins with a context kind; the whole attribute is private", ErrPrivateReference)
	errKind   = fmt.Errorf("%w: it is a context kind; all attributes of the context are private", ErrPrivateReference)

	errTooManyPrivate = fmt.Errorf("%w: too many private attributes; the context has no optional attributes", ErrTooLarge)
)

// unreadable represents a list of private attributes that cannot be read.
const unreadable = false

// privateAttributes are the references to the private attributes of a context.
type privateAttributes struct {
	refs  []ldattr.Ref
	bytes int  // of the references
	all   bool // every optional attribute is private
}

// readPrivate adds the private attributes that a context lists among its attributes.
func (b *contextBuilder) readPrivate(p *privateAttributes, attributes map[string]any) {
	if v, ok := attributes[privateAttributesAttribute]; ok && !b.addPrivate(p, v) {
		b.warn(ErrPrivateAttributes, privateAttributesAttribute)
	}
	if v, ok := attributes[metaAttribute]; ok && !b.addMeta(p, v) {
		b.warn(ErrPrivateAttributes, metaAttribute)
	}
}

// addPrivate adds a list of attribute references. If the list cannot be read, it returns false, and
// all attributes are private.
func (b *contextBuilder) addPrivate(p *privateAttributes, v any) bool {
	names, ok := v.([]string)
	if !ok {
		names, ok = b.texts(v)
	}
	if !ok || len(p.refs)+len(names) > maxPrivateAttributes {
		p.all = true
		return false
	}
	for _, name := range names {
		if p.bytes += len(name); p.bytes > maxPrivateBytes {
			p.all = true
			return false
		}
		ref := ldattr.NewRef(jsonvalue.String(name))
		if ref.Err() != nil {
			p.all = true
			return false
		}
		if attribute := ref.Component(0); b.isPublic(attribute) {
			b.warn(errPublic, attribute)
		}
		p.refs = append(p.refs, ref)
	}
	return true
}

// isPublic reports whether LaunchDarkly receives an attribute even if it is private.
func (b *contextBuilder) isPublic(attribute string) bool {
	switch attribute {
	case openfeature.TargetingKey, keyAttribute, ldattr.KindAttr, anonymousAttribute:
		return true
	default:
		return attribute == b.kindAttribute && b.parent == ""
	}
}

// addMeta adds the private attributes in the form of LaunchDarkly's JSON, as addPrivate does. Any
// other key may be a misspelled list of private attributes.
func (b *contextBuilder) addMeta(p *privateAttributes, v any) bool {
	meta, ok := v.(map[string]any)
	if !ok {
		var value ldvalue.Value
		ok, problems := b.budget.Convert(&value, v)
		switch {
		case ok && value.IsNull():
			return true
		case problems != nil || value.Type() != ldvalue.ObjectType:
			p.all = true
			return false
		}
		meta = membersOf(value)
	}
	for name, v := range meta {
		if name == privateAttributesAttribute {
			if !b.addPrivate(p, v) {
				return false
			}
		} else if !b.isNull(v) {
			p.all = true
			return false
		}
	}
	return true
}

// isNull reports whether a value is null in JSON.
func (b *contextBuilder) isNull(v any) bool {
	var value ldvalue.Value
	ok, _ := b.budget.Convert(&value, v)
	return ok && value.IsNull()
}

// texts reads a value that is an array of strings in JSON. A nil slice is an empty list, although
// encoding/json encodes it as null.
func (b *contextBuilder) texts(v any) (list []string, ok bool) {
	if slice := reflect.ValueOf(v); slice.Kind() == reflect.Slice && slice.IsNil() {
		switch slice.Type().Elem().Kind() {
		case reflect.String, reflect.Interface:
			return nil, true
		}
	}
	var value ldvalue.Value
	ok, problems := b.budget.Convert(&value, v)
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

// inherited returns the shared private attributes for the current context of a multi-context: each
// as it is, and those that begin with the context's kind also without the kind.
func (b *contextBuilder) inherited() privateAttributes {
	p := b.shared
	if b.comparisons > maxComparisons { // hide can't mark any
		return privateAttributes{all: p.all || len(p.refs) > 0}
	}
	p.refs = slices.Clone(p.refs)
	for _, ref := range b.shared.refs {
		switch {
		case ref.Component(0) != b.parent:
		case ref.Depth() == 1:
			b.warnings.add(attributeError(errKind, []string{b.parent}))
			p.all = true
		default:
			b.warn(errBeside, ref.Component(1))
			p.refs = append(p.refs, ldattr.NewLiteralRef(ref.Component(1)))
		}
	}
	return p
}

// hide marks the private attributes of a built context. If there are so many that each event would
// be expensive, it removes the optional attributes instead.
func (b *contextBuilder) hide(builder *ldcontext.Builder, private privateAttributes, out *ldcontext.Context) {
	if !private.all && len(private.refs) == 0 {
		return
	}
	var few [32]string
	names := out.GetOptionalAttributeNames(few[:0])
	refs, members := private.refs, 0
	if private.all {
		refs = make([]ldattr.Ref, len(names))
		for i, name := range names {
			refs[i] = ldattr.NewLiteralRef(name)
		}
	} else {
		members = b.follow(refs, out)
	}
	b.comparisons += len(refs) * (1 + len(names) + members)
	if b.comparisons > maxComparisons {
		b.warn(errTooManyPrivate, privateAttributesAttribute)
		*out = new(ldcontext.Builder).Kind(out.Kind()).Key(out.Key()).Anonymous(out.Anonymous()).Build()
		return
	}
	*out = builder.PrivateRef(refs...).Build()
}

// follow replaces each reference into a value that is not an object, such as an array, by a
// reference to the whole attribute, because LaunchDarkly would not find the referenced value and
// send it. It returns the number of members of the objects along the references, each multiplied by
// the length of its path.
func (b *contextBuilder) follow(refs []ldattr.Ref, context *ldcontext.Context) (members int) {
	var seen map[string]bool
	for i, ref := range refs {
		attribute := ref.Component(0)
		if ref.Depth() == 1 || b.isPublic(attribute) {
			continue
		}
		value := context.GetValue(attribute)
		path, end := ref.String(), 0
		for step := 1; step < ref.Depth() && !value.IsNull(); step++ {
			if value.Type() != ldvalue.ObjectType {
				b.warn(errInside, attribute, components(ref, 1, step)...)
				refs[i] = ldattr.NewLiteralRef(attribute)
				break
			}
			end += 1 + strings.IndexByte(path[end+1:], '/')
			if !seen[path[:end]] {
				if seen == nil {
					seen = make(map[string]bool)
				}
				seen[path[:end]] = true
				members += value.Count() * (step + 1) // each is compared step by step
			}
			value = value.GetByKey(ref.Component(step))
		}
	}
	return members
}

// components returns the components of a reference from one index to another.
func components(ref ldattr.Ref, from, to int) []string {
	var list []string
	for i := from; i < to; i++ {
		list = append(list, ref.Component(i))
	}
	return list
}
