package jsonvalue

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strconv"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/open-feature/go-sdk/openfeature"
)

// walk converts what any has no case for: named types, pointers, containers, structs and marshalers. It follows pointers
// and interfaces to the value. Pointers add no depth: only what is an array or an object in JSON does.
func (c *converter) walk(v reflect.Value, depth int) (ldvalue.Value, bool) {
	for hops := 0; ; hops++ {
		if !v.IsValid() {
			return ldvalue.Null(), true
		}
		if value, ok, handled := c.special(v, depth); handled {
			return value, ok
		}
		switch v.Kind() {
		case reflect.Pointer:
			if v.IsNil() {
				return ldvalue.Null(), true
			}
			if hops >= MaxDepth {
				return c.fail(ErrTooDeep)
			}
			if err := c.enter(container{of: v.Type(), pointer: v.Pointer()}); err != nil {
				return c.fail(err)
			}
			defer c.leave() // bounded by MaxDepth hops
			v = v.Elem()
		case reflect.Interface:
			v = v.Elem()
		default:
			return c.kind(v, depth)
		}
	}
}

// special converts the types that have a JSON form of their own, in the order of encoding/json: a method on the value,
// then one on a pointer to it where the value is addressable.
func (c *converter) special(v reflect.Value, depth int) (value ldvalue.Value, ok, handled bool) {
	if !v.CanInterface() {
		return ldvalue.Null(), false, false
	}
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return ldvalue.Null(), true, true
	}
	if v.Kind() != reflect.Pointer && v.Kind() != reflect.Interface && v.CanAddr() {
		// A method with a pointer receiver. The type's own forms below win where it has one of those.
		if value, ok, handled := c.ofType(v.Interface(), depth); handled {
			return value, ok, true
		}
		v = v.Addr()
	}
	return c.ofType(v.Interface(), depth)
}

// ofType converts x where its type has a JSON form that its kind does not tell.
func (c *converter) ofType(x any, depth int) (value ldvalue.Value, ok, handled bool) {
	switch x := x.(type) {
	case time.Time, ldvalue.Value, openfeature.EvaluationContext, json.RawMessage, json.Number:
		value, ok = c.any(x, depth)
		return value, ok, true
	case *time.Time, *ldvalue.Value, *json.RawMessage:
		return ldvalue.Null(), false, false // walk goes on to what it points to
	case json.Marshaler:
		value, ok = c.marshaled(x, depth)
		return value, ok, true
	case encoding.TextMarshaler:
		value, ok = c.texted(x)
		return value, ok, true
	default:
		return ldvalue.Null(), false, false
	}
}

func (c *converter) kind(v reflect.Value, depth int) (ldvalue.Value, bool) {
	switch v.Kind() {
	case reflect.Bool:
		return ldvalue.Bool(v.Bool()), true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return ldvalue.Float64(float64(v.Int())), true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return ldvalue.Float64(float64(v.Uint())), true
	case reflect.Float32:
		return c.float32(float32(v.Float()))
	case reflect.Float64:
		return c.number(v.Float())
	case reflect.String:
		return c.string(v.String())
	case reflect.Array:
		return c.elements(v, depth)
	case reflect.Slice:
		return c.slice(v, depth)
	case reflect.Map:
		return c.mapping(v, depth)
	case reflect.Struct:
		return c.structure(v, depth)
	default: // channels, functions, complex numbers, unsafe pointers
		return c.fail(ErrType)
	}
}

func (c *converter) elements(v reflect.Value, depth int) (ldvalue.Value, bool) {
	return c.array(v.Len(), depth, func(i int) (ldvalue.Value, bool) { return c.part(v.Index(i), depth+1) })
}

// part converts an element, a map's value or a field.
func (c *converter) part(v reflect.Value, depth int) (ldvalue.Value, bool) {
	if v.Kind() == reflect.Interface { // the fast cases of any serve most of what stands in an any
		if v.IsNil() {
			return c.any(nil, depth)
		}
		return c.any(v.Elem().Interface(), depth)
	}
	if c.nodes++; c.nodes > MaxNodes {
		return c.fail(ErrTooLarge)
	}
	return c.walk(v, depth)
}

func (c *converter) slice(v reflect.Value, depth int) (ldvalue.Value, bool) {
	if v.IsNil() {
		return ldvalue.Null(), true
	}
	if isBytes(v.Type()) {
		return c.base64(v.Bytes())
	}
	if v.Len() > 0 {
		if err := c.enter(container{of: v.Type(), pointer: v.Pointer(), length: v.Len()}); err != nil {
			return c.fail(err)
		}
		defer c.leave()
	}
	return c.elements(v, depth)
}

// isBytes tells the slices that encoding/json writes as base64: bytes that have no JSON form of their own.
func isBytes(t reflect.Type) bool {
	element := t.Elem()
	if element.Kind() != reflect.Uint8 {
		return false
	}
	return !marshals(element)
}

// marshals tells whether the type, or a pointer to it, has a JSON form of its own.
func marshals(t reflect.Type) bool {
	pointer := reflect.PointerTo(t) // has the methods of both
	return pointer.Implements(reflect.TypeFor[json.Marshaler]()) ||
		pointer.Implements(reflect.TypeFor[encoding.TextMarshaler]())
}

func (c *converter) mapping(v reflect.Value, depth int) (ldvalue.Value, bool) {
	if v.IsNil() {
		return ldvalue.Null(), true
	}
	if err := c.enter(container{of: v.Type(), pointer: v.Pointer()}); err != nil {
		return c.fail(err)
	}
	defer c.leave()
	o, ok := c.object(v.Len(), depth)
	if !ok {
		return ldvalue.Null(), false
	}
	for entries := v.MapRange(); entries.Next(); {
		name, err := memberName(entries.Key())
		if err != nil {
			return c.fail(err)
		}
		o.set(name, func() (ldvalue.Value, bool) { return c.part(entries.Value(), depth+1) })
		if c.nodes > MaxNodes {
			break // everything after this would be refused, too
		}
	}
	return o.value()
}

// memberName gives a map's key as encoding/json writes it.
func memberName(key reflect.Value) (string, error) {
	if key.Kind() == reflect.String {
		return key.String(), nil
	}
	if m, ok := reflect.TypeAssert[encoding.TextMarshaler](key); ok {
		if key.Kind() == reflect.Pointer && key.IsNil() {
			return "", nil
		}
		text, ok := call(m.MarshalText)
		if !ok {
			return "", ErrMarshal
		}
		return string(text), nil
	}
	switch key.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(key.Int(), 10), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return strconv.FormatUint(key.Uint(), 10), nil
	default:
		return "", ErrType
	}
}

func (c *converter) structure(v reflect.Value, depth int) (ldvalue.Value, bool) {
	fields, ok := c.structs[v.Type()]
	if !ok {
		fields = fieldsOf(v.Type())
		if c.structs == nil {
			c.structs = make(map[reflect.Type][]field)
		}
		c.structs[v.Type()] = fields
	}
	o, ok := c.object(len(fields), depth)
	if !ok {
		return ldvalue.Null(), false
	}
	for _, f := range fields {
		value, present := f.of(v)
		if !present || f.omitEmpty && isEmpty(value) || f.omitZero && isZero(value) {
			continue
		}
		o.set(f.name, func() (ldvalue.Value, bool) {
			converted, ok := c.part(value, depth+1)
			if ok && f.quoted {
				converted = quoted(converted)
			}
			return converted, ok
		})
	}
	return o.value()
}

// isEmpty is what encoding/json's omitempty calls empty.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	default:
		return v.IsZero()
	}
}

// isZero is what encoding/json's omitzero calls zero: the application's own IsZero method decides where there is one.
func isZero(v reflect.Value) (zero bool) {
	if !v.CanInterface() || v.Kind() == reflect.Pointer && v.IsNil() {
		return v.IsZero()
	}
	m, ok := reflect.TypeAssert[interface{ IsZero() bool }](v)
	if !ok && v.CanAddr() {
		m, ok = reflect.TypeAssert[interface{ IsZero() bool }](v.Addr())
	}
	if !ok {
		return v.IsZero()
	}
	defer func() {
		if recover() != nil {
			zero = false
		}
	}()
	return m.IsZero()
}
