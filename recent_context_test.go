package launchdarkly

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/open-feature/go-sdk/openfeature"
)

// TestRecentContexts maps contexts that differ in little, one after the other, and holds each
// against the mapper.
func TestRecentContexts(t *testing.T) {
	for _, kindAttribute := range []string{"kind", "a", openfeature.TargetingKey} {
		t.Run(kindAttribute, func(t *testing.T) {
			recent := recentContexts{mapper: contextMapper{kindAttribute: kindAttribute}}
			for seed := range uint64(4) { // the evaluations of one goroutine are not those of another
				t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
					t.Parallel()
					testRecentContexts(t, &recent, rand.New(rand.NewPCG(seed, 2)))
				})
			}
		})
	}
}

func testRecentContexts(t *testing.T, recent *recentContexts, random *rand.Rand) {
	t.Helper()
	negativeZero := math.Copysign(0, -1)
	tags, nested := []string{"a"}, map[string]any{"key": "k"}
	values := []any{
		"a", "b", "", true, false, 0, 1, int64(1), int32(1), 1.0, 0.0, negativeZero, math.NaN(), nil,
		tags, []string{}, []string(nil), []any{"a"},
		map[string]any{"key": "k"}, map[string]any{}, map[string]any(nil), nested, []any{nested}, []any{nil}, []any(nil),
		time.Unix(1, 0), time.Unix(2, 0), "multi", "org", "not a kind",
	}
	names := []string{"a", "b", "kind", "key", "name", "anonymous", "privateAttributes", "_meta", openfeature.TargetingKey, ""}
	pick := func() any { return values[random.IntN(len(values))] }

	targetingKey, attributes := "", map[string]any{}
	for i := range 30_000 {
		switch change := random.IntN(8); {
		case change == 0:
			targetingKey = []string{"", "sandy", "alex"}[random.IntN(3)]
		case change == 1:
			clear(attributes)
		case change < 4:
			attributes[names[random.IntN(len(names))]] = pick()
		case change < 6:
			delete(attributes, names[random.IntN(len(names))])
		default: // the same once more
		}
		tags[0] = strconv.Itoa(i % 3) // what the application holds may change
		nested["list"] = []any{[]any{1, 1.0, "1", nil}[i/5%4]}

		var got ldcontext.Context
		warnings, err := recent.toLaunchDarkly(&got, targetingKey, false, attributes)
		want, wantWarnings, wantErr := mappedBy(recent.mapper, targetingKey, attributes)
		if len(warnings) != len(wantWarnings) || fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Fatalf("%q, %v: got %v, %v, want %v, %v", targetingKey, attributes, warnings, err, wantWarnings, wantErr)
		}
		if err == nil && (!got.Equal(want) || negative(got) != negative(want)) {
			t.Fatalf("%q, %v: got %v, want %v", targetingKey, attributes, got, want)
		}
	}
}

// negative counts the zeros with a sign, which are equal to those without.
func negative(c ldcontext.Context) (n int) {
	for _, name := range c.GetOptionalAttributeNames(nil) {
		if v := c.GetValue(name); v.IsNumber() && v.Float64Value() == 0 && math.Signbit(v.Float64Value()) {
			n++
		}
	}
	return n
}

// TestRecentContextHoldsCopies checks that nothing is held that the application could still change,
// or that nobody needs.
func TestRecentContextHoldsCopies(t *testing.T) {
	type object = map[string]any
	attributes := func() object {
		return object{"tags": []string{"a"}, "list": []any{1, object{"b": true}}, "object": object{"list": []any{"c"}}, "null": nil}
	}
	context := ldcontext.New("sandy")
	for name, change := range map[string]func(object){
		"strings":        func(o object) { o["tags"].([]string)[0] = "changed" },
		"an element":     func(o object) { o["list"].([]any)[0] = "changed" },
		"a member":       func(o object) { o["list"].([]any)[1].(object)["b"] = false },
		"another member": func(o object) { o["object"].(object)["list"].([]any)[0] = "changed" },
		"a new member":   func(o object) { o["object"].(object)["new"] = "changed" },
	} {
		var recent recentContext
		passed := attributes()
		passed[openfeature.TargetingKey] = "sandy"
		recent.remember("sandy", passed, true, &context)
		change(passed)
		if !recent.known || !recent.attributes.in(attributes()) || recent.attributes.in(passed) {
			t.Errorf("%s: holds %+v", name, recent)
		}
	}

	many := make([]any, maxRemembered)
	for name, attributes := range map[string]object{
		"a pointer":        {"a": new(int), "b": 1},
		"a nested pointer": {"a": object{"b": []any{new(int)}}, "b": 1},
		"a large value":    {"a": many, "b": 1},
		"large values":     {"a": many[1:], "b": make([]string, 2)},
	} {
		var recent recentContext
		recent.remember("sandy", attributes, false, &context)
		if recent.known || len(recent.attributes) != 0 || recent.context.IsDefined() {
			t.Errorf("%s: holds %+v", name, recent)
		}
		for _, held := range recent.attributes[:cap(recent.attributes)] {
			if held.name != "" || held.value != nil {
				t.Errorf("%s: still holds %v", name, held)
			}
		}
	}
}

// BenchmarkRecentContexts shows what it buys to know a context again, and what it costs where there
// is none to know.
func BenchmarkRecentContexts(b *testing.B) {
	for _, n := range []int{1, 10, 30} {
		attributes := make([]map[string]any, 64)
		for user := range attributes {
			attributes[user] = map[string]any{openfeature.TargetingKey: fmt.Sprint("user-", user)}
			for i := range n {
				attributes[user][fmt.Sprint("attribute-", i)] = []any{"text", i, true}[i%3]
			}
		}
		mapper := contextMapper{kindAttribute: "kind"}
		recent := recentContexts{mapper: mapper}
		var out ldcontext.Context
		for _, bench := range []struct {
			name string
			of   func(i int)
		}{
			{"mapper", func(i int) { _, _ = mapper.toLaunchDarkly(&out, "", attributes[i%64]) }},
			{"another", func(i int) { _, _ = recent.toLaunchDarkly(&out, "", false, attributes[i%64]) }},
			{"again", func(int) { _, _ = recent.toLaunchDarkly(&out, "", false, attributes[0]) }},
		} {
			b.Run(fmt.Sprintf("attributes=%02d/%s", n, bench.name), func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					bench.of(i)
				}
			})
		}
	}
}
