package delivery

import (
	"encoding/json"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"

	"github.com/openfeature-launchdarkly/go-provider/internal/httpstop"
)

func summaryOf(t testing.TB, text string) summary {
	t.Helper()
	s, ok := parseSummary([]byte(text))
	if !ok {
		t.Fatalf("no summary: %s", text)
	}
	return s
}

// canonical decodes a summary and sorts its counters and context kinds, which the SDK writes in any
// order.
func canonical(t testing.TB, text []byte) any {
	t.Helper()
	var s any
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	features, _ := s.(map[string]any)["features"].(map[string]any)
	for _, flag := range features {
		for _, list := range []string{"counters", "contextKinds"} {
			if entries, ok := flag.(map[string]any)[list].([]any); ok {
				slices.SortFunc(entries, func(a, b any) int {
					x, _ := json.Marshal(a)
					y, _ := json.Marshal(b)
					return slices.Compare(x, y)
				})
			}
		}
	}
	return s
}

func TestMergedSummaryHasAllCounts(t *testing.T) {
	const one = `{"kind":"summary","startDate":10,"endDate":20,"features":{"flag":` +
		`{"default":"first","counters":[{"variation":1,"version":2,"value":true,"count":3}],"contextKinds":["user"]}}}`
	for _, c := range []struct {
		name, later, want string
		grown             bool
	}{
		{
			"the same counter",
			`{"kind":"summary","startDate":15,"endDate":30,"features":{"flag":
			{"default":"second","counters":[{"variation":1,"version":2,"value":false,"count":4}],"contextKinds":["user"]}}}`,
			`{"kind":"summary","startDate":10,"endDate":30,"features":{"flag":
			{"default":"first","counters":[{"variation":1,"version":2,"value":true,"count":7}],"contextKinds":["user"]}}}`,
			false,
		},
		{
			"another flag",
			`{"kind":"summary","startDate":15,"endDate":16,"features":{"other":
			{"default":null,"counters":[{"variation":0,"version":1,"value":{"a":1},"count":1}],"contextKinds":["org"]}}}`,
			`{"kind":"summary","startDate":10,"endDate":20,"features":{"flag":
			{"default":"first","counters":[{"variation":1,"version":2,"value":true,"count":3}],"contextKinds":["user"]},"other":
			{"default":null,"counters":[{"variation":0,"version":1,"value":{"a":1},"count":1}],"contextKinds":["org"]}}}`,
			true,
		},
		{
			"another variation, another version, neither, and another kind of context",
			`{"kind":"summary","startDate":15,"endDate":16,"features":{"flag":{"default":"second","counters":[
			{"variation":0,"version":2,"value":"a","count":1},{"variation":1,"version":3,"value":"b","count":2},
			{"version":2,"value":"c","count":4},{"unknown":true,"value":"d","count":8},
			{"variation":1,"unknown":true,"value":"e","count":16}],"contextKinds":["org","user"]}}}`,
			`{"kind":"summary","startDate":10,"endDate":20,"features":{"flag":{"default":"first","counters":[
			{"variation":1,"version":2,"value":true,"count":3},
			{"variation":0,"version":2,"value":"a","count":1},{"variation":1,"version":3,"value":"b","count":2},
			{"version":2,"value":"c","count":4},{"unknown":true,"value":"d","count":8},
			{"variation":1,"unknown":true,"value":"e","count":16}],"contextKinds":["org","user"]}}}`,
			true,
		},
		{
			"another kind of context alone",
			`{"kind":"summary","startDate":15,"endDate":16,"features":{"flag":
			{"default":"second","counters":[{"variation":1,"version":2,"value":true,"count":1}],"contextKinds":["org"]}}}`,
			`{"kind":"summary","startDate":10,"endDate":20,"features":{"flag":
			{"default":"first","counters":[{"variation":1,"version":2,"value":true,"count":4}],"contextKinds":["user","org"]}}}`,
			true,
		},
	} {
		s := summaryOf(t, one)
		if grown := s.merge(summaryOf(t, c.later)); grown != c.grown {
			t.Errorf("%s: grown %v", c.name, grown)
		}
		if got := s.text(); !reflect.DeepEqual(canonical(t, got), canonical(t, []byte(c.want))) {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestUnknownSummariesAreNotMerged(t *testing.T) {
	for _, text := range []string{
		``, `null`, `[]`, `{}`, `{"kind":"summary"}`, `{"kind":"summary","startDate":1,"endDate":1,"features":null}`,
		`{"kind":"summary","startDate":1,"endDate":1,"features":{},"context":{}}`,
		`{"kind":"summary","startDate":1,"endDate":1,"features":{"flag":{"default":1,"counters":[],"contextKinds":[],"more":1}}}`,
		`{"kind":"summary","startDate":1,"endDate":1,"features":{"flag":{"counters":[{"value":1,"count":1,"more":1}]}}}`,
		`{"kind":"summary","startDate":1,"endDate":1,"features":{"flag":{"counters":[{"value":1,"count":1.5}]}}}`,
		`{"kind":"summary","startDate":"now","endDate":1,"features":{}}`,
	} {
		if s, ok := parseSummary([]byte(text)); ok {
			t.Errorf("%s is %+v", text, s)
		}
	}
}

func TestSummaryIsEncodedAsTheSDKDoes(t *testing.T) {
	const text = `{"kind":"summary","startDate":1700000000123,"endDate":1700000000456,"features":{"a<b&\"c":` +
		`{"default":"<&>\u2028","counters":[{"variation":0,"version":0,"value":1.50,"count":1},` +
		`{"unknown":true,"value":null,"count":2}],"contextKinds":["user"]}}}`
	s := summaryOf(t, text)
	if got := string(s.text()); got != text {
		t.Errorf("got  %s\nwant %s", got, text)
	}
}

// bodies is an events service that keeps the bodies of requests.
type bodies struct{ all [][]byte }

// RoundTrip implements [http.RoundTripper].
func (b *bodies) RoundTrip(request *http.Request) (*http.Response, error) {
	status := http.StatusNotFound
	if request.Method == http.MethodPost {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, err
		}
		b.all, status = append(b.all, body), http.StatusAccepted
	}
	return httpstop.Respond(request, status), nil
}

// events returns the JSON of the events of a kind.
func (b *bodies) events(t testing.TB, kind string) (texts []json.RawMessage) {
	t.Helper()
	for _, body := range b.all {
		var events []json.RawMessage
		if err := json.Unmarshal(body, &events); err != nil {
			t.Fatal(err)
		}
		for _, text := range events {
			var e struct{ Kind string }
			if err := json.Unmarshal(text, &e); err != nil {
				t.Fatal(err)
			}
			if e.Kind == kind {
				texts = append(texts, text)
			}
		}
	}
	return texts
}

// randomEvaluation returns an evaluation of one of few flags, variations and versions, so that
// counters have several.
func randomEvaluation(random *rand.Rand) ldevents.EvaluationData {
	pick := func(n int) ldvalue.OptionalInt {
		if i := random.IntN(n); i > 0 {
			return ldvalue.NewOptionalInt(i - 1)
		}
		return ldvalue.OptionalInt{}
	}
	values := []ldvalue.Value{
		ldvalue.Null(), ldvalue.Bool(true), ldvalue.Int(-3), ldvalue.Float64(0.1), ldvalue.String("<a>&\"\u2028"),
		ldvalue.ArrayOf(ldvalue.Int(1), ldvalue.String("]")), ldvalue.ObjectBuild().SetString("a", "}").Build(),
	}
	contexts := []ldcontext.Context{
		ldcontext.New("sandy"), ldcontext.NewWithKind("org", "acme"),
		ldcontext.NewMulti(ldcontext.New("sandy"), ldcontext.NewWithKind("device", "d1")),
	}
	return ldevents.EvaluationData{
		BaseEvent: ldevents.BaseEvent{
			CreationDate: ldtime.UnixMillisecondTime(1_700_000_000_000 + random.Int64N(100_000)),
			Context:      ldevents.Context(contexts[random.IntN(len(contexts))]),
		},
		Key:                  []string{"a", "b", "c<&>", "d\"\\", "é"}[random.IntN(5)],
		Variation:            pick(4),
		Version:              pick(3),
		Value:                values[random.IntN(len(values))],
		Default:              values[random.IntN(len(values))],
		RequireFullEvent:     random.IntN(5) == 0,
		ExcludeFromSummaries: random.IntN(10) == 0,
	}
}

// TestSummariesEqualThoseOfTheSDK records the same evaluations with LaunchDarkly's own processor.
// The number of batches makes no difference.
func TestSummariesEqualThoseOfTheSDK(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			builder := ldcomponents.SendEvents().FlushInterval(time.Hour)
			var theirs, ours bodies
			sdk, p := build(t, builder, &theirs), build(t, Lossless(builder), &ours)
			counted, full := 0, 0
			for range 1 + random.IntN(300) {
				e := randomEvaluation(random)
				sdk.RecordEvaluation(e)
				p.RecordEvaluation(e)
				if !e.ExcludeFromSummaries {
					counted++
				}
				if e.RequireFullEvent {
					full++
				}
				if random.IntN(10) == 0 { // a batch is formatted
					time.Sleep(2 * formatDelay)
				}
			}
			for _, processor := range []ldevents.EventProcessor{sdk, p} {
				if !processor.FlushBlocking(time.Minute) {
					t.Fatal("not delivered")
				}
				if err := processor.Close(); err != nil {
					t.Fatal(err)
				}
			}
			want, got := theirs.events(t, "summary"), ours.events(t, "summary")
			if len(want) != len(got) || len(got) > 1 {
				t.Fatalf("seed %d: %d summaries, the SDK has %d", seed, len(got), len(want))
			}
			for i := range got {
				if !reflect.DeepEqual(canonical(t, got[i]), canonical(t, want[i])) {
					t.Errorf("seed %d: got %s\nthe SDK has %s", seed, got[i], want[i])
				}
				if n := summaryOf(t, string(got[i])).evaluations(); n != counted {
					t.Errorf("seed %d: %d of %d evaluations are counted", seed, n, counted)
				}
			}
			if n := len(ours.events(t, "feature")); n != full || n != len(theirs.events(t, "feature")) {
				t.Errorf("seed %d: %d evaluation events, want %d", seed, n, full)
			}
			if s := p.(*Processor).Stats(); s.EvaluationEvents.Waiting != 0 || s.EvaluationEvents.Dropped.Total() != 0 ||
				s.EvaluationEvents.Recorded != s.EvaluationEvents.Delivered+s.EvaluationEvents.SampledOut {
				t.Errorf("seed %d: %+v", seed, s)
			}
		})
	}
}

// evaluations returns the number of evaluations that a summary counts.
func (s summary) evaluations() (n int) {
	for flag := range maps.Values(s.Features) {
		for _, c := range flag.Counters {
			n += c.Count
		}
	}
	return n
}

// FuzzSummary merges any two summaries: the result is a summary with the counts of both.
func FuzzSummary(f *testing.F) {
	const flag = `{"kind":"summary","startDate":1,"endDate":2,"features":{"flag":{"default":null,"counters":[` +
		`{"variation":1,"version":2,"value":"a","count":3},{"unknown":true,"value":{"b":[1]},"count":1}],"contextKinds":["user"]}}}`
	f.Add([]byte(flag), []byte(flag))
	f.Add([]byte(flag), []byte(`{"kind":"summary","startDate":0,"endDate":9e20,"features":{"other":{"default":"<>","counters":null}}}`))
	f.Add([]byte(`{"kind":"summary","features":{}}`), []byte(flag))
	f.Add([]byte(`{"kind":"summary"}`), []byte(flag))
	f.Fuzz(func(t *testing.T, one, other []byte) {
		s, ok := parseSummary(one)
		later, ok2 := parseSummary(other)
		if !ok || !ok2 {
			return
		}
		evaluations := s.evaluations() + later.evaluations()
		flags := make(map[string]bool)
		for _, features := range []map[string]flagSummary{s.Features, later.Features} {
			for key := range features {
				flags[key] = true
			}
		}
		from, to := min(s.StartDate, later.StartDate), max(s.EndDate, later.EndDate)
		s.merge(later)
		text := s.text()
		again, ok := parseSummary(text)
		if !ok {
			t.Fatalf("%q and %q cannot be merged: %q", one, other, text)
		}
		if again.evaluations() != evaluations || len(again.Features) != len(flags) || again.StartDate != from || again.EndDate != to {
			t.Errorf("%q and %q: %d evaluations of %d flags from %v to %v, got %s",
				one, other, evaluations, len(flags), from, to, text)
		}
		if grown := again.merge(summaryOf(t, string(text))); grown {
			t.Errorf("merged with itself, %s becomes %s", text, again.text())
		}
	})
}
