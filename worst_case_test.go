package launchdarkly_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// mebibyte is the size that the shapes of [worstCases] have as JSON, more or less.
const mebibyte = 1 << 20

// worstCases returns attributes that a visitor could send to make a service slow.
func worstCases() map[string]map[string]any {
	type object = map[string]any
	repeat := func(n int, of func(i int) any) []any {
		list := make([]any, n)
		for i := range list {
			list[i] = of(i)
		}
		return list
	}
	members := func(n int, of func(i int) any) object {
		m := make(object, n)
		for i := range n {
			m[fmt.Sprint("m", i)] = of(i)
		}
		return m
	}
	one := func(int) any { return 1.0 }
	nested := func(depth int) (v any) {
		for range depth {
			v = object{"a": v}
		}
		return v
	}
	text := func(s string) string { return strings.Repeat(s, mebibyte/len(s)) }
	multi := func(n int, part func(i int) any) object {
		m := object{"kind": "multi"}
		for i := range n {
			m[fmt.Sprint("kind", i)] = part(i)
		}
		return m
	}
	private := func(refs any, attributes object) object {
		attributes["privateAttributes"] = refs
		return attributes
	}
	refs := func(n int, format string) []any {
		return repeat(n, func(i int) any { return fmt.Sprintf(format, i) })
	}
	with := func(m object, name string, v any) object {
		m = maps.Clone(m)
		m[name] = v
		return m
	}
	raw := func(s string) object { return object{"raw": json.RawMessage(s)} }
	list := func(element string) string {
		return "[" + strings.Repeat(element+",", mebibyte/(len(element)+1)) + element + "]"
	}

	cases := map[string]object{
		"plain":                  {"plan": "gold"},
		"attributes":             members(110_000, one),
		"1,000 attributes":       members(1000, func(int) any { return strings.Repeat("x", 1000) }),
		"text":                   {"text": text("x")},
		"text that is not ASCII": {"text": text("é")},
		"text that is not UTF-8": {"text": text("\xff")},
		"name":                   {text("x"): 1.0},
		"names": func() object {
			m := object{}
			for i := range 100 {
				m[fmt.Sprint(i)+text("x")[:10_000]] = math.NaN()
			}
			return m
		}(),
		"name that is not UTF-8":       {text("\xff"): math.NaN()},
		"key":                          {"key": text("x")},
		"kind":                         {"kind": text("x")},
		"invalid kind":                 {"kind": text("x") + " "},
		"array":                        {"list": repeat(500_000, one)},
		"array that fits":              {"list": repeat(65_000, one)},
		"arrays that fit":              {"list": repeat(32_000, func(int) any { return []any{1.0} })},
		"arrays":                       members(100, func(int) any { return repeat(5000, one) }),
		"arrays in arrays":             members(100, func(int) any { return []any{repeat(5000, one)} }),
		"strings":                      {"list": repeat(65_000, func(int) any { return "éxxxxxxxxxx" })},
		"object":                       {"object": members(110_000, one)},
		"object that fits":             {"object": members(65_000, one)},
		"objects that fit":             {"list": repeat(32_000, func(int) any { return object{"a": 1.0} })},
		"empty objects":                {"list": repeat(65_000, func(int) any { return object{} })},
		"objects":                      members(30, func(int) any { return members(3700, one) }),
		"objects in objects":           members(30, func(int) any { return object{"o": members(3700, one)} }),
		"objects in objects that fit":  members(60, func(int) any { return object{"o": members(1080, one)} }),
		"deep objects":                 members(600, func(int) any { return nested(99) }),
		"objects that are too deep":    {"list": repeat(1500, func(int) any { return nested(120) })},
		"object of NaN":                {"object": members(65_000, func(int) any { return math.NaN() })},
		"raw array":                    raw(list("1")),
		"raw strings":                  raw(list(`"é"`)),
		"raw escapes":                  raw(list(`"\u00e9"`)),
		"raw string":                   raw(`"` + text(`\u00e9`) + `"`),
		"raw objects":                  raw(list(`{"a":1}`)),
		"raw object":                   raw(string(must(json.Marshal(members(65_000, one))))),
		"raw number":                   raw(text("1")),
		"raw fraction":                 raw("0." + text("1")),
		"raw integers":                 raw(list("9007199254740993")),
		"raw space":                    raw(text(" ") + "1"),
		"raw arrays that are too deep": raw(list(strings.Repeat("[", 120) + strings.Repeat("]", 120))),
		"raw, invalid at the end":      raw(list("1") + "x"),
		"raw attributes":               members(1000, func(int) any { return json.RawMessage(list("1")[:1025] + "1]") }),
		"json.Number":                  {"n": json.Number(text("1"))},
		"contexts":                     multi(20_000, func(int) any { return object{"key": "k"} }),
		"100 contexts":                 multi(100, func(i int) any { return members(10, func(int) any { return text("x")[:1000] }) }),
		"100 contexts with long keys":  multi(100, func(int) any { return object{"key": text("%")[:10_000]} }),
		"100 contexts with long kinds": func() object {
			m := object{"kind": "multi"}
			for i := range 100 {
				m[fmt.Sprint("k", i)+text("x")[:10_000]] = object{"key": "k"}
			}
			return m
		}(),
		"contexts of raw JSON":         multi(100, func(int) any { return json.RawMessage(`{"key":"k","list":` + list("1")[:9999] + "1]}") }),
		"contexts without a key":       multi(20_000, func(int) any { return object{} }),
		"anything private":             private(7, members(100_000, one)),
		"500 attributes private":       private(7, members(500, func(int) any { return text("x")[:2000] })),
		"references":                   private(refs(80_000, "name%d"), members(10, one)),
		"1,000 references":             private(refs(1000, "m%d"), members(250, one)),
		"references into an object":    private(refs(500, "/object/m%d"), object{"object": members(500, one)}),
		"references into deep objects": private(repeat(1000, func(i int) any { return strings.Repeat("/a", 98) + fmt.Sprint("/x", i) }), object{"a": nested(98)}),
		"deep reference":               private([]any{text("/a")}, object{"a": nested(98)}),
		"references into arrays":       private(refs(1000, "/list/%d/x"), object{"list": repeat(1000, one)}),
		"invalid references":           private(refs(50_000, "//%d"), object{}),
		"meta":                         {"_meta": members(100_000, func(int) any { return nil })},
		"meta of arrays":               {"_meta": members(100, func(int) any { return repeat(5000, one) })},
		"references for 100 contexts":  with(multi(100, func(int) any { return members(9, one) }), "privateAttributes", refs(1000, "m%d")),
		"kinds as references":          with(multi(100, func(int) any { return members(9, one) }), "privateAttributes", refs(1000, "kind%d")),
		"references that begin with kinds": with(multi(100, func(int) any { return members(9, one) }), "privateAttributes",
			repeat(1000, func(i int) any { return fmt.Sprintf("/kind%d/m%d", i%100, i%9) })),
	}
	for _, attributes := range cases {
		if attributes["kind"] == "multi" {
			for _, part := range attributes {
				if m, ok := part.(object); ok && len(m) > 0 {
					if _, ok := m["key"]; !ok {
						m["key"] = "k"
					}
				}
			}
		} else if _, ok := attributes["key"]; !ok {
			attributes["key"] = "k"
		}
	}
	return cases
}

func must(text []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return text
}

// BenchmarkWorstCases evaluates and tracks with a mebibyte of attributes from somebody who means no good. "events" includes
// what LaunchDarkly's SDK and delivery make of an evaluation and of a call of Track.
func BenchmarkWorstCases(b *testing.B) {
	box := launchdarklytest.NewServer()
	defer box.Close()
	box.SetFlags(ldbuilders.NewFlagBuilder("flag").On(true).Variations(ldvalue.Bool(true)).FallthroughVariation(0).
		TrackEvents(true).Build())
	provider, err := launchdarkly.NewProvider(box.SDKKey(), launchdarkly.WithConfig(box.Config()),
		launchdarkly.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		b.Fatal(err)
	}
	defer provider.Shutdown()
	if err := provider.Init(openfeature.EvaluationContext{}); err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	cases := worstCases()
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		attributes := cases[name]
		evaluationContext := openfeature.NewEvaluationContext("", attributes)
		details := openfeature.NewTrackingEventDetails(1)
		for name, v := range attributes {
			details = details.Add(name, v)
		}
		evaluate := func() { provider.BooleanEvaluation(ctx, "flag", false, attributes) }
		trackFor := func() { provider.Track(ctx, "event", evaluationContext, openfeature.TrackingEventDetails{}) }
		trackDetails := func() { provider.Track(ctx, "event", openfeature.NewEvaluationContext("k", nil), details) }
		for _, call := range []struct {
			name string
			of   func()
		}{
			{"evaluation", evaluate},
			{"track", trackFor},
			{"details", trackDetails},
			{"events", func() {
				evaluate()
				trackFor()
				if err := provider.Flush(ctx); err != nil {
					b.Fatal(err)
				}
			}},
		} {
			b.Run(strings.ReplaceAll(name, " ", "-")+"/"+call.name, func(b *testing.B) {
				var best time.Duration = math.MaxInt64
				for b.Loop() {
					start := time.Now()
					call.of()
					best = min(best, time.Since(start))
				}
				b.ReportMetric(float64(best.Microseconds())/1000, "best-ms")
				b.StopTimer()
				_ = provider.Flush(ctx)
				box.ClearEvents()
			})
		}
	}
}
