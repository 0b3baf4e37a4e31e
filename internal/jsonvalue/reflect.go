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

// walk converts what any has no case for: named types, pointers, containers, structs and
// marshalers. It follows pointers and interfaces to the value. Pointers add no depth: only what is
// an array or an object in JSON does.
func (c *converter) walk(out *ldvalue.Value, v reflect.Value, at *place) bool {
	if !v.IsValid() {
		return null(out)
	}
	if ok, handled := c.special(out, v, at); handled {
		return ok
	}
	switch v.Kind() {
	case reflect.Pointer:
		behind := at.behind(v)
		switch {
		case behind.hops > MaxDepth:
			return c.fail(ErrTooDeep)
		case behind.again():
			return c.fail(ErrCycle)
		}
		return c.walk(out, v.Elem(), &behind)
	case reflect.Interface:
		return c.walk(out, v.Elem(), at)
	default:
		return c.kind(out, v, at)
	}
}

// special converts v if its type has a JSON form other than that of its kind. Like encoding/json,
// it uses methods with pointer receivers if v is addressable.
func (c *converter) special(out *ldvalue.Value, v reflect.Value, at *place) (ok, handled bool) {
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return null(out), true
	}
	if !v.CanInterface() { // an embedded struct of an unexported type, with a name in its tag
		return false, false
	}
	switch x := v.Interface().(type) {
	case time.Time, ldvalue.Value, openfeature.EvaluationContext, json.RawMessage, json.Number:
		return c.any(out, x, at), true
	case *time.Time, *ldvalue.Value, *json.RawMessage:
		return false, false // walk follows the pointer
	}
	if v.CanAddr() && v.Kind() != reflect.Pointer && v.Kind() != reflect.Interface {
		v = v.Addr()
	}
	switch x := v.Interface().(type) {
	case json.Marshaler:
		return c.marshaled(out, x, at), true
	case encoding.TextMarshaler:
		return c.texted(out, x), true
	case error:
		return c.message(out, x), true
	case driver.Valuer:
		return c.column(out, x, at)
	case interface{ AsTime() time.Time }:
		return c.timestamp(out, x.AsTime), true
	default:
		return false, false
	}
}

// message converts an error to its text. Most errors have no exported fields, and would be {} in
// encoding/json.
func (c *converter) message(out *ldvalue.Value, err error) bool {
	text, ok := call(func() (string, error) { return err.Error(), nil })
	if !ok {
		return c.fail(ErrMarshal)
	}
	return c.string(out, text)
}

// column converts what a type such as [sql.NullString] stores in a database. A []byte is not used:
// it usually is the encoded form of a struct or a map, whose fields LaunchDarkly could not
// evaluate.
func (c *converter) column(out *ldvalue.Value, v driver.Valuer, at *place) (ok, handled bool) {
	if at.depth >= MaxDepth { // its value may be a Valuer again
		return c.fail(ErrTooDeep), true
	}
	stored, ok := call(v.Value)
	if !ok {
		return c.fail(ErrMarshal), true
	}
	if _, encoded := stored.([]byte); encoded {
		return false, false
	}
	return c.any(out, stored, &place{depth: at.depth + 1, around: at}), true
}

// timestamp converts the result of a protobuf timestamp's AsTime.
func (c *converter) timestamp(out *ldvalue.Value, asTime func() time.Time) bool {
	t, ok := call(func() (time.Time, error) { return asTime(), nil })
	if !ok {
		return c.fail(ErrMarshal)
	}
	return c.time(out, t)
}

func (c *converter) kind(out *ldvalue.Value, v reflect.Value, at *place) bool {
	switch v.Kind() {
	case reflect.Bool:
		*out = ldvalue.Bool(v.Bool())
		return true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return c.integer(out, v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return c.unsigned(out, v.Uint())
	case reflect.Float32:
		return c.float32(out, float32(v.Float()))
	case reflect.Float64:
		return c.number(out, v.Float())
	case reflect.String:
		return c.string(out, v.String())
	case reflect.Array:
		return c.elements(out, v, at)
	case reflect.Slice:
		return c.slice(out, v, at)
	case reflect.Map:
		return c.mapping(out, v, at)
	case reflect.Struct:
		return c.structure(out, v, at)
	default: // channels, functions, complex numbers, unsafe pointers
		return c.fail(ErrType)
	}
}

// part converts an element, a map's value or a field.
func (c *converter) part(out *ldvalue.Value, v reflect.Value, at *place) bool {
	if v.Kind() == reflect.Interface { // the fast cases of any serve most of what is in an any
		if v.IsNil() {
			return c.any(out, nil, at)
		}
		return c.any(out, v.Elem().Interface(), at)
	}
	return c.walk(out, v, at)
}

func (c *converter) slice(out *ldvalue.Value, v reflect.Value, at *place) bool {
	if v.IsNil() {
		return null(out)
	}
	if isBytes(v.Type()) {
		return c.base64(out, v.Bytes())
	}
	return c.elements(out, v, at)
}

// elements converts the elements of a slice or an array.
func (c *converter) elements(out *ldvalue.Value, v reflect.Value, at *place) bool {
	inside := at.inside(v)
	if inside.again() {
		return c.fail(ErrCycle)
	}
	if !c.begin(v.Len(), at.depth) {
		return false
	}
	array := *ldvalue.ValueArrayBuildWithCapacity(v.Len())
	var value ldvalue.Value
	for i := range v.Len() {
		before := len(c.problems)
		ok := c.part(&value, v.Index(i), &inside)
		if c.tooLarge {
			return false
		}
		c.add(&array, i, &value, ok, before)
	}
	*out = array.Build().AsValue()
	return true
}

// isBytes reports whether encoding/json writes slices of the type as base64: bytes that have no
// JSON form of their own.
func isBytes(t reflect.Type) bool {
	if t.Elem().Kind() != reflect.Uint8 {
		return false
	}
	pointer := reflect.PointerTo(t.Elem()) // has the methods of both
	return !pointer.Implements(reflect.TypeFor[json.Marshaler]()) && !pointer.Implements(reflect.TypeFor[encoding.TextMarshaler]())
}

func (c *converter) mapping(out *ldvalue.Value, v reflect.Value, at *place) bool {
	if !isMemberName(v.Type().Key()) {
		return c.fail(ErrType)
	}
	if v.IsNil() {
		return null(out)
	}
	inside := at.inside(v)
	if inside.again() {
		return c.fail(ErrCycle)
	}
	object, ok := c.object(v.Len(), at.depth)
	if !ok {
		return false
	}
	var value ldvalue.Value
	for entries := v.MapRange(); entries.Next(); {
		name, err := memberName(entries.Key())
		if err != nil {
			return c.fail(err)
		}
		before := len(c.problems)
		ok := c.spend(0, len(name)) && c.part(&value, entries.Value(), &inside)
		if c.tooLarge {
			return false
		}
		c.set(&object, name, &value, ok, before)
	}
	*out = object.Build().AsValue()
	return true
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

func (c *converter) structure(out *ldvalue.Value, v reflect.Value, at *place) bool {
	fields, ok := c.structs[v.Type()]
	if !ok {
		fields = fieldsOf(v.Type())
		if c.structs == nil {
			c.structs = make(map[reflect.Type][]field)
		}
		c.structs[v.Type()] = fields
	}
	object, ok := c.object(len(fields), at.depth)
	if !ok {
		return false
	}
	inside := at.inside(v)
	var value ldvalue.Value
	for _, f := range fields {
		field, present := f.of(v)
		if !present || f.omitEmpty && isEmpty(field) || f.isZero != nil && f.isZero(field) {
			continue
		}
		before := len(c.problems)
		ok := c.spend(0, len(f.name)) && c.field(&value, f, field, &inside)
		if c.tooLarge {
			return false
		}
		c.set(&object, f.name, &value, ok, before)
	}
	*out = object.Build().AsValue()
	return true
}

// field converts the value of a field.
func (c *converter) field(out *ldvalue.Value, f field, v reflect.Value, at *place) bool {
	if f.quoted {
		return c.quoted(out, v, at)
	}
	return c.part(out, v, at)
}

// quoted converts a field with the option "string" in its tag: the JSON of a scalar becomes a
// string.
func (c *converter) quoted(out *ldvalue.Value, v reflect.Value, at *place) bool {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return null(out)
		}
		v = v.Elem()
	}
	if v.Type() != reflect.TypeFor[json.Number]() {
		if ok, handled := c.special(out, v, at); handled {
			return ok // what has a JSON form of its own is not quoted
		}
	}
	if v.Kind() == reflect.String && !c.spend(0, v.Len()) {
		return false
	}
	text, err := json.Marshal(v.Interface())
	switch {
	case err != nil && v.Kind() == reflect.String:
		return c.fail(ErrInvalidJSON) // of a json.Number
	case err != nil:
		return c.fail(ErrNotFinite)
	}
	*out = ldvalue.String(string(text))
	return true
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
