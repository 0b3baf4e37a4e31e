// Package fuzzvalue makes Go values of all kinds from a fuzzer's bytes: what an application can put
// into an any, and what it should not.
package fuzzvalue

import (
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"time"
	"unicode/utf8"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/open-feature/go-sdk/openfeature"
)

// Generator makes Go values from bytes. It is not safe for concurrent use.
type Generator struct {
	data      []byte
	exotic    bool
	ambiguous bool
	made      []any
}

// New returns a generator. Once the bytes are used up, it makes simple values.
func New(data []byte) *Generator { return &Generator{data: data} }

// Exotic reports whether a value so far was one that encoding/json refuses, or converts otherwise
// than jsonvalue.
func (g *Generator) Exotic() bool { return g.exotic }

// Ambiguous reports whether a map so far may have two keys that become the same once invalid UTF-8
// is replaced. It is random which of their values remains.
func (g *Generator) Ambiguous() bool { return g.ambiguous }

// Choose returns a number from 0 to n-1.
func (g *Generator) Choose(n int) int { return g.choose(n) }

// Value makes the next value.
func (g *Generator) Value() any { return g.value(0) }

// Attributes makes a map of attributes, some with names that have a meaning to LaunchDarkly.
func (g *Generator) Attributes() map[string]any {
	names := []string{"kind", "key", "targetingKey", "name", "anonymous", "privateAttributes", "_meta", "email", ""}
	attributes := map[string]any{}
	for range g.byte() % 6 {
		name := g.key()
		if n := int(g.byte()); n < 4*len(names) {
			name = names[n/4]
		}
		attributes[name] = g.Value()
	}
	if g.byte()%8 == 0 {
		attributes["kind"] = "multi"
	}
	return attributes
}

func (g *Generator) byte() byte {
	if len(g.data) == 0 {
		return 0
	}
	b := g.data[0]
	g.data = g.data[1:]
	return b
}

// choose returns one of n choices.
func (g *Generator) choose(n int) int { return int(g.byte()) % n }

func (g *Generator) bytes(n int) []byte {
	n = min(n, len(g.data))
	b := g.data[:n]
	g.data = g.data[n:]
	return b
}

// Text makes a string, not always of valid UTF-8.
func (g *Generator) Text() string { return string(g.bytes(g.choose(16))) }

// key makes the key of a map.
func (g *Generator) key() string {
	s := g.Text()
	if !utf8.ValidString(s) {
		g.exotic, g.ambiguous = true, true
	}
	return s
}

func (g *Generator) integer() int64 {
	var bits [8]byte
	copy(bits[:], g.bytes(8))
	return int64(binary.BigEndian.Uint64(bits[:]))
}

func (g *Generator) float() float64 {
	f := math.Float64frombits(uint64(g.integer()))
	g.exotic = g.exotic || math.IsNaN(f) || math.IsInf(f, 0)
	return f
}

func (g *Generator) value(depth int) any {
	if depth > 12 {
		return nil
	}
	v := g.pick(depth)
	g.made = append(g.made, v)
	return v
}

func (g *Generator) pick(depth int) any {
	n := g.choose(4)
	switch g.byte() % 30 {
	case 0:
		return nil
	case 1:
		return g.byte()%2 == 0
	case 2:
		return g.Text()
	case 3:
		return named(g.Text())
	case 4:
		return g.float()
	case 5:
		return int64(g.byte()) * 1_000_003
	case 6:
		return new(g.value(depth + 1))
	case 7:
		s := make([]any, 0, n)
		for range n {
			s = append(s, g.value(depth+1))
		}
		return s
	case 8:
		m := map[string]any{}
		for range n {
			m[g.key()] = g.value(depth + 1)
		}
		return m
	case 9:
		return struct {
			A any `json:"a,omitempty"`
			B *any
			base
		}{A: g.value(depth + 1), base: base{ID: n, Shared: g.Text()}}
	case 10:
		return []byte(g.Text())
	case 11:
		g.exotic = true
		return json.RawMessage(g.bytes(8 * (n + 1)))
	case 12:
		g.exotic = true
		return json.Number(g.Text())
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
		return map[int]string{n: g.Text()}
	case 17:
		g.exotic = true
		if m, ok := g.last().(map[string]any); ok {
			m["self"] = m
			return m
		}
		return g.last()
	case 18:
		g.exotic = true
		return ldvalue.Raw(g.bytes(4 * (n + 1)))
	case 19:
		return ldvalue.ArrayOf(ldvalue.Bool(true), ldvalue.String("x"))
	case 20:
		return float32(n) / 3
	case 21:
		return &node{Value: n, Next: &node{}}
	case 22:
		return textual{g.Text()}
	case 23:
		return g.integer()
	case 24:
		g.exotic = true
		return errors.New(g.Text())
	case 25:
		g.exotic = true
		return sql.Null[any]{V: g.value(depth + 1), Valid: n > 0}
	case 26:
		g.exotic = true
		return openfeature.NewEvaluationContext(g.Text(), map[string]any{g.key(): g.value(depth + 1)})
	case 27:
		return g.Struct()
	default:
		return [2]any{g.value(depth + 1), nil}
	}
}

func (g *Generator) last() any {
	if len(g.made) == 0 {
		return nil
	}
	return g.made[len(g.made)-1]
}

// Types with a JSON form of their own, or with none.
type (
	named string
	base  struct {
		ID     int
		Shared string
	}
	node struct {
		Next  *node
		Value int
	}
	textual struct{ text string }
	panics  struct{}
	fails   struct{}
	lies    struct{}
)

func (t textual) MarshalText() ([]byte, error) { return []byte("text:" + t.text), nil }
func (panics) MarshalJSON() ([]byte, error)    { panic("no") }
func (fails) MarshalText() ([]byte, error)     { return nil, errors.New("no") }
func (lies) MarshalJSON() ([]byte, error)      { return []byte("{"), nil }
