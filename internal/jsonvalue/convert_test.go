package jsonvalue_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/open-feature/go-sdk/openfeature"

	"github.com/openfeature-launchdarkly/go-provider/internal/jsonvalue"
)

type (
	plan    string
	cents   int64
	ratio   float32
	level   uint8
	labels  map[plan]cents
	address struct {
		Street string `json:"street"`
		Zip    string `json:"zip,omitempty"`
	}
	base struct {
		ID     int
		Shared string
		hidden string
	}
	account struct {
		base
		*address
		Name     string  `json:"name"`
		Balance  cents   `json:",string"`
		Secret   string  `json:"-"`
		Dash     string  `json:"-,"`
		Zero     int     `json:"zero,omitzero"`
		Friend   *string `json:"friend"`
		Shared   string
		private  string
		Anything any
		Odd      string `json:"a\"b"`
	}
	textual  struct{ s string }
	marshals struct{ s string }
	pointed  struct{ s string }
	panics   struct{}
	fails    struct{}
	lies     struct{}
	node     struct {
		Next  *node
		Value int
	}
	pointer *pointer
	first   struct{ Inner struct{ N int } }
	left    struct{ Same string }
	right   struct{ Same string }
	clash   struct {
		left
		right
		Kept int
	}
	tagged struct {
		left
		Other string `json:"Same"`
	}
)

func (t textual) MarshalText() ([]byte, error)  { return []byte("text:" + t.s), nil }
func (m marshals) MarshalJSON() ([]byte, error) { return []byte(m.s), nil }
func (p *pointed) MarshalJSON() ([]byte, error) { return []byte(`"` + p.s + `"`), nil }
func (panics) MarshalJSON() ([]byte, error)     { panic("no") }
func (fails) MarshalText() ([]byte, error)      { return nil, errors.New("secret") }
func (lies) MarshalJSON() ([]byte, error)       { return []byte("{"), nil }

//go:fix inline
func pointTo[T any](v T) *T    { return new(v) }
func nested(depth int) (v any) { return nestedIn(depth, 1) }
func nestedIn(depth int, v any) any {
	for range depth {
		v = []any{v}
	}
	return v
}

// parse reads JSON without ldvalue.Parse, which loses integers beyond 2^63.
func parse(t *testing.T, text []byte) ldvalue.Value {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return ldvalue.CopyArbitraryValue(v)
}

// TestConvertAsEncodingJSON holds the converter against encoding/json, for what both can convert.
func TestConvertAsEncodingJSON(t *testing.T) {
	friend := "bob"
	for name, v := range map[string]any{
		"nil":               nil,
		"bool":              true,
		"string":            "hé\"llo\n",
		"int":               -7,
		"int8":              int8(-8),
		"int64 beyond 2^53": int64(1)<<60 + 1,
		"uint":              uint(7),
		"uint64":            uint64(1) << 63,
		"uintptr":           uintptr(9),
		"float32":           float32(0.1),
		"large float32":     float32(3.4e38),
		"string option of text": struct {
			T textual `json:",string"`
		}{textual{"a"}},
		"float64":               1.5e300,
		"named string":          plan("gold"),
		"named int":             cents(1999),
		"named float32":         ratio(0.3),
		"named uint8":           level(3),
		"pointer":               new(42),
		"pointer to pointer":    new(new("x")),
		"nil pointer":           (*int)(nil),
		"nil slice":             []int(nil),
		"nil map":               map[string]int(nil),
		"[]string":              []string{"a", "b"},
		"[]int":                 []int{1, 2},
		"[]any":                 []any{1, "two", nil, []any{3.5}},
		"array":                 [2]bool{true, false},
		"bytes":                 []byte("bytes"),
		"byte array":            [3]byte{1, 2, 3},
		"named bytes":           []level{1, 2, 3},
		"map":                   map[string]any{"a": 1, "b": map[string]any{"c": nil}},
		"map of strings":        map[string]string{"a": "b"},
		"map of named keys":     labels{"gold": 3},
		"map of ints":           map[int]string{1: "one", -2: "two"},
		"map of uints":          map[uint16]string{1: "one"},
		"map of texts":          map[netip.Addr]int{netip.MustParseAddr("127.0.0.1"): 1},
		"struct":                account{base: base{ID: 1, Shared: "deep"}, Name: "n", Balance: 5, Friend: &friend, Dash: "d"},
		"pointer to struct":     &account{address: &address{Street: "s"}, Zero: 1, Shared: "own", Anything: []int{1}, Odd: "o"},
		"anonymous struct":      struct{ A, B int }{1, 2},
		"fields that clash":     clash{Kept: 1},
		"tagged field wins":     tagged{left: left{"l"}, Other: "o"},
		"json.Number":           json.Number("12.5"),
		"empty json.Number":     json.Number(""),
		"json.RawMessage":       json.RawMessage(`{"a":[1,null,"x"]}`),
		"nil json.RawMessage":   json.RawMessage(nil),
		"pointer to RawMessage": new(json.RawMessage(`[1]`)),
		"TextMarshaler":         textual{"a"},
		"Marshaler":             marshals{`{"x":[1,2]}`},
		"pointer Marshaler":     &pointed{"a"},
		"value of pointer one":  pointed{"a"},
		"addressable one":       &struct{ P pointed }{pointed{"a"}},
		"elements of pointer":   []pointed{{"a"}},
		"nil Marshaler":         (*pointed)(nil),
		"big.Int":               big.NewInt(12345),
		"duration":              time.Second,
		"ldvalue":               ldvalue.Parse([]byte(`{"a":[true,{"b":null}]}`)),
		"raw ldvalue":           ldvalue.Raw(json.RawMessage(`{"a":1}`)),
		"pointer to ldvalue":    new(ldvalue.Int(3)),
		"linked list":           &node{Value: 1, Next: &node{Value: 2}},
		"interface in struct":   struct{ E any }{E: &friend},
		"string options": struct {
			B bool     `json:",string"`
			S string   `json:",string"`
			F *float64 `json:",string"`
			L []int    `json:",string"`
		}{true, "s", new(2.5), []int{1}},
	} {
		t.Run(name, func(t *testing.T) {
			want, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			got, ok, problems := jsonvalue.Convert(v)
			if !ok || problems != nil {
				t.Fatalf("ok = %v, problems = %v", ok, problems)
			}
			if !got.Equal(parse(t, want)) {
				t.Errorf("got %s, want %s", got.JSONString(), want)
			}
			if got.Type() == ldvalue.RawType {
				t.Error("raw values can be neither evaluated nor redacted in parts")
			}
		})
	}
}

// TestConvertItsOwnWay covers what encoding/json writes otherwise, or not at all.
func TestConvertItsOwnWay(t *testing.T) {
	moment := time.Date(2026, 3, 4, 5, 6, 7, 890_000_000, time.FixedZone("", 3600))
	cyclicMap := map[string]any{"a": 1}
	cyclicMap["self"] = cyclicMap
	cyclicSlice := []any{1, nil}
	cyclicSlice[1] = cyclicSlice
	cyclicNode := &node{Value: 1}
	cyclicNode.Next = cyclicNode
	var cyclicPointer pointer
	cyclicPointer = &cyclicPointer
	sameAddress := &first{}
	shared := map[string]any{"x": 1}

	for name, test := range map[string]struct {
		v    any
		want string // "" where v has no JSON form
		path string // of the first problem
		err  error
	}{
		"time in UTC":            {v: moment, want: `"2026-03-04T04:06:07.89Z"`},
		"time without fraction":  {v: moment.Truncate(time.Second), want: `"2026-03-04T04:06:07Z"`},
		"pointer to time":        {v: &moment, want: `"2026-03-04T04:06:07.89Z"`},
		"time in a struct":       {v: struct{ T time.Time }{moment}, want: `{"T":"2026-03-04T04:06:07.89Z"}`},
		"evaluation context":     {v: openfeature.NewEvaluationContext("k", map[string]any{"a": 1}), want: `{"targetingKey":"k","a":1}`},
		"flattened context":      {v: openfeature.FlattenedContext{"a": 1}, want: `{"a":1}`},
		"invalid UTF-8":          {v: "a\xffb", want: `"a` + "\uFFFD" + `b"`},
		"invalid UTF-8 in a key": {v: map[string]int{"\xff": 1}, want: `{"` + "\uFFFD" + `":1}`},
		"invalid UTF-8 in text":  {v: textual{"\xff"}, want: `"text:` + "\uFFFD" + `"`},
		"invalid UTF-8 in raw":   {v: json.RawMessage("\"\xff\""), want: `"` + "\uFFFD" + `"`},
		"lone surrogate in raw":  {v: json.RawMessage(`"\ud800"`), want: `"` + "\uFFFD" + `"`},
		"shared, not cyclic":     {v: []any{shared, shared}, want: `[{"x":1},{"x":1}]`},
		"same address, no cycle": {v: []any{sameAddress, struct{ P, Q any }{sameAddress, &sameAddress.Inner}}, want: `[{"Inner":{"N":0}},{"P":{"Inner":{"N":0}},"Q":{"N":0}}]`},
		"as deep as allowed":     {v: nested(jsonvalue.MaxDepth), want: strings.Repeat("[", 100) + "1" + strings.Repeat("]", 100)},
		"time in the last year":  {v: time.Date(9999, 12, 31, 23, 0, 0, 0, time.UTC), want: `"9999-12-31T23:00:00Z"`},
		"time too late in UTC":   {v: time.Date(9999, 12, 31, 23, 30, 0, 0, time.FixedZone("", -3600)), err: jsonvalue.ErrMarshal},
		"time too early":         {v: []any{time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)}, want: `[null]`, path: "/v/0", err: jsonvalue.ErrMarshal},
		"NaN":                    {v: math.NaN(), err: jsonvalue.ErrNotFinite},
		"Inf":                    {v: math.Inf(1), err: jsonvalue.ErrNotFinite},
		"float32 NaN":            {v: float32(math.NaN()), err: jsonvalue.ErrNotFinite},
		"float32 -Inf":           {v: float32(math.Inf(-1)), err: jsonvalue.ErrNotFinite},
		"pointer to NaN":         {v: new(math.NaN()), err: jsonvalue.ErrNotFinite},
		"ldvalue NaN":            {v: ldvalue.Float64(math.NaN()), err: jsonvalue.ErrNotFinite},
		"number beyond float64":  {v: json.RawMessage("1e999"), err: jsonvalue.ErrNotFinite},
		"json.Number too large":  {v: json.Number("1e999"), err: jsonvalue.ErrNotFinite},
		"json.Number not JSON":   {v: json.Number("0x10"), err: jsonvalue.ErrInvalidJSON},
		"json.Number with space": {v: json.Number("1 "), err: jsonvalue.ErrInvalidJSON},
		"json.Number of a word":  {v: json.Number("true"), err: jsonvalue.ErrInvalidJSON},
		"channel":                {v: make(chan int), err: jsonvalue.ErrType},
		"function":               {v: func() {}, err: jsonvalue.ErrType},
		"nil function":           {v: (func())(nil), err: jsonvalue.ErrType},
		"complex":                {v: 1i, err: jsonvalue.ErrType},
		"map of floats":          {v: map[float64]int{1: 1}, err: jsonvalue.ErrType},
		"invalid raw":            {v: json.RawMessage("{"), err: jsonvalue.ErrInvalidJSON},
		"empty raw":              {v: json.RawMessage{}, err: jsonvalue.ErrInvalidJSON},
		"two raw values":         {v: json.RawMessage("1 2"), err: jsonvalue.ErrInvalidJSON},
		"invalid raw ldvalue":    {v: ldvalue.Raw(json.RawMessage("nope")), err: jsonvalue.ErrInvalidJSON},
		"marshaler that panics":  {v: panics{}, err: jsonvalue.ErrMarshal},
		"marshaler that fails":   {v: fails{}, err: jsonvalue.ErrMarshal},
		"marshaler that lies":    {v: lies{}, err: jsonvalue.ErrMarshal},
		"key that fails":         {v: map[fails]int{{}: 1}, err: jsonvalue.ErrMarshal},
		"pointer cycle":          {v: cyclicPointer, err: jsonvalue.ErrCycle},
		"NaN in a map":           {v: map[string]any{"a": 1, "b": math.NaN()}, want: `{"a":1}`, path: "/v/b", err: jsonvalue.ErrNotFinite},
		"NaN in an array":        {v: []float64{1, math.NaN(), 2}, want: `[1,null,2]`, path: "/v/1", err: jsonvalue.ErrNotFinite},
		"NaN in a struct":        {v: struct{ A, B float64 }{math.NaN(), 2}, want: `{"B":2}`, path: "/v/A", err: jsonvalue.ErrNotFinite},
		"NaN in an ldvalue":      {v: ldvalue.ArrayOf(ldvalue.Float64(math.Inf(1))), want: `[null]`, path: "/v/0", err: jsonvalue.ErrNotFinite},
		"channel deep inside":    {v: map[string]any{"x/y": []any{map[string]any{"~": make(chan int)}}}, want: `{"x/y":[{}]}`, path: "/v/x~1y/0/~0", err: jsonvalue.ErrType},
		"map in itself":          {v: cyclicMap, want: `{"a":1}`, path: "/v/self", err: jsonvalue.ErrCycle},
		"slice in itself":        {v: cyclicSlice, want: `[1,null]`, path: "/v/1", err: jsonvalue.ErrCycle},
		"struct in itself":       {v: cyclicNode, want: `{"Value":1}`, path: "/v/Next", err: jsonvalue.ErrCycle},
		"deeper than allowed":    {v: nested(101), want: strings.Repeat("[", 100) + "null" + strings.Repeat("]", 100), path: "/v" + strings.Repeat("/0", 100), err: jsonvalue.ErrTooDeep},
		"far deeper":             {v: nested(100_000), want: strings.Repeat("[", 100) + "null" + strings.Repeat("]", 100), path: "/v" + strings.Repeat("/0", 100), err: jsonvalue.ErrTooDeep},
		"deep raw":               {v: json.RawMessage(strings.Repeat("[", 1_000_000)), err: jsonvalue.ErrInvalidJSON},
		"too many elements":      {v: make([]struct{}, 1<<40), err: jsonvalue.ErrTooLarge},
		"too long a string":      {v: strings.Repeat("x", jsonvalue.MaxBytes+1), err: jsonvalue.ErrTooLarge},
		"too many bytes":         {v: make([]byte, jsonvalue.MaxBytes), err: jsonvalue.ErrTooLarge},
		"too long a raw":         {v: json.RawMessage(strings.Repeat(" ", jsonvalue.MaxBytes) + "1"), err: jsonvalue.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok, problems := jsonvalue.Convert(test.v)
			if ok != (test.want != "") {
				t.Fatalf("ok = %v, problems = %v", ok, problems)
			}
			if ok && !got.Equal(ldvalue.Parse([]byte(test.want))) {
				t.Errorf("got %s, want %s", got.JSONString(), test.want)
			}
			if test.err == nil {
				if problems != nil {
					t.Errorf("unexpected problems: %v", problems)
				}
				return
			}
			if len(problems) != 1 || !errors.Is(problems[0].Err, test.err) || !errors.Is(problems[0].Err, jsonvalue.ErrUnsupported) {
				t.Fatalf("problems = %v, want %v", problems, test.err)
			}
			if test.path == "" {
				test.path = "v"
			}
			if path := problems[0].Reference("v"); path != test.path {
				t.Errorf("path = %s, want %s", path, test.path)
			}
		})
	}
}

// TestConvertUnfolding has a small Go value whose JSON would fill any memory.
func TestConvertUnfolding(t *testing.T) {
	for name, fold := range map[string]func(inner any) any{
		"maps":    func(inner any) any { return map[string]any{"l": inner, "r": inner} },
		"structs": func(inner any) any { return &struct{ L, R any }{inner, inner} },
		"typed":   func(inner any) any { return map[string]any{"l": []any{inner}, "r": map[int]any{1: inner}} },
	} {
		t.Run(name, func(t *testing.T) {
			v := any(strings.Repeat("x", 1000))
			for range 40 {
				v = fold(v)
			}
			value, ok, problems := jsonvalue.Convert(v)
			if !ok || len(problems) == 0 || len(problems) > jsonvalue.MaxProblems {
				t.Fatalf("ok = %v with %d problems", ok, len(problems))
			}
			for i, p := range problems {
				if want := jsonvalue.ErrTooLarge; i < jsonvalue.MaxProblems-1 && !errors.Is(p.Err, want) {
					t.Error(p.Err)
				}
			}
			if len(problems) == jsonvalue.MaxProblems && !errors.Is(problems[len(problems)-1].Err, jsonvalue.ErrMore) {
				t.Error("nothing tells that more was left out")
			}
			if size := len(value.JSONString()); size > 2*jsonvalue.MaxBytes {
				t.Errorf("%d bytes of JSON", size)
			}
		})
	}
}

// TestConvertRefusesOnlyWhatIsTooLarge has a part that is refused, and others next to it that are not.
func TestConvertRefusesOnlyWhatIsTooLarge(t *testing.T) {
	huge := strings.Repeat("x", jsonvalue.MaxBytes+1)
	got, ok, problems := jsonvalue.Convert([]any{huge, "a", []byte(huge), "b", json.RawMessage(`"` + huge + `"`), map[string]any{huge: 1, "c": "d"}})
	if want := `[null,"a",null,"b",null,{"c":"d"}]`; !ok || got.JSONString() != want {
		t.Errorf("got %.100s, want %s", got.JSONString(), want)
	}
	if len(problems) != 4 {
		t.Errorf("%d problems", len(problems))
	}
}

func TestConvertCopies(t *testing.T) {
	tags := []string{"a"}
	m := map[string]any{"tags": tags, "raw": json.RawMessage(`[1]`), "m": map[string]any{"x": 1}}
	got, _, _ := jsonvalue.Convert(m)
	before := got.JSONString()
	tags[0] = "changed"
	m["raw"].(json.RawMessage)[1] = '2'
	m["m"].(map[string]any)["x"] = 2
	delete(m, "tags")
	if !got.Equal(ldvalue.Parse([]byte(before))) {
		t.Errorf("%s became %s", before, got.JSONString())
	}
}

func TestString(t *testing.T) {
	for in, want := range map[string]string{"": "", "plain": "plain", "é": "é", "\xff": "\uFFFD", "a\xc3": "a\uFFFD"} {
		if got := jsonvalue.String(in); got != want {
			t.Errorf("String(%q) = %q, want %q", in, got, want)
		}
	}
}
