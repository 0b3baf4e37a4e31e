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
	tagged    bool  // whether the name comes from a tag
	omitEmpty bool
	omitZero  bool
	quoted    bool
}

// of finds the field in v; there is none where an embedded pointer on the way is nil.
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
}

// fieldsOf lists what encoding/json would write of a struct: exported fields, and those of embedded structs unless a
// shallower field, or at the same depth one with a tag, has the same name. Where that leaves several, none is written.
func fieldsOf(t reflect.Type) []field {
	var found []field
	seen := map[reflect.Type]bool{t: true}
	for level := []embedded{{of: t}}; len(level) > 0; {
		var next []embedded
		var nextTypes []reflect.Type
		for _, e := range level {
			for i := range e.of.NumField() {
				sf := e.of.Field(i)
				index := append(slices.Clip(e.index), i)
				if inner := structOf(sf.Type); sf.Anonymous && inner != nil {
					if name, _, _ := strings.Cut(sf.Tag.Get("json"), ","); !isName(name) && sf.Tag.Get("json") != "-" {
						if !seen[inner] {
							next = append(next, embedded{of: inner, index: index})
							nextTypes = append(nextTypes, inner)
						}
						continue
					}
				}
				if f, ok := fieldOf(sf, index); ok {
					found = append(found, f)
				}
			}
		}
		for _, inner := range nextTypes { // the same type may be embedded twice at one depth, where it hides itself
			seen[inner] = true
		}
		level = next
	}
	return dominant(found)
}

// structOf gives the struct type that t is, or points to.
func structOf(t reflect.Type) reflect.Type {
	if t.Name() == "" && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	return t
}

// fieldOf reads the tag of a struct's own field.
func fieldOf(sf reflect.StructField, index []int) (field, bool) {
	tag := sf.Tag.Get("json")
	if tag == "-" || !sf.IsExported() && (!sf.Anonymous || structOf(sf.Type) == nil) {
		return field{}, false
	}
	name, options, _ := strings.Cut(tag, ",")
	f := field{name: name, index: index, tagged: true}
	if !isName(name) {
		f.name, f.tagged = sf.Name, false
	}
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "omitempty":
			f.omitEmpty = true
		case "omitzero":
			f.omitZero = true
		case "string":
			f.quoted = isScalar(sf.Type)
		}
	}
	return f, true
}

// isScalar tells what the string option is for: what has no notation of its own, and is a boolean, a number or a string.
func isScalar(t reflect.Type) bool {
	if t.Name() == "" && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if marshals(t) {
		return false
	}
	return t.Kind() == reflect.Bool || t.Kind() == reflect.String ||
		t.Kind() >= reflect.Int && t.Kind() <= reflect.Float64
}

// isName tells the names that encoding/json takes from a tag.
func isName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

// dominant keeps one field a name, by Go's rules for embedding with JSON tags on top, in the order of declaration.
func dominant(found []field) []field {
	byName := map[string][]field{}
	for _, f := range found {
		byName[f.name] = append(byName[f.name], f)
	}
	kept := found[:0]
	for _, f := range found {
		if winner, ok := winnerOf(byName[f.name]); ok && slices.Equal(winner.index, f.index) {
			kept = append(kept, f)
		}
	}
	slices.SortFunc(kept, func(a, b field) int { return slices.Compare(a.index, b.index) })
	return kept
}

// winnerOf picks the field that stands for a name among those that have it.
func winnerOf(candidates []field) (field, bool) {
	rank := func(a, b field) int {
		if a.tagged != b.tagged && len(a.index) == len(b.index) {
			if a.tagged {
				return -1
			}
			return 1
		}
		return cmp.Compare(len(a.index), len(b.index))
	}
	slices.SortStableFunc(candidates, rank)
	if len(candidates) > 1 && rank(candidates[0], candidates[1]) == 0 {
		return field{}, false
	}
	return candidates[0], true
}
