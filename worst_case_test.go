package launchdarkly_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/testhelpers/ldtestdata"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// mebibyte is the size that the attributes of [worstCases] have as JSON, more or less.
const mebibyte = 1 << 20

// worstCases returns functions that make attributes by which a visitor could make a service slow.
func worstCases() map[string]func() map[string]any {
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
	named := func(n int, prefix string, of func(i int) any) object {
		m := make(object, n)
		for i := range n {
			m[prefix+strconv.Itoa(i)] = of(i)
		}
		return m
	}
	one := func(int) any { return 1.0 }
	nan := func(int) any { return math.NaN() }
	nested := func(depth int) (v any) {
		for range depth {
			v = object{"a": v}
		}
		return v
	}
	text := func(n int, s string) string { return strings.Repeat(s, n/len(s)) }
	list := func(n int, element string) string { return "[" + text(n, element+",") + element + "]" }
	raw := func(s string) object { return object{"raw": json.RawMessage(s)} }
	refs := func(n int, format string) []any {
		return repeat(n, func(i int) any { return fmt.Sprintf(format, i) })
	}
	with := func(m object, name string, v any) object {
		m[name] = v
		return m
	}
	private := func(refs any, attributes object) object { return with(attributes, "privateAttributes", refs) }
	multi := func(attributes object) object { return with(attributes, "kind", "multi") }
	part := func(n int) func(int) any {
		return func(int) any { return with(members(n, one), "key", "k") }
	}

	return map[string]func() object{
		"plain":                        func() object { return object{"plan": "gold"} },
		"attributes":                   func() object { return members(110_000, one) },
		"1,000 attributes":             func() object { return members(1000, func(int) any { return text(1000, "x") }) },
		"1,000 long attributes":        func() object { return members(1000, func(int) any { return text(1100, "é") }) },
		"text":                         func() object { return object{"text": text(mebibyte, "x")} },
		"text that is not ASCII":       func() object { return object{"text": text(mebibyte, "é")} },
		"text that is not UTF-8":       func() object { return object{"text": text(mebibyte, "\xff")} },
		"name":                         func() object { return object{text(mebibyte, "x"): 1.0} },
		"names":                        func() object { return named(100, text(10_000, "x"), nan) },
		"name that is not UTF-8":       func() object { return object{text(mebibyte, "\xff"): math.NaN()} },
		"key":                          func() object { return object{"key": text(mebibyte, "x")} },
		"key that is not UTF-8":        func() object { return object{"key": text(60_000, "\xff")} },
		"kind":                         func() object { return object{"kind": text(mebibyte, "x")} },
		"invalid kind":                 func() object { return object{"kind": text(60_000, "x") + " "} },
		"array":                        func() object { return object{"list": repeat(500_000, one)} },
		"array that fits":              func() object { return object{"list": repeat(65_000, one)} },
		"arrays that fit":              func() object { return object{"list": repeat(32_000, func(int) any { return []any{1.0} })} },
		"empty arrays":                 func() object { return object{"list": repeat(65_000, func(int) any { return []any{} })} },
		"arrays":                       func() object { return members(100, func(int) any { return repeat(5000, one) }) },
		"arrays in arrays":             func() object { return members(100, func(int) any { return []any{repeat(5000, one)} }) },
		"strings":                      func() object { return object{"list": repeat(65_000, func(int) any { return "éxxxxxxxxxx" })} },
		"object":                       func() object { return object{"object": members(110_000, one)} },
		"object that fits":             func() object { return object{"object": members(32_000, one)} },
		"objects that fit":             func() object { return object{"list": repeat(5900, func(int) any { return object{"a": 1.0} })} },
		"objects that do not fit":      func() object { return object{"list": repeat(65_000, func(int) any { return object{"a": 1.0} })} },
		"empty objects":                func() object { return object{"list": repeat(65_000, func(int) any { return object{} })} },
		"objects":                      func() object { return members(30, func(int) any { return members(3700, one) }) },
		"objects in objects":           func() object { return members(30, func(int) any { return object{"o": members(3700, one)} }) },
		"objects in objects that fit":  func() object { return members(60, func(int) any { return object{"o": members(540, one)} }) },
		"deep objects":                 func() object { return members(600, func(int) any { return nested(99) }) },
		"objects that are too deep":    func() object { return object{"list": repeat(1500, func(int) any { return nested(120) })} },
		"object of NaN":                func() object { return object{"object": members(32_000, nan)} },
		"array of NaN":                 func() object { return object{"list": repeat(65_000, nan)} },
		"attributes of NaN":            func() object { return members(1000, nan) },
		"raw array":                    func() object { return raw(list(mebibyte, "1")) },
		"raw array that fits":          func() object { return raw(list(130_000, "1")) },
		"raw strings":                  func() object { return raw(list(mebibyte, `"é"`)) },
		"raw escapes":                  func() object { return raw(list(mebibyte, `"\u00e9"`)) },
		"raw string":                   func() object { return raw(`"` + text(mebibyte, `\u00e9`) + `"`) },
		"raw objects":                  func() object { return raw(list(mebibyte, `{"a":1}`)) },
		"raw object that fits":         func() object { return raw(string(must(json.Marshal(members(32_000, one))))) },
		"raw number":                   func() object { return raw(text(mebibyte, "1")) },
		"raw fraction":                 func() object { return raw("0." + text(mebibyte, "1")) },
		"raw integers":                 func() object { return raw(list(mebibyte, "9007199254740993")) },
		"raw halves":                   func() object { return raw(list(mebibyte, "9007199254740993.0")) },
		"raw space":                    func() object { return raw(text(mebibyte, " ") + "1") },
		"raw arrays that are too deep": func() object { return raw(list(mebibyte, text(120, "[")+text(120, "]"))) },
		"raw, invalid at the end":      func() object { return raw(list(mebibyte, "1") + "x") },
		"raw attributes":               func() object { return members(1000, func(int) any { return json.RawMessage(list(1000, "1")) }) },
		"json.Number":                  func() object { return object{"n": json.Number(text(mebibyte, "1"))} },
		"contexts":                     func() object { return multi(named(20_000, "kind", part(1))) },
		"100 contexts": func() object {
			return multi(named(100, "kind", func(int) any { return with(members(9, func(int) any { return text(1000, "x") }), "key", "k") }))
		},
		"contexts with long keys": func() object {
			return multi(named(100, "kind", func(int) any { return object{"key": text(640, "%")} }))
		},
		"contexts with keys that are too long": func() object {
			return multi(named(100, "kind", func(int) any { return object{"key": text(10_000, "%")} }))
		},
		"contexts with long kinds": func() object { return multi(named(100, text(640, "x"), part(1))) },
		"contexts of raw JSON": func() object {
			return multi(named(100, "kind", func(int) any { return json.RawMessage(`{"key":"k","list":` + list(10_000, "1") + "}") }))
		},
		"contexts without a key":    func() object { return multi(named(20_000, "kind", func(int) any { return object{} })) },
		"anything private":          func() object { return private(7, members(100_000, one)) },
		"500 attributes private":    func() object { return private(7, members(500, func(int) any { return text(2000, "x") })) },
		"references":                func() object { return private(refs(80_000, "name%d"), members(10, one)) },
		"1,000 references":          func() object { return private(refs(1000, "m%d"), members(250, one)) },
		"references into an object": func() object { return private(refs(350, "/object/m%d"), object{"object": members(350, one)}) },
		"references into deep objects": func() object {
			return private(repeat(1000, func(i int) any { return text(196, "/a") + fmt.Sprint("/x", i) }), object{"a": nested(98)})
		},
		"references into a deep object": func() object {
			return private(repeat(50, func(i int) any { return text(196, "/a") + fmt.Sprint("/x", i) }), object{"a": nested(98)})
		},
		"deep reference":                  func() object { return private([]any{text(250_000, "/a")}, object{"a": nested(98)}) },
		"deep reference that is too long": func() object { return private([]any{text(mebibyte, "/a")}, object{"a": nested(98)}) },
		"references into arrays":          func() object { return private(refs(1000, "/list/%d/x"), object{"list": repeat(1000, one)}) },
		"invalid references":              func() object { return private(refs(50_000, "//%d"), object{}) },
		"meta":                            func() object { return object{"_meta": members(100_000, func(int) any { return nil })} },
		"meta of arrays":                  func() object { return object{"_meta": members(100, func(int) any { return repeat(5000, one) })} },
		"references for 100 contexts":     func() object { return private(refs(1000, "m%d"), multi(named(100, "kind", part(9)))) },
		"kinds as references":             func() object { return private(refs(1000, "kind%d"), multi(named(100, "kind", part(9)))) },
		"references that begin with kinds": func() object {
			return private(repeat(1000, func(i int) any { return fmt.Sprintf("/kind%d/m%d", i%100, i%9) }), multi(named(100, "kind", part(9))))
		},
	}
}

func must(text []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return text
}

// BenchmarkWorstCases evaluates and tracks with a mebibyte of attributes from a visitor who wants a
// service to be slow. "events" is an evaluation and a call of Track, with all that is done for
// their events in the background.
func BenchmarkWorstCases(b *testing.B) {
	data := ldtestdata.DataSource()
	data.UsePreconfiguredFlag(ldbuilders.NewFlagBuilder("flag").On(true).Variations(ldvalue.Bool(true)).FallthroughVariation(0).
		TrackEvents(true).Build())
	accept := func(r *http.Request) (*http.Response, error) {
		_, err := io.Copy(io.Discard, r.Body)
		return &http.Response{StatusCode: http.StatusAccepted, Body: http.NoBody, Header: http.Header{}, Request: r}, err
	}
	provider, err := launchdarkly.NewProvider("key", launchdarkly.WithLogger(slog.New(slog.DiscardHandler)),
		launchdarkly.WithConfig(ld.Config{
			DataSource: data, DiagnosticOptOut: true,
			HTTP: ldcomponents.HTTPConfiguration().HTTPClientFactory(func() *http.Client {
				return &http.Client{Transport: roundTripper(accept)}
			}),
		}))
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
		attributes := cases[name]()
		if _, ok := attributes["key"]; !ok {
			attributes["key"] = "k"
		}
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
			})
		}
	}
}
