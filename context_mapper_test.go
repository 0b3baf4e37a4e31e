package launchdarkly

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/lderrors"
	"github.com/open-feature/go-sdk/openfeature"
)

type keyType string

// timestamp is like those of protobuf.
type timestamp struct{ Seconds int64 }

func (t *timestamp) AsTime() time.Time { return time.Unix(t.Seconds, 0) }

// TestContextMapper has a row for each rule of the table in the package documentation.
func TestContextMapper(t *testing.T) {
	type attributes = map[string]any
	for name, test := range map[string]struct {
		targetingKey string
		attributes   attributes
		want         string   // LaunchDarkly's JSON
		warnings     []string // the attributes that they are about
		cause        error    // of all warnings
	}{
		"user by default": {"u", nil, `{"kind":"user","key":"u"}`, nil, nil},
		"attributes": {"u", attributes{"email": "a@b.c", "age": 42, "tags": []string{"x"}},
			`{"kind":"user","key":"u","email":"a@b.c","age":42,"tags":["x"]}`, nil, nil},
		"null attribute":       {"u", attributes{"email": nil}, `{"kind":"user","key":"u"}`, nil, nil},
		"another kind":         {"o", attributes{"kind": "org"}, `{"kind":"org","key":"o"}`, nil, nil},
		"kind of a named type": {"o", attributes{"kind": keyType("org")}, `{"kind":"org","key":"o"}`, nil, nil},
		"kind not a string":    {"u", attributes{"kind": 7}, `{"kind":"user","key":"u"}`, []string{"kind"}, ErrAttributeType},
		"kind null":            {"u", attributes{"kind": nil}, `{"kind":"user","key":"u"}`, []string{"kind"}, ErrAttributeType},

		"key":                        {"", attributes{"key": "k"}, `{"kind":"user","key":"k"}`, nil, nil},
		"key of a named type":        {"", attributes{"key": keyType("k")}, `{"kind":"user","key":"k"}`, nil, nil},
		"targetingKey as attribute":  {"", attributes{"targetingKey": "k"}, `{"kind":"user","key":"k"}`, nil, nil},
		"targeting key wins":         {"t", attributes{"key": "k"}, `{"kind":"user","key":"t"}`, []string{"key"}, ErrAttributeIgnored},
		"empty targeting key":        {"", attributes{"targetingKey": "", "key": "k"}, `{"kind":"user","key":"k"}`, nil, nil},
		"targeting key not a string": {"", attributes{"targetingKey": 1, "key": "k"}, `{"kind":"user","key":"k"}`, nil, nil},
		"empty key":                  {"t", attributes{"key": ""}, `{"kind":"user","key":"t"}`, nil, nil},
		"key with invalid UTF-8":     {"a\xff", nil, `{"kind":"user","key":"a` + "\uFFFD" + `"}`, nil, nil},

		"name and anonymous":      {"u", attributes{"name": "N", "anonymous": true}, `{"kind":"user","key":"u","name":"N","anonymous":true}`, nil, nil},
		"built-ins of Go's types": {"u", attributes{"name": keyType("N"), "anonymous": new(true)}, `{"kind":"user","key":"u","name":"N","anonymous":true}`, nil, nil},
		"not anonymous":           {"u", attributes{"anonymous": false}, `{"kind":"user","key":"u"}`, nil, nil},
		"built-ins that are null": {"u", attributes{"name": nil, "anonymous": (*bool)(nil), "_meta": nil}, `{"kind":"user","key":"u"}`, nil, nil},
		"built-ins of other types": {"u", attributes{"name": 1, "anonymous": "yes"}, `{"kind":"user","key":"u"}`,
			[]string{"anonymous", "name"}, ErrAttributeType},
		"attribute without a name": {"u", attributes{"": 1}, `{"kind":"user","key":"u"}`, []string{""}, ErrAttributeIgnored},

		"private attributes": {"u", attributes{"privateAttributes": []string{"email", "/address/street"}, "email": "e"},
			`{"kind":"user","key":"u","email":"e","_meta":{"privateAttributes":["email","/address/street"]}}`, nil, nil},
		"private attributes of any": {"u", attributes{"privateAttributes": []any{"email"}},
			`{"kind":"user","key":"u","_meta":{"privateAttributes":["email"]}}`, nil, nil},
		"private attributes in _meta": {"u", attributes{"_meta": attributes{"privateAttributes": []any{"email"}}},
			`{"kind":"user","key":"u","_meta":{"privateAttributes":["email"]}}`, nil, nil},
		"private attribute of invalid UTF-8": {"u", attributes{"privateAttributes": []string{"a\xff"}, "a\xff": 1},
			`{"kind":"user","key":"u","a` + "\uFFFD" + `":1,"_meta":{"privateAttributes":["a` + "\uFFFD" + `"]}}`, nil, nil},
		"no private attributes": {"u", attributes{"privateAttributes": []string{}, "email": "e"}, `{"kind":"user","key":"u","email":"e"}`, nil, nil},
		"nil private attributes": {"u", attributes{"privateAttributes": []any(nil), "_meta": attributes{"privateAttributes": []keyType(nil)}, "email": "e"},
			`{"kind":"user","key":"u","email":"e"}`, nil, nil},

		"integer that is not exact": {"u", attributes{"id": int64(9007199254740993), "n": 1}, `{"kind":"user","key":"u","id":9007199254740992,"n":1}`,
			[]string{"id"}, ErrPrecision},
		"integer in an object that is not exact": {"u", attributes{"order": attributes{"id": json.RawMessage("9007199254740993")}},
			`{"kind":"user","key":"u","order":{"id":9007199254740992}}`, []string{"/order/id"}, ErrPrecision},
		"error":                 {"u", attributes{"err": errors.New("declined")}, `{"kind":"user","key":"u","err":"declined"}`, nil, nil},
		"sql.NullString":        {"u", attributes{"email": sql.NullString{String: "x@example.com", Valid: true}}, `{"kind":"user","key":"u","email":"x@example.com"}`, nil, nil},
		"sql.NullString, null":  {"u", attributes{"email": sql.NullString{}}, `{"kind":"user","key":"u"}`, nil, nil},
		"key of sql.NullString": {"", attributes{"key": sql.NullString{String: "k", Valid: true}}, `{"kind":"user","key":"k"}`, nil, nil},
		"protobuf timestamp":    {"u", attributes{"since": &timestamp{1}}, `{"kind":"user","key":"u","since":"1970-01-01T00:00:01Z"}`, nil, nil},

		"unsupported attributes": {"u", attributes{"bad": math.NaN(), "deep": attributes{"x": []any{1, make(chan int)}}},
			`{"kind":"user","key":"u","deep":{"x":[1,null]}}`, []string{"/deep/x/1", "bad"}, ErrUnsupportedValue},

		"multi-context": {"ignored", attributes{"kind": "multi", "user": attributes{"key": "u", "name": "N"}, "org": attributes{"targetingKey": "o"}},
			`{"kind":"multi","org":{"key":"o"},"user":{"key":"u","name":"N"}}`, nil, nil},
		"multi-context of one": {"", attributes{"kind": "multi", "org": attributes{"key": "o"}, "targetingKey": 7}, `{"kind":"org","key":"o"}`, nil, nil},
		"multi-context of many types": {"", attributes{
			"kind": "multi",
			"a":    openfeature.NewEvaluationContext("a", attributes{"x": 1}),
			"b":    openfeature.FlattenedContext{"targetingKey": "b"},
			"c":    map[string]string{"key": "c"},
			"d": struct {
				Key string `json:"key"`
			}{"d"},
			"e": json.RawMessage(`{"key":"e","x":[1]}`),
		}, `{"kind":"multi","a":{"key":"a","x":1},"b":{"key":"b"},"c":{"key":"c"},"d":{"key":"d"},"e":{"key":"e","x":[1]}}`, nil, nil},
		"multi-context with other things": {"", attributes{"kind": "multi", "org": attributes{"key": "o"}, "plan": "gold", "name": "N", "nothing": nil},
			`{"kind":"org","key":"o"}`, []string{"name", "nothing", "plan"}, ErrAttributeIgnored},
		"multi-context with built-ins beside its contexts": {"", attributes{"kind": "multi", "org": attributes{"key": "o", "x": 1},
			"name": 7, "anonymous": "no", "key": "k", "privateAttributes": "email"},
			`{"kind":"org","key":"o","x":1,"_meta":{"privateAttributes":["x"]}}`,
			[]string{"anonymous", "key", "name", "privateAttributes"}, nil},
		"multi-context whose parts say their kind": {"", attributes{"kind": "multi",
			"org": attributes{"key": "o", "kind": "org"}, "user": attributes{"key": "u", "kind": "device"}, "team": attributes{"key": "t", "kind": nil}},
			`{"kind":"multi","org":{"key":"o"},"team":{"key":"t"},"user":{"key":"u"}}`, []string{"/user/kind"}, ErrAttributeIgnored},
		"multi-context with bad parts of parts": {"", attributes{"kind": "multi", "org": attributes{"key": "o", "x": math.Inf(1), "name": 3}},
			`{"kind":"org","key":"o"}`, []string{"/org/name", "/org/x"}, nil},
		"multi-context of null parts": {"", attributes{"kind": "multi", "org": attributes{"key": "o"}, "user": attributes(nil), "team": (*string)(nil)},
			`{"kind":"org","key":"o"}`, []string{"team", "user"}, ErrAttributeIgnored},
		"multi-context of a struct that is not exact": {"", attributes{"kind": "multi", "org": struct {
			Key string `json:"key"`
			ID  int64
		}{"o", 9007199254740993}}, `{"kind":"org","key":"o","ID":9007199254740992}`, []string{"/org/ID"}, ErrPrecision},
		"multi-context of a struct with a bad field": {"", attributes{"kind": "multi", "org": struct {
			Key string `json:"key"`
			F   func()
		}{Key: "o"}}, `{"kind":"org","key":"o"}`, []string{"/org/F"}, ErrUnsupportedValue},
	} {
		t.Run(name, func(t *testing.T) {
			context, warnings, err := mapped(test.targetingKey, test.attributes)
			if err != nil {
				t.Fatal(err)
			}
			if got := context.JSONString(); !sameJSON(t, got, test.want) {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if got := attributesOf(t, warnings, test.cause); !slices.Equal(got, test.warnings) {
				t.Errorf("warnings about %q, want %q", got, test.warnings)
			}
		})
	}
}

// TestWarningsAreBounded has a context with more that is wrong than anybody wants to read.
func TestWarningsAreBounded(t *testing.T) {
	attributes := map[string]any{"key": "k"}
	for i := range 5000 {
		attributes[strconv.Itoa(i)] = math.NaN()
	}
	_, warnings, err := mapped("", attributes)
	if err != nil || len(warnings) != maxProblems || !errors.Is(warnings[maxProblems-1], ErrTooManyProblems) {
		t.Errorf("%d warnings, %v", len(warnings), err)
	}
}

func TestContextMapperErrors(t *testing.T) {
	type attributes = map[string]any
	for name, test := range map[string]struct {
		attributes attributes
		cause      error
		message    string // a part of it
	}{
		"no key":                  {nil, ErrTargetingKeyMissing, "targetingKey"},
		"empty keys":              {attributes{"targetingKey": "", "key": ""}, ErrTargetingKeyMissing, "targetingKey"},
		"keys of other types":     {attributes{"targetingKey": 1, "key": []string{"k"}}, ErrTargetingKeyMissing, "targetingKey"},
		"no key for a kind":       {attributes{"kind": "org"}, ErrTargetingKeyMissing, "targetingKey"},
		"no key in a part":        {attributes{"kind": "multi", "user": attributes{"key": "u"}, "org": attributes{}}, ErrTargetingKeyMissing, `"org"`},
		"empty kind":              {attributes{"kind": "", "key": "k"}, lderrors.ErrContextKindEmpty{}, "kind cannot be empty"},
		"reserved kind":           {attributes{"kind": "kind", "key": "k"}, lderrors.ErrContextKindCannotBeKind{}, "not a valid context kind"},
		"kind with a space":       {attributes{"kind": "my org", "key": "k"}, lderrors.ErrContextKindInvalidChars{}, "disallowed characters"},
		"kind of invalid UTF-8":   {attributes{"kind": "\xff", "key": "k"}, lderrors.ErrContextKindInvalidChars{}, "disallowed characters"},
		"part of a reserved kind": {attributes{"kind": "multi", "multi": attributes{"key": "k"}}, lderrors.ErrContextKindMultiForSingleKind{}, "multi"},
		"part with a space":       {attributes{"kind": "multi", "my org": attributes{"key": "k"}}, lderrors.ErrContextKindInvalidChars{}, "disallowed characters"},
		"no parts":                {attributes{"kind": "multi"}, lderrors.ErrContextKindMultiWithNoKinds{}, "at least one kind"},
		"no usable part":          {attributes{"kind": "multi", "org": "acme", "targetingKey": "k"}, lderrors.ErrContextKindMultiWithNoKinds{}, "at least one kind"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := mapped("", test.attributes)
			if !errors.Is(err, test.cause) || !strings.Contains(err.Error(), test.message) {
				t.Errorf("got %v, want %v", err, test.cause)
			}
			if !errors.Is(test.cause, ErrTargetingKeyMissing) && !errors.Is(err, ErrInvalidContext) {
				t.Errorf("%v is not ErrInvalidContext", err)
			}
		})
	}
}

func TestContextKindAttribute(t *testing.T) {
	m := contextMapper{kindAttribute: "contextKind"}
	for _, kind := range []string{"pro", "org"} {
		context, warnings, err := mappedBy(m, "k", map[string]any{"contextKind": "org", "kind": kind})
		if err != nil || context.Kind() != "org" {
			t.Errorf("got %v, %v", context, err)
		}
		if got := attributesOf(t, warnings, ErrAttributeIgnored); !slices.Equal(got, []string{"kind"}) {
			t.Errorf("LaunchDarkly has no place for an attribute named kind; warnings about %q", got)
		}
	}
	context, warnings, err := mappedBy(m, "", map[string]any{"contextKind": "multi", "org": map[string]any{"key": "o"}, "user": map[string]any{"key": "u"}})
	if err != nil || warnings != nil || context.IndividualContextCount() != 2 {
		t.Errorf("got %v, %v, %v", context, warnings, err)
	}
	type kindName string
	for _, kind := range []any{"multi", kindName("multi")} {
		context, warnings, err = mapped("ignored", map[string]any{"kind": kind, "org": map[string]any{"key": "o", "large": int64(1<<53 + 1)}})
		if err != nil || len(warnings) != 1 || context.Kind() != "org" || context.Key() != "o" {
			t.Errorf("got %v, %v, %v", context, warnings, err)
		}
	}
	m = contextMapper{kindAttribute: "name"}
	context, warnings, err = mappedBy(m, "", map[string]any{"name": "multi", "org": map[string]any{"key": "o", "name": "Acme"}})
	if err != nil || warnings != nil || context.Kind() != "org" || context.Name().StringValue() != "Acme" {
		t.Errorf("a part's kind is where it stands; got %v, %v, %v", context, warnings, err)
	}
	m = contextMapper{kindAttribute: "type"}
	context, warnings, err = mappedBy(m, "", map[string]any{"type": "multi", "device": map[string]any{"key": "d", "type": "phone"}})
	if err != nil || warnings != nil || context.GetValue("type").StringValue() != "phone" {
		t.Errorf("a part's kind is where it stands; got %v, %v, %v", context, warnings, err)
	}
}

// TestContextBounds has contexts that exceed a bound. The same evaluation context must become the
// same context each time.
func TestContextBounds(t *testing.T) {
	type attributes = map[string]any
	numbered := func(n int, of func(i int) any) attributes {
		m := make(attributes, n)
		for i := range n {
			m[fmt.Sprintf("a%05d", i)] = of(i)
		}
		return m
	}
	with := func(m attributes, name string, v any) attributes {
		m[name] = v
		return m
	}
	part := func(i int) any { return attributes{"key": strconv.Itoa(i), "x": i} }
	list := make([]int, 60_000)
	text := strings.Repeat("x", 5<<20)
	huge := text + text

	for name, test := range map[string]struct {
		attributes attributes
		contexts   int
		kept       []string // some of the attributes
		left       []string // some of those that are left out
		count      int      // of all attributes
		warnings   int
	}{
		"1,000 attributes": {numbered(1000, func(i int) any { return i }), 1, []string{"a00999"}, nil, 1000, 0},
		"20,000 attributes": {with(with(numbered(20_000, func(i int) any { return i }), "name", "N"), "targetingKey", "wins"), 1,
			[]string{"name", "a00000", "a00999"}, []string{"a01000"}, 1001, 1},
		"lists that do not fit together": {with(numbered(200, func(int) any { return list }), "z", 1), 1,
			[]string{"a00000", "z"}, []string{"a00001"}, 2, maxProblems},
		"nested lists that do not fit together": {with(numbered(20, func(int) any { return []any{list} }), "z", 1), 1,
			[]string{"a00000", "z"}, []string{"a00001"}, 2, 19},
		"strings that do not fit together": {attributes{"a": text, "b": text, "c": text[:1<<20]}, 1, []string{"a", "c"}, []string{"b"}, 2, 1},
		"a string too long":                {attributes{"a": huge, "b": "x"}, 1, []string{"b"}, []string{"a"}, 1, 1},
		"a built-in too long":              {attributes{"name": huge, "b": "x"}, 1, []string{"b"}, []string{"name"}, 1, 1},
		"a name too long":                  {attributes{huge: 1, "b": "x"}, 1, []string{"b"}, nil, 1, 1},
		"20,000 contexts":                  {with(numbered(20_000, part), "kind", "multi"), 100, nil, nil, 0, 2},
		"101 contexts":                     {with(numbered(101, part), "kind", "multi"), 100, nil, nil, 0, 1},
		"100 contexts":                     {with(numbered(100, part), "kind", "multi"), 100, nil, nil, 0, 0},
		"a context too large": {attributes{"kind": "multi", "a": attributes{"key": "a"}, "b": struct {
			Key  string `json:"key"`
			Many [70_000]int
		}{Key: "b"}}, 1, nil, []string{"b"}, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var first ldcontext.Context
			for i := range 4 {
				context, warnings, err := mapped("k", test.attributes)
				if err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					first = context
				} else if !context.Equal(first) {
					t.Fatal("the result is another one each time")
				}
				if len(warnings) != test.warnings {
					t.Fatalf("%d warnings, want %d: %.300v", len(warnings), test.warnings, warnings)
				}
				for i, warning := range warnings {
					if i < maxProblems-1 && !errors.Is(warning, ErrTooLarge) {
						t.Errorf("warning %v", warning)
					}
					if len(warning.Error()) > 16<<10 {
						t.Errorf("a warning of %d bytes", len(warning.Error()))
					}
				}
			}
			if n := first.IndividualContextCount(); n != test.contexts {
				t.Errorf("%d contexts, want %d", n, test.contexts)
			}
			if n := len(first.GetOptionalAttributeNames(nil)); n != test.count {
				t.Errorf("%d attributes, want %d", n, test.count)
			}
			for _, name := range test.kept {
				if !first.GetValue(name).IsDefined() {
					t.Errorf("%s is left out", name)
				}
			}
			for _, name := range test.left {
				if first.GetValue(name).IsDefined() {
					t.Errorf("%s is kept", name)
				}
			}
		})
	}

	for name, attributes := range map[string]attributes{
		"a key too long":                    {"key": huge},
		"a kind too long":                   {"kind": text, "key": "k"},
		"a kind far too long":               {"kind": huge, "key": "k"},
		"a context name too long":           {"kind": "multi", "a": attributes{"key": "a"}, huge: attributes{"key": "b"}},
		"a targeting key too long":          {"targetingKey": huge},
		"a key too long in a multi-context": {"kind": "multi", "org": attributes{"key": huge}},
		"keys too long together":            {"kind": "multi", "org": attributes{"key": text}, "user": attributes{"key": text}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := mapped("", attributes)
			if !errors.Is(err, ErrInvalidContext) || !errors.Is(err, ErrTooLarge) {
				t.Errorf("got %.300v", err)
			}
		})
	}
}

// TestAttributesOfAllContexts has more attributes than allowed, none of them in one context alone.
func TestAttributesOfAllContexts(t *testing.T) {
	attributes := map[string]any{"kind": "multi"}
	for i := range 10 {
		part := map[string]any{"key": "k", "name": "N", "privateAttributes": []string{"name"}}
		for j := range 150 {
			part[fmt.Sprint("a", j)] = j
		}
		attributes[fmt.Sprint("kind", i)] = part
	}
	context, warnings, err := mapped("", attributes)
	if err != nil || context.IndividualContextCount() != 10 || len(warnings) != 4 {
		t.Fatalf("%v, %v, %v", context, warnings, err)
	}
	sum := 0
	for _, part := range context.GetAllIndividualContexts(nil) {
		n := len(part.GetOptionalAttributeNames(nil))
		if sum += n; n == 0 || !hides(part, "name") {
			t.Errorf("%s has lost what has a meaning to LaunchDarkly", part.Kind())
		}
	}
	if sum < 900 || sum > 1010 {
		t.Errorf("%d attributes", sum)
	}
}

// TestContextMapperCopies changes what was passed in, after the call.
func TestContextMapperCopies(t *testing.T) {
	tags := []string{"a"}
	private := []string{"tags"}
	attributes := map[string]any{"tags": tags, "nested": map[string]any{"x": 1}, "privateAttributes": private}
	context, _, err := mapped("k", attributes)
	if err != nil {
		t.Fatal(err)
	}
	before := context.JSONString()
	tags[0], private[0] = "changed", "nested"
	attributes["nested"].(map[string]any)["x"] = 2
	if after := context.JSONString(); !sameJSON(t, before, after) {
		t.Errorf("%s became %s", before, after)
	}
}

func mapped(targetingKey string, attributes map[string]any) (ldcontext.Context, []error, error) {
	return mappedBy(contextMapper{kindAttribute: "kind"}, targetingKey, attributes)
}

func mappedBy(m contextMapper, targetingKey string, attributes map[string]any) (ldcontext.Context, []error, error) {
	var context ldcontext.Context
	warnings, err := m.toLaunchDarkly(&context, targetingKey, attributes)
	return context, warnings, err
}

// attributesOf lists what the warnings are about, sorted. All must match the cause, if there is
// one.
func attributesOf(t *testing.T, warnings []error, cause error) []string {
	t.Helper()
	var names []string
	for _, warning := range warnings {
		attribute, ok := errors.AsType[*AttributeError](warning)
		if !ok {
			t.Errorf("%v names no attribute", warning)
			continue
		}
		if cause != nil && !errors.Is(warning, cause) {
			t.Errorf("%v is not %v", warning, cause)
		}
		names = append(names, attribute.Attribute)
	}
	slices.Sort(names)
	return names
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	normal := func(text string) string {
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		out, _ := json.Marshal(v)
		return string(out)
	}
	return normal(a) == normal(b)
}
