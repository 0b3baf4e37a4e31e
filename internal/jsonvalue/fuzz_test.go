package jsonvalue_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/openfeature-launchdarkly/go-provider/internal/jsonvalue"
)

// FuzzConvert builds Go values of many types from the fuzzer's bytes. Whatever comes out must be valid JSON, and
// where encoding/json can convert the value, the two must agree.
func FuzzConvert(f *testing.F) {
	for i := range 24 {
		f.Add([]byte{byte(i), 3, byte(i), 1, 2, 3, 4, 5, 6, 7, 8, byte(i + 1), 2, byte(i), 9, 9})
	}
	f.Add([]byte{8, 2, 9, 3, 0, 3, 'a', 'b', 0xff, 17, 5})
	f.Fuzz(func(t *testing.T, data []byte) {
		g := generator{data: data}
		v := g.value(0)
		got, ok, problems := jsonvalue.Convert(v)
		if !ok && len(problems) == 0 {
			t.Fatal("no value, and no reason")
		}
		text := got.JSONString()
		if !json.Valid([]byte(text)) || !utf8.ValidString(text) {
			t.Fatalf("not JSON: %q", text)
		}
		for _, p := range problems {
			if !errors.Is(p.Err, jsonvalue.ErrUnsupported) {
				t.Fatalf("problem of no known kind: %v", p.Err)
			}
		}
		if g.exotic {
			return
		}
		want, err := json.Marshal(v)
		if err != nil || problems != nil {
			t.Fatalf("encoding/json: %v; problems: %v", err, problems)
		}
		if !got.Equal(parse(t, want)) {
			t.Fatalf("got %s, want %s", text, want)
		}
	})
}

// generator reads a Go value out of bytes.
type generator struct {
	data   []byte
	exotic bool // whether the value is one that encoding/json refuses or writes otherwise
	made   []any
}

func (g *generator) byte() byte {
	if len(g.data) == 0 {
		return 0
	}
	b := g.data[0]
	g.data = g.data[1:]
	return b
}

func (g *generator) bytes(n int) []byte {
	n = min(n, len(g.data))
	b := g.data[:n]
	g.data = g.data[n:]
	return b
}

func (g *generator) text() string {
	s := string(g.bytes(int(g.byte() % 16)))
	g.exotic = g.exotic || !utf8.ValidString(s) // replaced a run at a time here, a byte at a time there
	return s
}

func (g *generator) float() float64 {
	var bits [8]byte
	copy(bits[:], g.bytes(8))
	f := math.Float64frombits(binary.BigEndian.Uint64(bits[:]))
	g.exotic = g.exotic || math.IsNaN(f) || math.IsInf(f, 0)
	return f
}

func (g *generator) value(depth int) any {
	if depth > 12 {
		return nil
	}
	v := g.pick(depth)
	g.made = append(g.made, v)
	return v
}

func (g *generator) pick(depth int) any {
	n := int(g.byte() % 4)
	switch g.byte() % 24 {
	case 0:
		return nil
	case 1:
		return g.byte()%2 == 0
	case 2:
		return g.text()
	case 3:
		return plan(g.text())
	case 4:
		return g.float()
	case 5:
		return int64(g.byte()) * 1_000_003
	case 6:
		return pointTo(g.value(depth + 1))
	case 7:
		s := make([]any, 0, n)
		for range n {
			s = append(s, g.value(depth+1))
		}
		return s
	case 8:
		m := map[string]any{}
		for range n {
			m[g.text()] = g.value(depth + 1)
		}
		return m
	case 9:
		return struct {
			A any `json:"a,omitempty"`
			B *any
			base
		}{A: g.value(depth + 1), base: base{ID: n, Shared: g.text()}}
	case 10:
		return []byte(g.text())
	case 11:
		g.exotic = true
		return json.RawMessage(g.bytes(8))
	case 12:
		g.exotic = true
		return json.Number(g.text())
	case 13:
		g.exotic = true
		return time.Unix(int64(g.byte()), int64(g.byte()))
	case 14:
		g.exotic = true
		return []any{make(chan int), func() {}, complex(1, 2), panics{}, fails{}, lies{}}[g.byte()%6]
	case 15:
		g.exotic = true
		m := map[any]any{n: 1, "s": 2}
		return m
	case 16:
		return map[int]string{n: g.text()}
	case 17:
		g.exotic = true
		if m, ok := g.last().(map[string]any); ok {
			m["self"] = m
			return m
		}
		return g.last()
	case 18:
		g.exotic = true
		return ldvalue.Raw(g.bytes(4))
	case 19:
		return ldvalue.ArrayOf(ldvalue.Bool(true), ldvalue.String("x"))
	case 20:
		return float32(n) / 3
	case 21:
		return &node{Value: n, Next: &node{}}
	case 22:
		return textual{g.text()}
	default:
		return [2]any{g.value(depth + 1), nil}
	}
}

func (g *generator) last() any {
	if len(g.made) == 0 {
		return nil
	}
	return g.made[len(g.made)-1]
}
