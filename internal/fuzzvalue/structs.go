package fuzzvalue

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"
)

// Struct makes a struct of a type of its own, or something that contains one. encoding/json can
// convert it.
func (g *Generator) Struct() any {
	v := reflect.New(g.structType(0)).Elem()
	g.fill(v, 0)
	switch g.choose(4) {
	case 0: // not addressable
		return v.Interface()
	case 1: // addressable
		return v.Addr().Interface()
	case 2: // not addressable
		m := reflect.MakeMap(reflect.MapOf(reflect.TypeFor[string](), v.Type()))
		m.SetMapIndex(reflect.ValueOf("key"), v)
		return m.Interface()
	default: // addressable
		return reflect.Append(reflect.MakeSlice(reflect.SliceOf(v.Type()), 0, 1), v).Interface()
	}
}

// tags returns the tags that a field can have.
func tags() []reflect.StructTag {
	return []reflect.StructTag{
		"", "", "", `json:"A"`, `json:"B,omitempty"`, `json:",omitempty"`, `json:",omitzero"`, `json:",string"`,
		`json:"C,string,omitempty"`, `json:"A,string,omitzero"`, `json:"-"`, `json:"-,"`, `json:"with space"`, `json:"ü<&>"`,
		`json:"a\"b"`, `json:"a\\b"`, `json:"%,omitempty,omitzero,string"`, `json:"B,unknown"`, `json:", omitempty"`, `xml:"A"`,
		`json`, `json:`, `json:"A" json:"B"`, `xml:"-" json:"A"`,
	}
}

// types returns the types that a field can have, other than structs that are made up.
func types() []reflect.Type {
	return []reflect.Type{
		reflect.TypeFor[bool](), reflect.TypeFor[int](), reflect.TypeFor[int64](), reflect.TypeFor[uint8](),
		reflect.TypeFor[uint64](), reflect.TypeFor[uintptr](), reflect.TypeFor[float32](), reflect.TypeFor[float64](),
		reflect.TypeFor[string](), reflect.TypeFor[named](), reflect.TypeFor[*int](), reflect.TypeFor[*string](),
		reflect.TypeFor[**bool](), reflect.TypeFor[any](), reflect.TypeFor[*any](), reflect.TypeFor[[]byte](),
		reflect.TypeFor[[2]byte](), reflect.TypeFor[[]named](), reflect.TypeFor[[0]int](), reflect.TypeFor[json.Number](),
		reflect.TypeFor[*json.Number](), reflect.TypeFor[json.RawMessage](), reflect.TypeFor[*json.RawMessage](),
		reflect.TypeFor[time.Duration](), reflect.TypeFor[struct{}](),

		reflect.TypeFor[valueJSON](), reflect.TypeFor[*valueJSON](), reflect.TypeFor[pointerJSON](), reflect.TypeFor[*pointerJSON](),
		reflect.TypeFor[textual](), reflect.TypeFor[*textual](), reflect.TypeFor[pointerText](), reflect.TypeFor[*pointerText](),
		reflect.TypeFor[textAndPointerJSON](), reflect.TypeFor[*textAndPointerJSON](), reflect.TypeFor[json.Marshaler](),
		reflect.TypeFor[[]valueJSON](), reflect.TypeFor[[]pointerJSON](), reflect.TypeFor[[1]pointerText](),
		reflect.TypeFor[[]octet](), reflect.TypeFor[[]pointerOctet](), reflect.TypeFor[map[string]pointerJSON](),

		reflect.TypeFor[map[named]int](), reflect.TypeFor[map[int8]any](), reflect.TypeFor[map[uint]*int](),
		reflect.TypeFor[map[textual]int](), reflect.TypeFor[map[textString]int](), reflect.TypeFor[map[textInt]int](),

		reflect.TypeFor[zeroValue](), reflect.TypeFor[*zeroValue](), reflect.TypeFor[zeroPointer](), reflect.TypeFor[*zeroPointer](),
		reflect.TypeFor[interface{ IsZero() bool }](),

		reflect.TypeFor[Left](), reflect.TypeFor[*Left](), reflect.TypeFor[Right](), reflect.TypeFor[Both](), reflect.TypeFor[*Both](),
		reflect.TypeFor[hidden](), reflect.TypeFor[hiddenPointer](), reflect.TypeFor[hiddenNamed](), reflect.TypeFor[promoted](),
		reflect.TypeFor[recursive](), reflect.TypeFor[twice](),
	}
}

// structType makes up a struct type.
func (g *Generator) structType(depth int) reflect.Type {
	var fields []reflect.StructField
	tags, types := tags(), types()
	used := map[string]bool{}
	for range g.choose(6) {
		f := reflect.StructField{Tag: tags[g.choose(len(tags))]}
		choice := g.choose(len(types) + 12)
		switch {
		case choice < len(types):
			f.Type = types[choice]
		case depth < 3:
			f.Type = g.structType(depth + 1)
		default:
			f.Type = types[0]
		}
		f.Name = string(rune('A' + g.choose(5)))
		switch g.choose(3) {
		case 0: // reflect can't make a struct type that has methods
			f.Anonymous = f.Type.Kind() == reflect.Struct && f.Type.NumMethod() == 0 && reflect.PointerTo(f.Type).NumMethod() == 0
		case 1:
			if !f.Anonymous && f.Type.Kind() == reflect.Struct {
				f.Type = reflect.PointerTo(f.Type)
			}
		}
		if !used[f.Name] {
			used[f.Name] = true
			fields = append(fields, f)
		}
	}
	return reflect.StructOf(fields)
}

// fill sets what it can of v.
func (g *Generator) fill(v reflect.Value, depth int) {
	if !v.CanSet() || depth > 6 {
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(g.byte()%2 == 1)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(g.byte()) - 1)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint(uint64(g.byte()))
	case reflect.Float32, reflect.Float64:
		v.SetFloat((float64(g.byte()) - 3) / 7)
	case reflect.String:
		v.SetString(g.Text())
		if v.Type() == reflect.TypeFor[json.Number]() {
			v.SetString([]string{"", "0", "-1.5e3", "12"}[g.choose(4)])
		}
	case reflect.Pointer:
		if g.byte()%3 > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			g.fill(v.Elem(), depth+1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			g.fill(v.Field(i), depth+1)
		}
	case reflect.Array:
		for i := range v.Len() {
			g.fill(v.Index(i), depth+1)
		}
	case reflect.Slice:
		g.fillSlice(v, depth)
	case reflect.Map:
		if g.byte()%3 > 0 {
			v.Set(reflect.MakeMap(v.Type()))
			key, element := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			g.fill(key, depth+1)
			g.fill(element, depth+1)
			v.SetMapIndex(key, element)
		}
	case reflect.Interface:
		g.fillInterface(v)
	}
}

func (g *Generator) fillSlice(v reflect.Value, depth int) {
	if v.Type() == reflect.TypeFor[json.RawMessage]() {
		v.SetBytes([][]byte{nil, []byte("1"), []byte(` {"a": [null]} `)}[g.choose(3)])
		return
	}
	if n := g.choose(4); n > 0 {
		v.Set(reflect.MakeSlice(v.Type(), n-1, n))
		for i := range v.Len() {
			g.fill(v.Index(i), depth+1)
		}
	}
}

func (g *Generator) fillInterface(v reflect.Value) {
	for _, x := range []any{
		valueJSON{1}, &pointerJSON{2}, zeroValue{1}, zeroValue{}, &zeroPointer{1}, "text", 0, []int(nil), (*int)(nil), nil,
	}[g.choose(10):] {
		if t := reflect.TypeOf(x); t != nil && t.AssignableTo(v.Type()) {
			v.Set(reflect.ValueOf(x))
			return
		}
	}
}

// Types with a JSON form of their own.
type (
	valueJSON          struct{ N int }
	pointerJSON        struct{ N int }
	pointerText        struct{ N int }
	textAndPointerJSON struct{ N int }
	octet              byte
	pointerOctet       byte
	textString         string
	textInt            int
	zeroValue          struct{ N int }
	zeroPointer        struct{ N int }
)

func (v valueJSON) MarshalJSON() ([]byte, error)           { return fmt.Appendf(nil, "[%d]", v.N), nil }
func (p *pointerJSON) MarshalJSON() ([]byte, error)        { return fmt.Appendf(nil, `{"p": %d}`, p.N), nil }
func (p *pointerText) MarshalText() ([]byte, error)        { return fmt.Append(nil, "p", p.N), nil }
func (t textAndPointerJSON) MarshalText() ([]byte, error)  { return fmt.Append(nil, "t", t.N), nil }
func (t *textAndPointerJSON) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, "%d", t.N), nil }
func (o octet) MarshalText() ([]byte, error)               { return fmt.Append(nil, "o", byte(o)), nil }
func (o *pointerOctet) MarshalJSON() ([]byte, error)       { return fmt.Append(nil, byte(*o)), nil }
func (t textString) MarshalText() ([]byte, error)          { return []byte("not used for keys"), nil }
func (t textInt) MarshalText() ([]byte, error)             { return fmt.Append(nil, "n", int(t)), nil }
func (z zeroValue) IsZero() bool                           { return z.N == 1 }
func (z *zeroPointer) IsZero() bool                        { return z.N == 1 }

type (
	// Left is embedded in others, whose names clash.
	Left struct {
		A int
		B string `json:",omitempty"`
		D bool   `json:",string"`
	}
	// Right is embedded in others, whose names clash.
	Right struct {
		A string
		C int
		*Left
	}
	// Tagged has a name that wins by its tag.
	Tagged struct {
		Z int `json:"C"`
	}
	// Both embeds structs whose names clash.
	Both struct {
		Left
		Right
		Tagged
		B float64
	}
	hidden struct {
		base
		Left `json:"left"`
		A    int `json:",omitzero"`
	}
	hiddenPointer struct {
		*base
		*hidden
		E any
	}
	hiddenNamed struct {
		base   `json:"base,omitzero"`
		hidden `json:",omitempty"`
		named
	}
	promoted struct {
		textual
		A int
	}
	recursive struct {
		*recursive
		N    int
		Next *recursive `json:"next,omitempty"`
	}
	inLeft  struct{ Left }
	inRight struct{ Left }
	twice   struct {
		inLeft
		inRight
		Both
	}
)
