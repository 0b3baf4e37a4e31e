package launchdarkly

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

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
	tags := []string{"a"}
	values := []any{
		"a", "b", "", true, false, 0, 1, int64(1), int32(1), 1.0, 0.0, negativeZero, math.NaN(), nil,
		tags, []string{}, []string(nil), []any{"a"},
		map[string]any{"key": "k"}, "multi", "org", "not a kind",
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
	tags := []string{"a"}
	context := ldcontext.New("sandy")
	var recent recentContext
	recent.remember(map[string]any{"tags": tags, openfeature.TargetingKey: "sandy"}, true, &context)
	tags[0] = "changed"
	if !recent.known || !recent.is(map[string]any{"tags": []string{"a"}}) {
		t.Errorf("holds %+v", recent)
	}
	recent.remember(map[string]any{"nested": map[string]any{}}, false, &context)
	if recent.known {
		t.Error("a map is held")
	}
	for _, held := range recent.attributes[:cap(recent.attributes)] {
		if held != (attribute{}) {
			t.Errorf("still holds %v", held)
		}
	}
	if len(recent.attributes) != 0 || recent.context.IsDefined() {
		t.Errorf("still holds %+v", recent)
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
			{"another", func(i int) { _, _ = recent.toLaunchDarkly(&out, "u", true, attributes[i%64]) }},
			{"again", func(int) { _, _ = recent.toLaunchDarkly(&out, "u", true, attributes[0]) }},
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
