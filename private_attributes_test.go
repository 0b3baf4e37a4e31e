package launchdarkly

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
)

// TestPrivacyFailsClosed checks that everything is private if the list of what is private can't be
// read.
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
		"an invalid escape":        {"privateAttributes": []string{"/address~2"}},
		"a long list":              {"privateAttributes": make([]string, 1001)},
		"two long lists":           {"privateAttributes": names(600), "_meta": map[string]any{"privateAttributes": names(600)}},
		"a list too large":         {"privateAttributes": make([]any, 70_000)},
		"_meta that is no object":  {"_meta": []string{"email"}},
		"_meta with a string":      {"_meta": map[string]any{"privateAttributes": "email"}},
		"_meta, invalid reference": {"_meta": map[string]any{"privateAttributes": []string{"/"}}},
		"_meta, misspelled":        {"_meta": map[string]any{"private": []string{"email"}}},
		"_meta of a struct":        {"_meta": struct{ PrivateAttributes []string }{[]string{"email"}}},
		"_meta with no JSON":       {"_meta": map[string]any{"privateAttributes": func() {}}},
		"_meta with typed no JSON": {"_meta": map[string]chan int{"privateAttributes": make(chan int)}},
		"_meta too large":          {"_meta": [70_000]int{}},
		"one good, one bad":        {"privateAttributes": []string{"email"}, "_meta": map[string]any{"privateAttributes": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			attributes := map[string]any{"email": "e", "name": "N", "a/b": map[string]any{"c": 1}, "/d": 1}
			maps.Copy(attributes, private)
			check := func(t *testing.T, attributes map[string]any) {
				t.Helper()
				context, warnings, err := mapped("", attributes)
				if err != nil {
					t.Fatal(err)
				}
				for _, attribute := range []string{"email", "name", "a/b", "/d"} {
					if !hides(context, attribute) {
						t.Errorf("%q is not private", attribute)
					}
					if context.GetValue(attribute).IsNull() {
						t.Errorf("evaluations don't see %q", attribute)
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

	t.Run("a struct whose list can't be converted", func(t *testing.T) {
		context, warnings, err := mapped("", map[string]any{"kind": "multi", "org": struct {
			Key     string   `json:"key"`
			Email   string   `json:"email"`
			Private chan int `json:"privateAttributes"`
		}{Key: "k", Email: "e"}})
		if err != nil || !hides(context, "email") {
			t.Errorf("%v, %v: email is not private", context, err)
		}
		if got := attributesOf(t, warnings, nil); !slices.Equal(got, []string{"/org/privateAttributes", "/org/privateAttributes"}) {
			t.Errorf("warnings about %q", got)
		}
	})

	t.Run("beside the contexts of a multi-context", func(t *testing.T) {
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

// TestPrivateReferences has references that LaunchDarkly can follow, and others that it would
// ignore.
func TestPrivateReferences(t *testing.T) {
	type attributes = map[string]any
	address := attributes{"street": "s", "lines": []string{"a"}, "empty": nil}
	for name, test := range map[string]struct {
		attributes attributes
		private    []string
		want       map[ldcontext.Kind][]string // the references of each context
		warnings   []string                    // what they are about
	}{
		"a part of an object":         {nil, []string{"/address/street"}, refs("/address/street"), nil},
		"an element of an array":      {nil, []string{"/cards/0/number"}, refs("cards"), []string{"cards"}},
		"an array in an object":       {nil, []string{"/address/lines/0"}, refs("address"), []string{"/address/lines"}},
		"a part of a string":          {nil, []string{"/email/domain"}, refs("email"), []string{"email"}},
		"a part of the name":          {nil, []string{"/name/first"}, refs("name"), []string{"name"}},
		"a part of a struct":          {nil, []string{"/profile/Age"}, refs("/profile/Age"), nil},
		"a part of raw JSON":          {nil, []string{"/raw/a"}, refs("/raw/a"), nil},
		"an array in raw JSON":        {nil, []string{"/raw/list/0"}, refs("raw"), []string{"/raw/list"}},
		"an attribute that is absent": {nil, []string{"/absent/part", "absent"}, refs("/absent/part", "absent"), nil},
		"a part that is absent":       {nil, []string{"/address/absent/part"}, refs("/address/absent/part"), nil},
		"a part that is null":         {nil, []string{"/address/empty/part"}, refs("/address/empty/part"), nil},
		"a list in _meta, too": {attributes{"key": "k", "_meta": attributes{"privateAttributes": []any{"b"}}}, []string{"a"},
			refs("a", "b"), nil},
		"a name with a slash": {nil, []string{"/~1email"}, refs("/~1email"), nil},
		"what LaunchDarkly always receives": {nil, []string{"key", "/kind", "anonymous", "targetingKey", "/key/x"},
			refs("key", "/kind", "anonymous", "targetingKey", "/key/x"), []string{"anonymous", "key", "key", "kind", "targetingKey"}},

		"an attribute after a kind": {multi(), []string{"/user/email"},
			map[ldcontext.Kind][]string{"user": {"/user/email", "email"}, "org": {"/user/email"}}, []string{"/user/email"}},
		"a part of an attribute after a kind": {multi(), []string{"/user/address/street"},
			map[ldcontext.Kind][]string{"user": {"/user/address/street", "address"}, "org": {"/user/address/street"}}, []string{"/user/address"}},
		"a kind": {multi(), []string{"user"},
			map[ldcontext.Kind][]string{"user": {"address", "email"}, "org": {"user"}}, []string{"user"}},
		"a kind that is an attribute elsewhere": {multi(), []string{"/org/x"},
			map[ldcontext.Kind][]string{"user": {"/org/x"}, "org": {"/org/x", "x"}}, []string{"/org/x"}},
		"an array in each context": {multi(), []string{"/email/0"},
			map[ldcontext.Kind][]string{"user": {"email"}, "org": {"email"}}, []string{"/org/email", "/user/email"}},
	} {
		t.Run(name, func(t *testing.T) {
			given := test.attributes
			if given == nil {
				given = attributes{
					"key": "k", "address": address, "cards": []any{attributes{"number": 1}}, "email": "e", "/email": "f",
					"name": "N", "profile": struct{ Age int }{7}, "raw": json.RawMessage(`{"a":1,"list":[{}]}`),
				}
			}
			given["privateAttributes"] = test.private
			context, warnings, err := mapped("", given)
			if err != nil {
				t.Fatal(err)
			}
			got := map[ldcontext.Kind][]string{}
			for _, part := range context.GetAllIndividualContexts(nil) {
				for i := range part.PrivateAttributeCount() {
					ref, _ := part.PrivateAttributeByIndex(i)
					got[part.Kind()] = append(got[part.Kind()], ref.String())
				}
				slices.Sort(got[part.Kind()])
			}
			for _, list := range test.want {
				slices.Sort(list)
			}
			if !maps.EqualFunc(got, test.want, slices.Equal) {
				t.Errorf("private: %q, want %q", got, test.want)
			}
			if about := attributesOf(t, warnings, ErrPrivateReference); !slices.Equal(about, test.warnings) {
				t.Errorf("warnings about %q, want %q", about, test.warnings)
			}
		})
	}
}

// refs are the private attributes of a user.
func refs(list ...string) map[ldcontext.Kind][]string {
	return map[ldcontext.Kind][]string{"user": list}
}

func multi() map[string]any {
	return map[string]any{
		"kind": "multi",
		"user": map[string]any{"key": "u", "email": "e", "address": map[string]any{"street": "s"}},
		"org":  map[string]any{"key": "o", "email": "e"},
	}
}

// names returns n names.
func names(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint("name", i)
	}
	return list
}

// TestPrivateAttributesAreBounded has private attributes that would make each event expensive.
func TestPrivateAttributesAreBounded(t *testing.T) {
	type attributes = map[string]any
	numbered := func(n int) attributes {
		m := attributes{}
		for _, name := range names(n) {
			m[name] = 1
		}
		return m
	}
	into := func(attribute string, n int) (list []string) {
		for _, name := range names(n) {
			list = append(list, "/"+attribute+"/"+name)
		}
		return list
	}
	with := func(m attributes, more attributes) attributes {
		maps.Copy(m, more)
		return m
	}
	for name, test := range map[string]struct {
		attributes attributes
		private    int  // references, in all contexts
		stripped   bool // at least one context has lost its attributes
	}{
		"500 attributes, all private":    {with(numbered(500), attributes{"privateAttributes": 7}), 500, false},
		"600 attributes, all private":    {with(numbered(600), attributes{"privateAttributes": 7}), 0, true},
		"20,000 attributes, all private": {with(numbered(20_000), attributes{"_meta": attributes{"x": 1}}), 0, true},
		"1,000 of 200 attributes":        {with(numbered(200), attributes{"privateAttributes": names(1000)}), 1000, false},
		"1,000 of 900 attributes":        {with(numbered(900), attributes{"privateAttributes": names(1000)}), 0, true},
		"200 members of 200":             {attributes{"o": numbered(200), "privateAttributes": into("o", 200)}, 200, false},
		"200 members of 2,000":           {attributes{"o": numbered(2000), "privateAttributes": into("o", 200)}, 0, true},
		"a long array":                   {attributes{"list": make([]int, 60_000), "o": numbered(5), "privateAttributes": into("o", 5)}, 5, false},
		"in many contexts": {func() attributes {
			m := attributes{"kind": "multi", "privateAttributes": names(1000)}
			for i := range 100 {
				m[fmt.Sprint("kind", i)] = with(numbered(9), attributes{"key": "k"})
			}
			return m
		}(), 1000 * (1 << 18 / (1000 * 10)), true},
	} {
		t.Run(name, func(t *testing.T) {
			context, warnings, err := mapped("k", with(test.attributes, attributes{"anonymous": true}))
			if err != nil {
				t.Fatal(err)
			}
			private, stripped := 0, false
			for _, part := range context.GetAllIndividualContexts(nil) {
				private += part.PrivateAttributeCount()
				stripped = stripped || len(part.GetOptionalAttributeNames(nil)) == 0
				if part.Key() != "k" || !context.Multiple() && !part.Anonymous() {
					t.Errorf("%s has lost more than its optional attributes", part.Kind())
				}
				if len(part.GetOptionalAttributeNames(nil)) > 0 && part.PrivateAttributeCount() == 0 {
					t.Errorf("nothing is private in %s", part.Kind())
				}
			}
			if private != test.private || stripped != test.stripped {
				t.Errorf("%d private attributes, stripped: %v", private, stripped)
			}
			if told := slices.ContainsFunc(warnings, func(w error) bool { return errors.Is(w, errTooManyPrivate) }); told != stripped {
				t.Errorf("warnings: %v", warnings)
			}
		})
	}
}

// hides reports whether an attribute is private.
func hides(context ldcontext.Context, attribute string) bool {
	for i := range context.PrivateAttributeCount() {
		if ref, _ := context.PrivateAttributeByIndex(i); ref.Depth() == 1 && ref.Component(0) == attribute {
			return true
		}
	}
	return false
}
