package delivery

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// Every batch has a summary, so that a batch of one evaluation says little about their size.
func TestSummariesDoNotLimitTheQueue(t *testing.T) {
	q := newQueued()
	q.average = [lanes]int{}
	f := &formatter{queue: q.queue}
	var out output
	out.sizes[kindEvaluation], out.sizes[kindSummary] = 1_000, 1_000_000
	f.measure(inputs{full: 1}, out)
	for i := range maxRawEvaluations {
		if err := q.record(kindEvaluation, i); err != nil {
			t.Fatalf("evaluation %d: %v", i, err)
		}
	}
}

// The index events of evaluations say nothing about the size of tracked events.
func TestIndexEventsOfEvaluationsDoNotLimitTrackedEvents(t *testing.T) {
	q := newQueued()
	f := &formatter{queue: q.queue}
	var out output
	out.sizes[kindCustom], out.sizes[kindEvaluation], out.sizes[kindDerived] = 1_000, 1_000_000, 2_000_000
	f.measure(inputs{custom: 1, full: 1_000}, out)
	if n := q.limit[laneTracked]; n < maxRawEvents/2 {
		t.Errorf("%d tracked events fit", n)
	}
}

func TestKindOf(t *testing.T) {
	for text, want := range map[string]kind{
		`{"kind":"custom","key":"a"}`:                      kindCustom,
		`{"kind":"feature"}`:                               kindEvaluation,
		`{"kind":"debug"}`:                                 kindDerived,
		`{"kind":"index"}`:                                 kindDerived,
		`{"kind":"summary"}`:                               kindSummary,
		`{"kind":"identify"}`:                              kindControl,
		`{"kind":"migration_op"}`:                          kindControl,
		`{"kind":"new in a later SDK"}`:                    kindControl,
		`{ "kind" : "custom" }`:                            kindCustom,
		"{\n\t\"kind\": \"feature\"\n}":                    kindEvaluation,
		`{"creationDate":1,"kind":"summary"}`:              kindSummary,
		`{"context":{"kind":"custom"},"kind":"index"}`:     kindDerived,
		`{"data":[{"kind":"custom"}],"kind":"feature"}`:    kindEvaluation,
		`{"data":"\"kind\":\"custom\"","kind":"identify"}`: kindControl,
		`{"kind":"custom\u0020"}`:                          kindControl,
		`{"kind":"cust\u006fm"}`:                           kindCustom,
		`{"kind":"\u0073ummary","features":{}}`:            kindSummary,
		`{"kind":"custom\"","key":"feature"}`:              kindControl,
		`{"k\u0069nd":"custom"}`:                           kindCustom,
		`{"kind":""}`:                                      kindControl,
		`{"kind":null}`:                                    kindControl,
		`{"kind":1}`:                                       kindControl,
		`{"kind":["custom"]}`:                              kindControl,
		`{"data":{"kind":"custom"}}`:                       kindControl,
		`{}`:                                               kindControl,
		`[]`:                                               kindControl,
		`["custom"]`:                                       kindControl,
		`"custom"`:                                         kindControl,
		`null`:                                             kindControl,
		`3`:                                                kindControl,
	} {
		if got, ok := kindOf([]byte(text)); !ok || got != want {
			t.Errorf("%s: kind %d, %v; want %d", text, got, ok, want)
		}
	}
	if k, ok := kindOf([]byte(`{"kind":"` + barrierKind + `"}`)); ok {
		t.Errorf("the barrier is an event of kind %d", k)
	}
}

func TestGroupAndLaneOfEachKind(t *testing.T) {
	for k, want := range map[kind]struct {
		group group
		lane  lane
	}{
		kindCustom:     {groupTracked, laneTracked},
		kindControl:    {groupOthers, laneTracked},
		kindEvaluation: {groupOthers, laneEvaluations},
		kindDerived:    {groupOthers, laneEvaluations},
		kindSummary:    {groupOthers, laneEvaluations},
	} {
		if k.group() != want.group || k.lane() != want.lane {
			t.Errorf("kind %d is of group %d and lane %d", k, k.group(), k.lane())
		}
	}
}

func TestKeyAndTimeOfAnEvent(t *testing.T) {
	for text, want := range map[string]struct {
		key string
		at  int64
	}{
		`{"kind":"custom","creationDate":1700000000123,"key":"checkout"}`: {"checkout", 1700000000123},
		`{"key":"a\"b","data":{"key":"other"}}`:                           {`a"b`, 0},
		`{"kind":"summary","startDate":1700000000000,"endDate":1}`:        {"", 1700000000000},
		`{"creationDate":"soon","key":7}`:                                 {"", 0},
		`[]`:                                                              {"", 0},
	} {
		e := event{json: []byte(text)}
		at := e.recordedAt()
		if key := e.keyOf(); key != want.key || at.IsZero() != (want.at == 0) || want.at != 0 && at.UnixMilli() != want.at {
			t.Errorf("%s: key %q, recorded at %s", text, key, at)
		}
	}
}

const barrier = `{"kind":"` + barrierKind + `"}`

func TestParseBody(t *testing.T) {
	for _, c := range []struct {
		name  string
		body  string
		want  []string // the events
		kinds []kind
		ok    bool
	}{
		{"only the barrier", `[` + barrier + `]`, nil, nil, true},
		{"all kinds", `[{"kind":"index"},{"kind":"custom"},{"kind":"feature"},{"kind":"identify"},` + barrier + `,{"kind":"summary"}]`,
			[]string{`{"kind":"index"}`, `{"kind":"custom"}`, `{"kind":"feature"}`, `{"kind":"identify"}`, `{"kind":"summary"}`},
			[]kind{kindDerived, kindCustom, kindEvaluation, kindControl, kindSummary}, true},
		{"with spaces", "[ {\"kind\" : \"custom\"} ,\n" + barrier + " ]\n", []string{`{"kind" : "custom"}`}, []kind{kindCustom}, true},
		{"invalid UTF-8", "[{\"kind\":\"custom\",\"key\":\"a\xff\"}," + barrier + "]",
			[]string{"{\"kind\":\"custom\",\"key\":\"a\uFFFD\"}"}, []kind{kindCustom}, true},
		{"no barrier", `[{"kind":"custom"}]`, nil, nil, false},
		{"a barrier within an event", `[{"kind":"custom","data":` + barrier + `}]`, nil, nil, false},
		{"cut short", `[{"kind":"custom"},` + barrier, nil, nil, false},
		{"cut in an event", `[{"kind":"custom","data":` + barrier + `,`, nil, nil, false},
		{"an invalid number", `[{"kind":"custom","metricValue":NaN},` + barrier + `]`, nil, nil, false},
		{"more after the end", `[` + barrier + `]]`, nil, nil, false},
		{"empty", ``, nil, nil, false},
		{"no array", barrier, nil, nil, false},
		{"a barrier in an object", `{"a":` + barrier + `}`, nil, nil, false},
		{"a string", `"` + barrierKind + `"`, nil, nil, false},
	} {
		body := []byte(c.body)
		out, ok := parseBody(body, 1)
		events, size := out.all, total(out.sizes)
		if ok != c.ok {
			t.Errorf("%s: %v", c.name, ok)
		}
		if !ok {
			continue
		}
		if len(events) != len(c.want) {
			t.Errorf("%s: %d events", c.name, len(events))
			continue
		}
		clear(body) // the events are copies
		for i := range events {
			if string(events[i].json) != c.want[i] || events[i].kind != c.kinds[i] || events[i].weight != 1 {
				t.Errorf("%s: event %d is %+v, %s", c.name, i, events[i], events[i].json)
			}
			if cap(events[i].json) != len(events[i].json) {
				t.Errorf("%s: event %d has spare capacity", c.name, i)
			}
			size -= len(events[i].json)
		}
		if size < 0 || len(events) > 0 && size < objectSize {
			t.Errorf("%s: the size is %d bytes too small", c.name, -size)
		}
	}
}

func TestValidTextReplacesInvalidUTF8(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "a": "a", "ü😀": "ü😀", "\xff": "\uFFFD", "a\xc3(": "a\uFFFD(", "\xed\xa0\x80": "\uFFFD",
	} {
		if got := string(validText([]byte(text))); got != want {
			t.Errorf("%q: got %q", text, got)
		}
	}
}

// FuzzParseBody compares parseBody with encoding/json.
func FuzzParseBody(f *testing.F) {
	f.Add([]byte(`[{"kind":"custom","key":"a","data":[1,{"b":"]"}]},` + barrier + `,{"kind":"summary","features":{}}]`))
	f.Add([]byte(" [ {\"creationDate\":1,\"kind\":\"\\u0069ndex\"} ,\n\"a\\\\\\\"]\",null,[],-1e9 , " + barrier + "]\n"))
	f.Add([]byte("[{\"kind\":\"feature\",\"key\":\"\xff\xed\xa0\x80\"}," + barrier + "]"))
	f.Add([]byte(`{"a":` + barrier + `}`))
	f.Add([]byte(`[{"kind":"custom"},` + barrier))
	f.Fuzz(func(t *testing.T, body []byte) {
		out, ok := parseBody(bytes.Clone(body), 1)
		events := out.all
		var all []json.RawMessage
		complete := false
		var want []event
		if json.Unmarshal(bytes.ToValidUTF8(body, []byte("\uFFFD")), &all) == nil {
			for _, text := range all {
				var e struct {
					Kind string `json:"kind"`
				}
				_ = json.Unmarshal(text, &e)
				if severalKinds(text) { // either may count
					return
				}
				if e.Kind == barrierKind {
					complete = true
					continue
				}
				want = append(want, event{json: text, kind: kindOfName(e.Kind)})
			}
		}
		if ok != complete {
			t.Fatalf("%q: %v, want %v", body, ok, complete)
		}
		if !ok {
			return
		}
		if len(events) != len(want) {
			t.Fatalf("%q: %d events, want %d", body, len(events), len(want))
		}
		for i := range events {
			if !bytes.Equal(events[i].json, want[i].json) || events[i].kind != want[i].kind || events[i].weight != 1 {
				t.Errorf("%q: event %d is %d, %s; want %d, %s", body, i, events[i].kind, events[i].json, want[i].kind, want[i].json)
			}
			if !utf8.Valid(events[i].json) {
				t.Errorf("%q: event %d is not UTF-8", body, i)
			}
		}
	})
}

// kindOfName returns the kind by its name in JSON.
func kindOfName(name string) kind {
	switch name {
	case "custom":
		return kindCustom
	case "feature":
		return kindEvaluation
	case "index", "debug":
		return kindDerived
	case "summary":
		return kindSummary
	default:
		return kindControl
	}
}

// severalKinds reports whether an object has several members that encoding/json decodes as the
// kind.
func severalKinds(text []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return false
	}
	n := 0
	for decoder.More() {
		key, _ := decoder.Token()
		if name, ok := key.(string); ok && strings.EqualFold(name, "kind") {
			n++
		}
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			break
		}
	}
	return n > 1
}

// total returns the sum of the sizes.
func total(sizes [kinds]int) (n int) {
	for _, size := range sizes {
		n += size
	}
	return n
}
