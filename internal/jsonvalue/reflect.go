package jsonvalue

import (
	"database/sql/driver"
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

// special converts v if its type has a JSON form other than that of its kind. Like encoding/json, it uses methods with
// pointer receivers if v is addressable.
func (c *converter) special(v reflect.Value, depth int) (value ldvalue.Value, ok, handled bool) {
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return ldvalue.Null(), true, true
	}
	if !v.CanInterface() { // an embedded struct of an unexported type, with a name in its tag
		return ldvalue.Null(), false, false
	}
	switch x := v.Interface().(type) {
	case time.Time, ldvalue.Value, openfeature.EvaluationContext, json.RawMessage, json.Number:
		value, ok = c.any(x, depth)
		return value, ok, true
	case *time.Time, *ldvalue.Value, *json.RawMessage:
		return ldvalue.Null(), false, false // walk follows the pointer
	}
	if v.CanAddr() && v.Kind() != reflect.Pointer && v.Kind() != reflect.Interface {
		v = v.Addr()
	}
	switch x := v.Interface().(type) {
	case json.Marshaler:
		value, ok = c.marshaled(x, depth)
	case encoding.TextMarshaler:
		value, ok = c.texted(x)
	case error:
		value, ok = c.message(x)
	case driver.Valuer:
		return c.column(x, depth)
	case interface{ AsTime() time.Time }:
		value, ok = c.timestamp(x.AsTime)
	default:
		return ldvalue.Null(), false, false
	}
	return value, ok, true
}

// message converts an error to its text. Most errors have no exported fields, and would be {} in encoding/json.
func (c *converter) message(err error) (ldvalue.Value, bool) {
	text, ok := call(func() (string, error) { return err.Error(), nil })
	if !ok {
		return c.fail(ErrMarshal)
	}
	return c.string(text)
}

// column converts what a type such as [sql.NullString] stores in a database. A []byte is not used: it usually is the
// encoded form of a struct or a map, whose fields LaunchDarkly could not evaluate.
func (c *converter) column(v driver.Valuer, depth int) (value ldvalue.Value, ok, handled bool) {
	if depth >= MaxDepth { // its value may be a Valuer again
		c.warn(ErrTooDeep)
		return ldvalue.Null(), false, true
	}
	stored, ok := call(v.Value)
	if !ok {
		c.warn(ErrMarshal)
		return ldvalue.Null(), false, true
	}
	if _, encoded := stored.([]byte); encoded {
		return ldvalue.Null(), false, false
	}
	value, ok = c.any(stored, depth+1)
	return value, ok, true
}

// timestamp converts the result of a protobuf timestamp's AsTime.
func (c *converter) timestamp(asTime func() time.Time) (ldvalue.Value, bool) {
	t, ok := call(func() (time.Time, error) { return asTime(), nil })
	if !ok {
		return c.fail(ErrMarshal)
	}
	return c.time(t)
}

func (c *converter) kind(v reflect.Value, depth int) (ldvalue.Value, bool) {
	switch v.Kind() {
	case reflect.Bool:
		return ldvalue.Bool(v.Bool()), true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return c.integer(v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return c.unsigned(v.Uint())
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
	if v.Kind() == reflect.Interface { // the fast cases of any serve most of what is in an any
		if v.IsNil() {
			return c.any(nil, depth)
		}
		return c.any(v.Elem().Interface(), depth)
	}
	if !c.spend(1, 0) {
		return ldvalue.Null(), false
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

// isBytes reports whether encoding/json writes slices of the type as base64: bytes that have no JSON form of their own.
func isBytes(t reflect.Type) bool {
	pointer := reflect.PointerTo(t.Elem()) // has the methods of both
	return t.Elem().Kind() == reflect.Uint8 &&
		!pointer.Implements(reflect.TypeFor[json.Marshaler]()) && !pointer.Implements(reflect.TypeFor[encoding.TextMarshaler]())
}

func (c *converter) mapping(v reflect.Value, depth int) (ldvalue.Value, bool) {
	if !isMemberName(v.Type().Key()) {
		return c.fail(ErrType)
	}
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
		if c.tooLarge {
			break
		}
	}
	return o.value()
}

// isMemberName reports whether encoding/json writes keys of the type as the names of members.
func isMemberName(t reflect.Type) bool {
	return t.Kind() == reflect.String || t.Kind() >= reflect.Int && t.Kind() <= reflect.Uintptr ||
		t.Implements(reflect.TypeFor[encoding.TextMarshaler]())
}

// memberName returns a map's key as encoding/json writes it.
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
	default: // an interface without a value
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
		if !present || f.omitEmpty && isEmpty(value) || f.isZero != nil && f.isZero(value) {
			continue
		}
		o.set(f.name, func() (ldvalue.Value, bool) {
			if f.quoted {
				return c.quoted(value, depth+1)
			}
			return c.part(value, depth+1)
		})
		if c.tooLarge {
			break
		}
	}
	return o.value()
}

// quoted converts a field with the option "string" in its tag: the JSON of a scalar becomes a string.
func (c *converter) quoted(v reflect.Value, depth int) (ldvalue.Value, bool) {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return ldvalue.Null(), true
		}
		v = v.Elem()
	}
	if v.Type() != reflect.TypeFor[json.Number]() {
		if value, ok, handled := c.special(v, depth); handled {
			return value, ok // what has a JSON form of its own is not quoted
		}
	}
	if v.Kind() == reflect.String && !c.spend(0, v.Len()) || !c.spend(1, 0) {
		return ldvalue.Null(), false
	}
	text, err := json.Marshal(v.Interface())
	switch {
	case err != nil && v.Kind() == reflect.String:
		return c.fail(ErrInvalidJSON) // of a json.Number
	case err != nil:
		return c.fail(ErrNotFinite)
	}
	return ldvalue.String(string(text)), true
}

// isEmpty reports whether encoding/json's omitempty leaves v out.
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
