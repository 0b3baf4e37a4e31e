package jsonarray_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/openfeature-launchdarkly/go-provider/internal/jsonarray"
)

// split is Split with its results as slices.
func split(text string) (elements []string, containers []int, ok bool) {
	ok = jsonarray.Split([]byte(text), func(element []byte, n int) {
		elements, containers = append(elements, string(element)), append(containers, n)
	})
	return elements, containers, ok
}

func TestSplit(t *testing.T) {
	for text, want := range map[string]struct {
		elements   []string
		containers []int
	}{
		`[]`:                              {},
		" [ \n] ":                         {},
		`[1]`:                             {[]string{`1`}, []int{0}},
		`[{}]`:                            {[]string{`{}`}, []int{1}},
		`[{"a":{"b":[]}},{}]`:             {[]string{`{"a":{"b":[]}}`, `{}`}, []int{3, 1}},
		" [ { \"a\" : 1 } ,\t2\r]\n":      {[]string{`{ "a" : 1 }`, `2`}, []int{1, 0}},
		`["]","{,}","\"],[","\\\"",""]`:   {[]string{`"]"`, `"{,}"`, `"\"],["`, `"\\\""`, `""`}, []int{0, 0, 0, 0, 0}},
		`[{"a,]}":",[{"},[[1,2],[]]]`:     {[]string{`{"a,]}":",[{"}`, `[[1,2],[]]`}, []int{1, 3}},
		`[null,true,false,-1.5e3,0,1E+2]`: {[]string{`null`, `true`, `false`, `-1.5e3`, `0`, `1E+2`}, []int{0, 0, 0, 0, 0, 0}},
		`["\ud83D\ude00","é",{"ü":""}]`:   {[]string{`"\ud83D\ude00"`, `"é"`, `{"ü":""}`}, []int{0, 0, 1}},
	} {
		elements, containers, ok := split(text)
		if !ok || !slices.Equal(elements, want.elements) || !slices.Equal(containers, want.containers) {
			t.Errorf("%s: %q, %d, %v", text, elements, containers, ok)
		}
	}
	for _, text := range []string{
		``, ` `, `{}`, `"[]"`, `null`, `[`, `[1`, `[1,`, `[1,]`, `[,1]`, `[1 2]`, `[1]]`, `[1],`, `[{"a":1]`, `[[1}]`, `[{a:1}]`,
		`[{"a"}]`, `[{"a":}]`, `[{"a":1,}]`, `[{,}]`, `[01]`, `[.5]`, `[1.]`, `[1e]`, `[+1]`, `[-]`, `[NaN]`, `[nul]`, `[truee]`,
		`["a]`, `["\x"]`, `["\u12g4"]`, "[\"\\u000\x11\"]", `["\u12`, `["\`, "[\"a\n\"]", "[\"\\n\x00\"]", "[\x00]", "[1]\x00",
	} {
		if elements, _, ok := split(text); ok {
			t.Errorf("%q is valid, with the elements %q", text, elements)
		}
	}
}

func TestSplitHasNoBoundOnNesting(t *testing.T) {
	const levels = 1_000_000
	deep := strings.Repeat(`{"a":[`, levels) + strings.Repeat(`]}`, levels)
	elements, containers, ok := split("[" + deep + ",1]")
	if !ok || len(elements) != 2 || elements[0] != deep || containers[0] != 2*levels {
		t.Errorf("%d elements, %d, %v", len(elements), containers, ok)
	}
}

// FuzzSplit compares Split with encoding/json.
func FuzzSplit(f *testing.F) {
	for _, text := range []string{
		`[{"kind":"custom","data":[1,{"b":"]"}]},null]`, " [ {\"a\\u0069\" : -1.5e+3} ,\n\"\\\\\\\"]\",[],true ]\n", `[1}`, `{"a":[]}`,
		`["\ud83d"]`, `[0,-0,1e5,01]`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		elements, containers, ok := split(string(text))
		var want []json.RawMessage
		if isArray := json.Unmarshal(text, &want) == nil && want != nil; isArray != ok {
			t.Fatalf("%q: %v", text, ok)
		}
		if !ok {
			return
		}
		if len(elements) != len(want) {
			t.Fatalf("%q: elements %q", text, elements)
		}
		for i := range want {
			if elements[i] != string(want[i]) || containers[i] != containersOf(want[i]) {
				t.Errorf("%q: element %d is %q, with %d objects and arrays", text, i, elements[i], containers[i])
			}
		}
	})
}

func containersOf(text []byte) (n int) {
	for decoder := json.NewDecoder(bytes.NewReader(text)); ; {
		token, err := decoder.Token()
		if err != nil {
			return n
		}
		if token == json.Delim('{') || token == json.Delim('[') {
			n++
		}
	}
}

// The pair compares Split with the validation that it replaces.
func BenchmarkSplit(b *testing.B) {
	event := `{"kind":"custom","creationDate":1700000000123,"key":"purchase","context":{"kind":"user","key":"sandy","name":` +
		`"Sandy Smith","plan":"gold","visits":17},"data":{"currency":"EUR","items":[1,2,3],"note":"a \"quoted\" word"},"metricValue":9.99}`
	text := []byte("[" + strings.Repeat(event+",", 999) + event + "]")
	b.Run("by=Split", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if !jsonarray.Split(text, func([]byte, int) {}) {
				b.Fatal("invalid")
			}
		}
	})
	b.Run("by=json.Valid", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if !json.Valid(text) {
				b.Fatal("invalid")
			}
		}
	})
}
