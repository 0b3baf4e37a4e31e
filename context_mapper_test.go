package launchdarkly

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/lderrors"
	"github.com/open-feature/go-sdk/openfeature"
)

type keyType string

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

		"unsupported attributes": {"u", attributes{"bad": math.NaN(), "deep": attributes{"x": []any{1, make(chan int)}}},
			`{"kind":"user","key":"u","deep":{"x":[1,null]}}`, []string{"/deep/x/1", "bad"}, ErrUnsupportedValue},

		"multi-context": {"ignored", attributes{"kind": "multi", "user": attributes{"key": "u", "name": "N"}, "org": attributes{"targetingKey": "o"}},
			`{"kind":"multi","org":{"key":"o"},"user":{"key":"u","name":"N"}}`, nil, nil},
		"multi-context of one": {"", attributes{"kind": "multi", "org": attributes{"key": "o"}}, `{"kind":"org","key":"o"}`, nil, nil},
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
		"multi-context whose parts say their kind": {"", attributes{"kind": "multi",
			"org": attributes{"key": "o", "kind": "org"}, "user": attributes{"key": "u", "kind": "device"}, "team": attributes{"key": "t", "kind": nil}},
			`{"kind":"multi","org":{"key":"o"},"team":{"key":"t"},"user":{"key":"u"}}`, []string{"/user/kind"}, ErrAttributeIgnored},
		"multi-context with bad parts of parts": {"", attributes{"kind": "multi", "org": attributes{"key": "o", "x": math.Inf(1), "name": 3}},
			`{"kind":"org","key":"o"}`, []string{"/org/name", "/org/x"}, nil},
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

// TestPrivacyFailsClosed hides everything where the list of what to hide can't be read.
func TestPrivacyFailsClosed(t *testing.T) {
	for name, private := range map[string]map[string]any{
		"a string":                 {"privateAttributes": "email"},
		"null":                     {"privateAttributes": nil},
		"numbers among strings":    {"privateAttributes": []any{"email", 7}},
		"an object":                {"privateAttributes": map[string]any{"email": true}},
		"no JSON":                  {"privateAttributes": make(chan int)},
		"no JSON in the list":      {"privateAttributes": []any{"email", func() {}}},
		"an empty reference":       {"privateAttributes": []string{"email", ""}},
		"an invalid reference":     {"privateAttributes": []string{"/address//street"}},
		"_meta that is no object":  {"_meta": []string{"email"}},
		"_meta with a string":      {"_meta": map[string]any{"privateAttributes": "email"}},
		"_meta, misspelled":        {"_meta": map[string]any{"private": []string{"email"}}},
		"_meta of a struct":        {"_meta": struct{ PrivateAttributes []string }{[]string{"email"}}},
		"_meta with no JSON":       {"_meta": map[string]any{"privateAttributes": func() {}}},
		"_meta with typed no JSON": {"_meta": map[string]chan int{"privateAttributes": make(chan int)}},
		"one good, one bad":        {"privateAttributes": []string{"email"}, "_meta": map[string]any{"privateAttributes": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			attributes := map[string]any{"email": "e", "name": "N", "a/b": map[string]any{"c": 1}}
			maps.Copy(attributes, private)
			check := func(t *testing.T, attributes map[string]any) {
				t.Helper()
				context, warnings, err := mapped("", attributes)
				if err != nil {
					t.Fatal(err)
				}
				for _, attribute := range []string{"email", "name", "a/b"} {
					if !hides(context, attribute) {
						t.Errorf("%q is not private", attribute)
					}
				}
				if !slices.ContainsFunc(warnings, func(w error) bool { return errors.Is(w, ErrPrivateAttributes) }) {
					t.Errorf("warnings: %v", warnings)
				}
			}
			attributes["key"] = "k"
			check(t, attributes)
			t.Run("in a multi-context", func(t *testing.T) {
				check(t, map[string]any{"kind": "multi", "org": attributes})
			})
		})
	}

	t.Run("a part too large to be read whole", func(t *testing.T) {
		// A struct is read in the order of its fields, so that the key is certain to be read.
		part := struct {
			Key   string `json:"key"`
			Email string `json:"email"`
			More  map[int]string
			Many  [70_000]int
		}{Key: "k", Email: "e"}
		context, _, err := mapped("", map[string]any{"kind": "multi", "org": part})
		if err != nil {
			t.Fatal(err)
		}
		if context.PrivateAttributeCount() == 0 {
			t.Error("what named the private attributes may have been left out")
		}
	})

	t.Run("beside the parts of a multi-context", func(t *testing.T) {
		for _, beside := range []map[string]any{
			{"privateAttributes": []string{"email"}},
			{"_meta": map[string]any{"privateAttributes": []string{"email"}}},
			{"privateAttributes": "email"}, // which can't be read
		} {
			beside["kind"] = "multi"
			beside["user"] = map[string]any{"key": "u", "email": "e", "privateAttributes": []string{"name"}}
			beside["org"] = map[string]any{"key": "o", "email": "e"}
			context, _, err := mapped("", beside)
			if err != nil {
				t.Fatal(err)
			}
			for i := range context.IndividualContextCount() {
				if part := context.IndividualContextByIndex(i); !hides(part, "email") {
					t.Errorf("%v: email is not private in %s", beside, part)
				}
			}
		}
	})
}

// hides tells whether an attribute is private.
func hides(context ldcontext.Context, attribute string) bool {
	for i := range context.PrivateAttributeCount() {
		if ref, _ := context.PrivateAttributeByIndex(i); ref.Depth() == 1 && ref.Component(0) == attribute {
			return true
		}
	}
	return false
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

// TestContextMapperKeepsItsDistance changes what was passed in, after the call.
func TestContextMapperKeepsItsDistance(t *testing.T) {
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

// attributesOf lists what the warnings are about, sorted. All must match the cause, if there is one.
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
