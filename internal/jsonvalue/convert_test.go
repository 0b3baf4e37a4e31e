package jsonvalue_test

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/big"
	"net/netip"
	"slices"
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
	flag    bool
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
	// column is stored as a value of another type, or fails.
	column struct {
		Stored driver.Value
		err    error
	}
	// encoded is stored as JSON.
	encoded struct{ Plan string }
	// stamp is what protobuf generates for a timestamp.
	stamp struct{ Seconds int64 }
	// both has a JSON form of its own, which wins.
	both   struct{ marshals }
	code   int
	broken struct{ error }
)

func (c column) Value() (driver.Value, error)  { return c.Stored, c.err }
func (e encoded) Value() (driver.Value, error) { return json.Marshal(e) }
func (s *stamp) AsTime() time.Time             { return time.Unix(s.Seconds, 0) }
func (both) Error() string                     { return "not this" }
func (both) Value() (driver.Value, error)      { return "nor this", nil }
func (both) AsTime() time.Time                 { return time.Time{} }
func (c code) Error() string                   { return fmt.Sprint("code ", int(c)) }

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
		"int64 beyond 2^53": int64(1) << 60,
		"uint":              uint(7),
		"uint64":            uint64(1) << 63,
		"uintptr":           uintptr(9),
		"float32":           float32(0.1),
		"large float32":     float32(3.4e38),
		"string option of text": struct {
			T textual `json:",string"`
		}{textual{"a"}},
		"float64":               1.5e300,
		"named bool":            flag(true),
		"named string":          plan("gold"),
		"named int":             cents(1999),
		"named float32":         ratio(0.3),
		"named uint8":           level(3),
		"pointer":               new(42),
		"pointer to pointer":    new(new("x")),
		"nil pointer":           (*int)(nil),
		"nil slice":             []int(nil),
		"nil map":               map[string]int(nil),
		"nil map of any":        map[string]any(nil),
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
		"time in UTC":             {v: moment, want: `"2026-03-04T04:06:07.89Z"`},
		"time without fraction":   {v: moment.Truncate(time.Second), want: `"2026-03-04T04:06:07Z"`},
		"pointer to time":         {v: &moment, want: `"2026-03-04T04:06:07.89Z"`},
		"time in a struct":        {v: struct{ T time.Time }{moment}, want: `{"T":"2026-03-04T04:06:07.89Z"}`},
		"evaluation context":      {v: openfeature.NewEvaluationContext("k", map[string]any{"a": 1}), want: `{"targetingKey":"k","a":1}`},
		"flattened context":       {v: openfeature.FlattenedContext{"a": 1}, want: `{"a":1}`},
		"invalid UTF-8":           {v: "a\xffb", want: `"a` + "\uFFFD" + `b"`},
		"error":                   {v: errors.New("declined"), want: `"declined"`},
		"error in a struct":       {v: struct{ Err error }{io.EOF}, want: `{"Err":"EOF"}`},
		"error without a value":   {v: struct{ Err error }{}, want: `{"Err":null}`},
		"number that is an error": {v: code(7), want: `"code 7"`},
		"nil pointer to an error": {v: (*fs.PathError)(nil), want: `null`},
		"error that panics":       {v: broken{}, err: jsonvalue.ErrMarshal},
		"NullString":              {v: sql.NullString{String: "x@example.com", Valid: true}, want: `"x@example.com"`},
		"invalid NullString":      {v: sql.NullString{String: "x@example.com"}, want: `null`},
		"pointer to NullInt64":    {v: &sql.NullInt64{Int64: 7, Valid: true}, want: `7`},
		"NullTime":                {v: sql.NullTime{Time: moment, Valid: true}, want: `"2026-03-04T04:06:07.89Z"`},
		"Null of a struct":        {v: sql.Null[account]{V: account{Name: "n"}}, want: `null`},
		"Null of a Null":          {v: sql.Null[sql.NullString]{V: sql.NullString{String: "x", Valid: true}, Valid: true}, want: `"x"`},
		"Valuer of encoded data":  {v: encoded{"gold"}, want: `{"Plan":"gold"}`},
		"Valuer that fails":       {v: column{err: errors.New("secret")}, err: jsonvalue.ErrMarshal},
		"Valuers without an end":  {v: endless{}, err: jsonvalue.ErrTooDeep},
		"protobuf timestamp":      {v: &stamp{1}, want: `"1970-01-01T00:00:01Z"`},
		"timestamp in a struct":   {v: struct{ At *stamp }{&stamp{1}}, want: `{"At":"1970-01-01T00:00:01Z"}`},
		"nil timestamp":           {v: (*stamp)(nil), want: `null`},
		"timestamp out of range":  {v: &stamp{1 << 60}, err: jsonvalue.ErrMarshal},
		"Marshaler that is more":  {v: both{marshals{"1"}}, want: `1`},
		"map with any key":        {v: map[any]any{"a": 1}, err: jsonvalue.ErrType},
		"empty map of floats":     {v: map[float64]int{}, err: jsonvalue.ErrType},
		"duplicate names in raw":  {v: json.RawMessage(`{"a":1,"a":2}`), want: `{"a":2}`},
		"all escapes in raw":      {v: json.RawMessage(`"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"`), want: `"\"\\/\b\f\n\r\té😀"`},
		"half pairs in raw":       {v: json.RawMessage(`["\ud83d","\ud83dx","\ude00\ud83d","\ud83d\u0041"]`), want: `["\ufffd","\ufffdx","\ufffd\ufffd","\ufffdA"]`},
		"escapes in raw":          {v: json.RawMessage(`{"\u0061\"]":["\\\"",{"b" : -1.5e2 , "c":true}]}`), want: `{"a\"]":["\\\"",{"b":-150,"c":true}]}`},
		"raw too deep":            {v: json.RawMessage(strings.Repeat("[", 100) + `[{"]":"[\""}],2` + strings.Repeat("]", 100)), want: strings.Repeat("[", 100) + "null,2" + strings.Repeat("]", 100), path: "/v" + strings.Repeat("/0", 100), err: jsonvalue.ErrTooDeep},
		"invalid UTF-8 in a key":  {v: map[string]int{"\xff": 1}, want: `{"` + "\uFFFD" + `":1}`},
		"invalid UTF-8 in text":   {v: textual{"\xff"}, want: `"text:` + "\uFFFD" + `"`},
		"invalid UTF-8 in raw":    {v: json.RawMessage("\"\xff\""), want: `"` + "\uFFFD" + `"`},
		"lone surrogate in raw":   {v: json.RawMessage(`"\ud800"`), want: `"` + "\uFFFD" + `"`},
		"shared, not cyclic":      {v: []any{shared, shared}, want: `[{"x":1},{"x":1}]`},
		"same address, no cycle":  {v: []any{sameAddress, struct{ P, Q any }{sameAddress, &sameAddress.Inner}}, want: `[{"Inner":{"N":0}},{"P":{"Inner":{"N":0}},"Q":{"N":0}}]`},
		"as deep as allowed":      {v: nested(jsonvalue.MaxDepth), want: strings.Repeat("[", 100) + "1" + strings.Repeat("]", 100)},
		"time in the last year":   {v: time.Date(9999, 12, 31, 23, 0, 0, 0, time.UTC), want: `"9999-12-31T23:00:00Z"`},
		"time too late in UTC":    {v: time.Date(9999, 12, 31, 23, 30, 0, 0, time.FixedZone("", -3600)), err: jsonvalue.ErrMarshal},
		"time too early":          {v: []any{time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)}, want: `[null]`, path: "/v/0", err: jsonvalue.ErrMarshal},
		"NaN":                     {v: math.NaN(), err: jsonvalue.ErrNotFinite},
		"Inf":                     {v: math.Inf(1), err: jsonvalue.ErrNotFinite},
		"float32 NaN":             {v: float32(math.NaN()), err: jsonvalue.ErrNotFinite},
		"float32 -Inf":            {v: float32(math.Inf(-1)), err: jsonvalue.ErrNotFinite},
		"pointer to NaN":          {v: new(math.NaN()), err: jsonvalue.ErrNotFinite},
		"ldvalue NaN":             {v: ldvalue.Float64(math.NaN()), err: jsonvalue.ErrNotFinite},
		"number beyond float64":   {v: json.RawMessage("1e999"), err: jsonvalue.ErrNotFinite},
		"json.Number too large":   {v: json.Number("1e999"), err: jsonvalue.ErrNotFinite},
		"json.Number not JSON":    {v: json.Number("0x10"), err: jsonvalue.ErrInvalidJSON},
		"json.Number with space":  {v: json.Number("1 "), err: jsonvalue.ErrInvalidJSON},
		"json.Number of a word":   {v: json.Number("true"), err: jsonvalue.ErrInvalidJSON},
		"channel":                 {v: make(chan int), err: jsonvalue.ErrType},
		"function":                {v: func() {}, err: jsonvalue.ErrType},
		"nil function":            {v: (func())(nil), err: jsonvalue.ErrType},
		"complex":                 {v: 1i, err: jsonvalue.ErrType},
		"map of floats":           {v: map[float64]int{1: 1}, err: jsonvalue.ErrType},
		"invalid raw":             {v: json.RawMessage("{"), err: jsonvalue.ErrInvalidJSON},
		"empty raw":               {v: json.RawMessage{}, err: jsonvalue.ErrInvalidJSON},
		"two raw values":          {v: json.RawMessage("1 2"), err: jsonvalue.ErrInvalidJSON},
		"invalid raw ldvalue":     {v: ldvalue.Raw(json.RawMessage("nope")), err: jsonvalue.ErrInvalidJSON},
		"marshaler that panics":   {v: panics{}, err: jsonvalue.ErrMarshal},
		"marshaler that fails":    {v: fails{}, err: jsonvalue.ErrMarshal},
		"marshaler that lies":     {v: lies{}, err: jsonvalue.ErrMarshal},
		"key that fails":          {v: map[fails]int{{}: 1}, err: jsonvalue.ErrMarshal},
		"pointer cycle":           {v: cyclicPointer, err: jsonvalue.ErrCycle},
		"NaN in a map":            {v: map[string]any{"a": 1, "b": math.NaN()}, want: `{"a":1}`, path: "/v/b", err: jsonvalue.ErrNotFinite},
		"NaN in an array":         {v: []float64{1, math.NaN(), 2}, want: `[1,null,2]`, path: "/v/1", err: jsonvalue.ErrNotFinite},
		"NaN in a struct":         {v: struct{ A, B float64 }{math.NaN(), 2}, want: `{"B":2}`, path: "/v/A", err: jsonvalue.ErrNotFinite},
		"NaN in an ldvalue":       {v: ldvalue.ArrayOf(ldvalue.Float64(math.Inf(1))), want: `[null]`, path: "/v/0", err: jsonvalue.ErrNotFinite},
		"channel deep inside":     {v: map[string]any{"x/y": []any{map[string]any{"~": make(chan int)}}}, want: `{"x/y":[{}]}`, path: "/v/x~1y/0/~0", err: jsonvalue.ErrType},
		"map in itself":           {v: cyclicMap, want: `{"a":1}`, path: "/v/self", err: jsonvalue.ErrCycle},
		"slice in itself":         {v: cyclicSlice, want: `[1,null]`, path: "/v/1", err: jsonvalue.ErrCycle},
		"struct in itself":        {v: cyclicNode, want: `{"Value":1}`, path: "/v/Next", err: jsonvalue.ErrCycle},
		"deeper than allowed":     {v: nested(101), want: strings.Repeat("[", 100) + "null" + strings.Repeat("]", 100), path: "/v" + strings.Repeat("/0", 100), err: jsonvalue.ErrTooDeep},
		"far deeper":              {v: nested(100_000), want: strings.Repeat("[", 100) + "null" + strings.Repeat("]", 100), path: "/v" + strings.Repeat("/0", 100), err: jsonvalue.ErrTooDeep},
		"deep raw":                {v: json.RawMessage(strings.Repeat("[", 1_000_000)), err: jsonvalue.ErrInvalidJSON},
		"too many elements":       {v: make([]struct{}, 1<<40), err: jsonvalue.ErrTooLarge},
		"too long a string":       {v: strings.Repeat("x", jsonvalue.MaxBytes+1), err: jsonvalue.ErrTooLarge},
		"too many bytes":          {v: make([]byte, jsonvalue.MaxBytes), err: jsonvalue.ErrTooLarge},
		"too long a raw":          {v: json.RawMessage(strings.Repeat(" ", jsonvalue.MaxBytes) + "1"), err: jsonvalue.ErrTooLarge},
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
			if len(problems) != 1 || !errors.Is(problems[0].Err, test.err) {
				t.Fatalf("problems = %v, want %v", problems, test.err)
			}
			if unsupported := !errors.Is(test.err, jsonvalue.ErrTooLarge); errors.Is(test.err, jsonvalue.ErrUnsupported) != unsupported {
				t.Errorf("matches ErrUnsupported: %v, want %v", !unsupported, unsupported)
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

// TestPrecision has integers next to those that a float64 can hold.
func TestPrecision(t *testing.T) {
	for name, test := range map[string]struct {
		v     any
		want  float64
		exact bool
	}{
		"int64":                   {int64(9007199254740993), 9007199254740992, false},
		"negative int64":          {int64(-9007199254740993), -9007199254740992, false},
		"int":                     {9007199254740993, 9007199254740992, false},
		"largest int64":           {int64(math.MaxInt64), 1 << 63, false},
		"smallest int64":          {int64(math.MinInt64), -1 << 63, true},
		"2^53":                    {int64(1 << 53), 1 << 53, true},
		"power of two":            {int64(1 << 62), 1 << 62, true},
		"uint":                    {uint(9007199254740993), 9007199254740992, false},
		"uint64":                  {uint64(9007199254740993), 9007199254740992, false},
		"largest uint64":          {uint64(math.MaxUint64), 1 << 64, false},
		"2^63 as uint64":          {uint64(1 << 63), 1 << 63, true},
		"named":                   {cents(9007199254740993), 9007199254740992, false},
		"pointer":                 {new(int64(9007199254740993)), 9007199254740992, false},
		"duration":                {time.Duration(9007199254740993), 9007199254740992, false},
		"json.Number":             {json.Number("9007199254740993"), 9007199254740992, false},
		"negative json.Number":    {json.Number("-9007199254740993"), -9007199254740992, false},
		"json.Number that fits":   {json.Number("9007199254740992"), 9007199254740992, true},
		"json.Number, exponent":   {json.Number("9007199254740993e0"), 9007199254740992, true},
		"json.Number, fraction":   {json.Number("0.1000000000000000000001"), 0.1, true},
		"json.Number beyond 2^64": {json.Number("100000000000000000000000"), 1e23, false},
		"2^100 as json.Number":    {json.Number("1267650600228229401496703205376"), 1 << 100, true},
		"raw JSON":                {json.RawMessage(" 9007199254740993 "), 9007199254740992, false},
		"big.Int":                 {new(big.Int).SetUint64(9007199254740993), 9007199254740992, false},
		"sql.NullInt64":           {sql.NullInt64{Int64: 9007199254740993, Valid: true}, 9007199254740992, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok, problems := jsonvalue.Convert(test.v)
			if !ok || got.Float64Value() != test.want {
				t.Errorf("got %v, %v, want %v", got, ok, test.want)
			}
			if exact := problems == nil; exact != test.exact {
				t.Errorf("problems %v", problems)
			}
			for _, p := range problems {
				if !errors.Is(p.Err, jsonvalue.ErrPrecision) || errors.Is(p.Err, jsonvalue.ErrUnsupported) || len(p.Path) != 0 {
					t.Errorf("problem %v", p)
				}
			}
			_, ok, problems = jsonvalue.Convert(map[string]any{"ids": []any{test.v}})
			if !ok || !test.exact && (len(problems) != 1 || problems[0].Reference("v") != "/v/ids/0") {
				t.Errorf("inside a value: %v, %v", ok, problems)
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
		"ldvalue": func(inner any) any { v, _ := inner.(ldvalue.Value); return ldvalue.ArrayOf(v, v) },
	} {
		t.Run(name, func(t *testing.T) {
			v := any(strings.Repeat("x", 1000))
			for range 40 {
				v = fold(v)
			}
			_, ok, problems := jsonvalue.Convert([]any{1, v})
			if ok || len(problems) != 1 || !errors.Is(problems[0].Err, jsonvalue.ErrTooLarge) {
				t.Errorf("ok = %v, problems %v", ok, problems)
			}
		})
	}
}

// TestBudgetKeepsWhatFits converts values that exceed the bounds together.
func TestBudgetKeepsWhatFits(t *testing.T) {
	list := make([]any, jsonvalue.MaxValues/2+1)
	nest := func(inner any) []any { return []any{inner} } // its length does not give it away
	text := strings.Repeat("x", jsonvalue.MaxBytes/2)
	raw := json.RawMessage("[" + strings.Repeat("1,", jsonvalue.MaxValues) + "1]")
	long := text[:jsonvalue.MaxPlain+1]
	objects := make([]any, jsonvalue.MaxValues/10)
	for i := range objects {
		objects[i] = map[string]any{"a": 1}
	}
	type step struct {
		v  any
		ok bool
	}
	for name, steps := range map[string][]step{
		"lists":                  {{list, true}, {list, false}, {list[:100], true}, {1, true}},
		"nested lists":           {{nest(list), true}, {nest(list), false}, {[]any{}, true}, {append(nest(list), nest(list)...), false}},
		"nested lists, halfway":  {{list[10:], true}, {[]any{1, 2, 3, 4, 5, 6, 7, 8, 9, list}, false}, {"plain", true}, {long, true}, {[]any{}, false}},
		"objects":                {{objects[:100], true}, {objects, false}, {[]any{}, false}},
		"raw JSON":               {{raw, false}, {7, true}, {map[string]any{}, false}},
		"strings":                {{text, true}, {text + "x", false}, {text, true}, {long, false}, {true, true}},
		"strings in lists":       {{[]string{text, "x"}, true}, {[]string{text}, false}, {"plain", true}, {[]string{}, true}},
		"bytes":                  {{[]byte(text + text), false}, {long, true}},
		"names":                  {{map[string]int{text: 1, text + "x": 2}, false}, {text, true}},
		"more than all at once":  {{text + text + "x", false}, {text, true}},
		"raw JSON, strings once": {{json.RawMessage(`"` + text + `"`), true}, {text[2:], true}, {long, false}},
	} {
		t.Run(name, func(t *testing.T) {
			var b jsonvalue.Budget
			for i, s := range steps {
				var value ldvalue.Value
				ok, problems := b.Convert(&value, s.v)
				if ok != s.ok || ok != (problems == nil) {
					t.Errorf("value %d: %v, %v", i, ok, problems)
				}
			}
		})
	}
}

// TestObject checks that the same members are left out each time, though the order of a map is
// random.
func TestObject(t *testing.T) {
	half := make([]any, jsonvalue.MaxValues/2+1)
	members := map[string]any{
		"a": half, "b": "text", "c": half, "d": half[:7], "e": math.NaN(), "f": map[string]any{"x": func() {}}, "g": int64(9007199254740993),
	}
	for range 20 {
		got, problems := jsonvalue.Object(members)
		if keys := slices.Sorted(slices.Values(got.Keys(nil))); !slices.Equal(keys, []string{"a", "b", "d", "f", "g"}) {
			t.Fatalf("kept %q", keys)
		}
		var left []string
		for _, p := range problems {
			left = append(left, jsonvalue.Problem{Path: p.Path[1:]}.Reference(p.Path[0])+": "+p.Err.Error())
		}
		want := []string{
			"c: value is too large", "e: number is not finite", "/f/x: type has no JSON form", "g: integer is not exact as a float64",
		}
		if !slices.Equal(left, want) {
			t.Fatalf("problems %q", left)
		}
	}
	long := strings.Repeat("n", jsonvalue.MaxBytes+1)
	got, problems := jsonvalue.Object(map[string]any{long: 1, long[:5000]: 3, "b": 2})
	if got.Count() != 2 || len(problems) != 1 || len(problems[0].Path[0]) > 8<<10 {
		t.Errorf("names that are too long: got %d members and %d problems", got.Count(), len(problems))
	}
}

// endless has itself as its value.
type endless struct{}

func (e endless) Value() (driver.Value, error) { return e, nil }

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
	for in, want := range map[string]string{"": "", "plain": "plain", "é": "é", "\xff": "\uFFFD", "a\xc3": "a\uFFFD", "\xff\xfe": "\uFFFD\uFFFD"} {
		if got := jsonvalue.String(in); got != want {
			t.Errorf("String(%q) = %q, want %q", in, got, want)
		}
	}
}
