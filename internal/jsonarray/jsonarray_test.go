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
func split(text string) (elements []string, counts [][2]int, ok bool) {
	ok = jsonarray.Split([]byte(text), func(element []byte, containers, values int) {
		elements, counts = append(elements, string(element)), append(counts, [2]int{containers, values})
	})
	return elements, counts, ok
}

func TestSplit(t *testing.T) {
	for text, want := range map[string]struct {
		elements []string
		counts   [][2]int // objects and arrays, and values in arrays
	}{
		`[]`:                              {},
		" [ \n] ":                         {},
		`[1]`:                             {[]string{`1`}, [][2]int{{}}},
		`[{}]`:                            {[]string{`{}`}, [][2]int{{1, 0}}},
		`[{"a":{"b":[]}},{}]`:             {[]string{`{"a":{"b":[]}}`, `{}`}, [][2]int{{3, 0}, {1, 0}}},
		" [ { \"a\" : 1 } ,\t2\r]\n":      {[]string{`{ "a" : 1 }`, `2`}, [][2]int{{1, 0}, {}}},
		`["]","{,}","\"],[","\\\"",""]`:   {[]string{`"]"`, `"{,}"`, `"\"],["`, `"\\\""`, `""`}, make([][2]int, 5)},
		`[{"a,]}":",[{"},[[1,2],[],3]]`:   {[]string{`{"a,]}":",[{"}`, `[[1,2],[],3]`}, [][2]int{{1, 0}, {3, 5}}},
		`[null,true,false,-1.5e3,0,1E+2]`: {[]string{`null`, `true`, `false`, `-1.5e3`, `0`, `1E+2`}, make([][2]int, 6)},
		`["\ud83D\ude00","é",{"ü":[""]}]`: {[]string{`"\ud83D\ude00"`, `"é"`, `{"ü":[""]}`}, [][2]int{{}, {}, {2, 1}}},
	} {
		elements, counts, ok := split(text)
		if !ok || !slices.Equal(elements, want.elements) || !slices.Equal(counts, want.counts) {
			t.Errorf("%s: %q, %d, %v", text, elements, counts, ok)
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
	elements, counts, ok := split("[" + deep + ",1]")
	if !ok || len(elements) != 2 || elements[0] != deep || counts[0] != [2]int{2 * levels, levels - 1} {
		t.Errorf("%d elements, %d, %v", len(elements), counts, ok)
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
		elements, counts, ok := split(string(text))
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
			if elements[i] != string(want[i]) || counts[i] != countsOf(t, want[i]) {
				t.Errorf("%q: element %d is %q, with %d objects and arrays, and values in arrays", text, i, elements[i], counts[i])
			}
		}
	})
}

// countsOf counts the objects and arrays of a value, and the values in arrays.
func countsOf(t *testing.T, text []byte) (n [2]int) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatal(err)
	}
	var count func(any)
	count = func(value any) {
		switch value := value.(type) {
		case []any:
			n[0]++
			n[1] += len(value)
			for _, v := range value {
				count(v)
			}
		case map[string]any:
			n[0]++
			for _, v := range value {
				count(v)
			}
		}
	}
	count(value)
	return n
}

// The pair compares Split with the validation that it replaces.
func BenchmarkSplit(b *testing.B) {
	event := `{"kind":"custom","creationDate":1700000000123,"key":"purchase","context":{"kind":"user","key":"sandy","name":` +
		`"Sandy Smith","plan":"gold","visits":17},"data":{"currency":"EUR","items":[1,2,3],"note":"a \"quoted\" word"},"metricValue":9.99}`
	text := []byte("[" + strings.Repeat(event+",", 999) + event + "]")
	b.Run("by=Split", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if !jsonarray.Split(text, func([]byte, int, int) {}) {
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
