package jsonvalue

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// field is one member of a struct's JSON object.
type field struct {
	name      string
	index     []int // the way to it through embedded structs
	tagged    bool  // the name comes from a tag
	omitEmpty bool
	isZero    func(reflect.Value) bool // reports whether omitzero leaves the field out; nil without that option
	quoted    bool
}

// of returns the field's value in v. There is none if an embedded pointer on the way is nil.
func (f field) of(v reflect.Value) (reflect.Value, bool) {
	for _, i := range f.index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return reflect.Value{}, false
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v, true
}

// embedded is a struct whose fields count as those of the struct around it.
type embedded struct {
	of    reflect.Type
	index []int
	twice bool // the type is embedded more than once at this depth, so that its fields hide one another
}

// fieldsOf returns the fields that encoding/json writes of a struct: the exported ones, and those
// of embedded structs unless a shallower field, or one of the same depth with a tag, has the same
// name. If several remain, none is written.
func fieldsOf(t reflect.Type) []field {
	var found []field
	seen := map[reflect.Type]bool{}
	for level := []embedded{{of: t}}; len(level) > 0; {
		var next []embedded
		for _, e := range level {
			if seen[e.of] {
				continue
			}
			seen[e.of] = true
			for i := range e.of.NumField() {
				sf := e.of.Field(i)
				index := append(slices.Clip(e.index), i)
				f, inner, ok := fieldOf(sf, index)
				switch {
				case !ok:
				case inner == nil:
					found = append(found, f)
					if e.twice {
						found = append(found, f)
					}
				default:
					next = embed(next, inner, index)
				}
			}
		}
		level = next
	}
	return dominant(found)
}

// embed adds a struct to those of the next depth.
func embed(next []embedded, inner reflect.Type, index []int) []embedded {
	for i := range next {
		if next[i].of == inner {
			next[i].twice = true
			return next
		}
	}
	return append(next, embedded{of: inner, index: index})
}

// fieldOf returns the member that a field becomes or, for an embedded struct without a name, the
// type of that. It returns false if encoding/json ignores the field.
func fieldOf(sf reflect.StructField, index []int) (f field, inner reflect.Type, ok bool) {
	if !sf.IsExported() && (!sf.Anonymous || pointedTo(sf.Type).Kind() != reflect.Struct) {
		return field{}, nil, false
	}
	tag := sf.Tag.Get("json")
	if tag == "-" {
		return field{}, nil, false
	}
	name, options, _ := strings.Cut(tag, ",")
	if !isName(name) {
		name = ""
	}
	t := sf.Type
	if t.Name() == "" {
		t = pointedTo(t)
	}
	if name == "" && sf.Anonymous && t.Kind() == reflect.Struct {
		return field{}, t, true
	}
	f = field{name: cmp.Or(name, sf.Name), index: index, tagged: name != ""}
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "omitempty":
			f.omitEmpty = true
		case "omitzero":
			f.isZero = zeroTest(sf.Type)
		case "string":
			f.quoted = isScalar(t.Kind())
		}
	}
	return f, nil, true
}

// pointedTo returns the type that t points to, or t itself.
func pointedTo(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// isScalar reports whether the option "string" applies to the kind.
func isScalar(kind reflect.Kind) bool {
	return kind == reflect.Bool || kind == reflect.String || kind >= reflect.Int && kind <= reflect.Float64
}

// zeroer is a type that decides by itself whether omitzero leaves it out.
type zeroer interface{ IsZero() bool }

// zeroTest returns what encoding/json's omitzero asks a field of the type: its method IsZero, if it
// has one.
func zeroTest(t reflect.Type) func(reflect.Value) bool {
	switch {
	case t.Implements(reflect.TypeFor[zeroer]()):
		return func(v reflect.Value) bool { return isNil(v) || isZero(v) }
	case reflect.PointerTo(t).Implements(reflect.TypeFor[zeroer]()):
		return func(v reflect.Value) bool {
			if !v.CanInterface() {
				return v.IsZero()
			}
			pointer := reflect.New(t)
			pointer.Elem().Set(v)
			return isZero(pointer)
		}
	default:
		return reflect.Value.IsZero
	}
}

// isNil reports whether v is a nil pointer, or an interface without a value or with a nil pointer.
func isNil(v reflect.Value) bool {
	if v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

// isZero calls the method IsZero. A value whose method panics is not zero.
func isZero(v reflect.Value) bool {
	zero, _ := call(func() (bool, error) {
		z, ok := reflect.TypeAssert[zeroer](v)
		return ok && z.IsZero(), nil
	})
	return zero
}

// isName reports whether encoding/json accepts the name in a tag.
func isName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

// dominant keeps one field a name, by Go's rules for embedding with JSON tags on top, in the order
// of declaration.
func dominant(found []field) []field {
	slices.SortStableFunc(found, func(a, b field) int {
		return cmp.Or(strings.Compare(a.name, b.name), rank(a, b), slices.Compare(a.index, b.index))
	})
	var kept []field
	for i, f := range found {
		first := i == 0 || found[i-1].name != f.name
		rival := i+1 < len(found) && found[i+1].name == f.name && rank(f, found[i+1]) == 0
		if first && !rival {
			kept = append(kept, f)
		}
	}
	slices.SortFunc(kept, func(a, b field) int { return slices.Compare(a.index, b.index) })
	return kept
}

// rank orders fields of one name: shallower ones first, then tagged ones.
func rank(a, b field) int {
	switch {
	case len(a.index) != len(b.index) || a.tagged == b.tagged:
		return cmp.Compare(len(a.index), len(b.index))
	case a.tagged:
		return -1
	default:
		return 1
	}
}
