package launchdarklytest_test

import (
	"encoding/json"
	"io"
	"math"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// data is the response of the poll endpoint, which is also the first message of a stream.
type data struct {
	Flags    map[string]map[string]any `json:"flags"`
	Segments map[string]map[string]any `json:"segments"`
}

func poll(t *testing.T, client *http.Client, box *launchdarklytest.Server, etag string) (data, *http.Response) {
	t.Helper()
	request, err := http.NewRequestWithContext(testContext(t), http.MethodGet, box.URL()+launchdarklytest.PollPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", box.SDKKey())
	if etag != "" {
		request.Header.Set("If-None-Match", etag)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var d data
	if response.StatusCode == http.StatusOK {
		if err := json.Unmarshal(body, &d); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
	}
	return d, response
}

func version(t *testing.T, box *launchdarklytest.Server, flag string) any {
	t.Helper()
	d, _ := poll(t, newHTTPClient(t), box, "")
	return d.Flags[flag]["version"]
}

func TestSetValueServesEveryType(t *testing.T) {
	box := newBox(t)
	client := newClient(t, box)
	for _, value := range []ldvalue.Value{
		ldvalue.Bool(true),
		ldvalue.Bool(false),
		ldvalue.String("green <b>&\n\u2028"),
		ldvalue.Float64(0.5),
		ldvalue.Parse([]byte(`{"a": [1, null, {"b": "c"}]}`)),
	} {
		box.SetValue("flag", value)
		var got ldvalue.Value
		var detail ldreason.EvaluationDetail
		await(t, value.JSONString(), func() bool {
			got, detail, _ = client.JSONVariationDetail("flag", sandy, ldvalue.Null())
			return got.Equal(value)
		})
		if detail.Reason.GetKind() != ldreason.EvalReasonFallthrough || detail.VariationIndex.OrElse(-1) != 0 {
			t.Errorf("%s: got %v", value, detail)
		}
	}
}

func TestSetValueEncodesAnyValue(t *testing.T) {
	box := newBox(t)
	cases := map[string]struct{ value, want any }{
		"bool":   {true, true},
		"int":    {7, 7.0},
		"nil":    {nil, nil},
		"struct": {struct{ A []string }{[]string{"b"}}, map[string]any{"A": []any{"b"}}},
		"NaN":    {math.NaN(), nil},
		"within": {map[string]any{"a": 1, "b": func() {}}, map[string]any{"a": 1.0}},
	}
	for name, c := range cases {
		box.SetValue(name, c.value)
	}
	client := newClient(t, box)
	for name, c := range cases {
		got, detail, err := client.JSONVariationDetail(name, sandy, ldvalue.String("default"))
		if err != nil || detail.IsDefaultValue() || !reflect.DeepEqual(got.AsArbitraryValue(), c.want) {
			t.Errorf("%s: got %v, %v, %v", name, got, detail, err)
		}
	}
}

func TestVersionsIncrease(t *testing.T) {
	box := newBox(t)
	set := func(version int) {
		box.SetFlags(ldbuilders.NewFlagBuilder("flag").Version(version).Build())
	}
	for _, step := range []struct {
		change func()
		want   any
	}{
		{func() { set(0) }, 1.0},
		{func() { set(0) }, 2.0},
		{func() { set(-5) }, 3.0},
		{func() { set(100) }, 100.0},
		{func() { set(7) }, 101.0},
		{func() { box.DeleteFlags("flag") }, nil},
		{func() { box.DeleteFlags("flag") }, nil},
		{func() { set(102) }, 103.0},
	} {
		step.change()
		if got := version(t, box, "flag"); got != step.want {
			t.Errorf("got version %v, want %v", got, step.want)
		}
	}
}

func TestSetFlagsCopiesItsArguments(t *testing.T) {
	box := newBox(t)
	flag := ldbuilders.NewFlagBuilder("flag").SingleVariation(ldvalue.Bool(true)).Build()
	box.SetFlags(flag)
	flag.Variations[0] = ldvalue.Bool(false)
	if got, _ := newClient(t, box).BoolVariation("flag", sandy, false); !got {
		t.Error("the caller's change has an effect")
	}
}

func TestReplacesValuesThatJSONCannotRepresent(t *testing.T) {
	box := newBox(t)
	nan := ldvalue.Float64(math.NaN())
	variations := []ldvalue.Value{nan, ldvalue.Int(1)}
	rule := ldbuilders.NewRuleBuilder().Variation(1).Clauses(ldbuilders.Clause("age", ldmodel.OperatorIn, nan))
	box.SetFlags(ldmodel.FeatureFlag{},
		ldbuilders.NewFlagBuilder("nan").On(true).Variations(variations...).AddRule(rule).FallthroughVariation(0).Build())
	box.SetSegments(ldbuilders.NewSegmentBuilder("nan").
		AddRule(ldbuilders.NewSegmentRuleBuilder().Clauses(ldbuilders.Clause("age", ldmodel.OperatorIn, nan))).Build())
	d, _ := poll(t, newHTTPClient(t), box, "")
	if len(d.Flags) != 1 || len(d.Segments) != 1 {
		t.Errorf("got %v", d)
	}
	if got := d.Flags["nan"]["variations"].([]any); got[0] != nil || got[1] != 1.0 {
		t.Errorf("got %v", got)
	}
	if !math.IsNaN(variations[0].Float64Value()) {
		t.Error("the caller's flag was changed")
	}
}

func TestSetFlagsJSON(t *testing.T) {
	box := newBox(t)
	err := box.SetFlagsJSON(
		"{\"key\": \"limit\", \"version\": 12, \"on\": false,\n\t\"offVariation\": 1, \"variations\": [10, 20], \"future\": {\"x\": 1}}",
		`{"key": "other"}`)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := newClient(t, box).IntVariation("limit", sandy, 0); got != 20 {
		t.Errorf("got %d", got)
	}
	d, _ := poll(t, newHTTPClient(t), box, "")
	if d.Flags["limit"]["version"] != 12.0 || d.Flags["other"]["version"] != 1.0 {
		t.Errorf("got %v", d.Flags)
	}
	if d.Flags["limit"]["future"] == nil {
		t.Error("a field that is unknown to the model was lost")
	}
}

func TestSetJSONErrors(t *testing.T) {
	box := newBox(t)
	for _, tc := range []struct{ json, want string }{
		{`{"key": "x"`, "unexpected end"},
		{`null`, "flag 2 of 2"},
		{`[]`, "flag 2 of 2"},
		{`{}`, `"key" is missing`},
		{`{"key": ""}`, `"key" is missing`},
		{`{"key": 3}`, "string"},
		{`{"key": "x", "on": "yes"}`, "bool"},
		{`{"key": "x", "version": "1"}`, "flag 2 of 2"},
	} {
		err := box.SetFlagsJSON(`{"key": "good"}`, tc.json)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q in it", tc.json, err, tc.want)
		}
	}
	if err := box.SetSegmentsJSON(`{"key": "x", "included": 3}`); err == nil || !strings.Contains(err.Error(), "segment 1 of 1") {
		t.Errorf("got %v", err)
	}
	if d, _ := poll(t, newHTTPClient(t), box, ""); len(d.Flags)+len(d.Segments) != 0 {
		t.Errorf("something was set: %v", d)
	}
}

func TestPollsWithETag(t *testing.T) {
	box := newBox(t)
	box.SetValue("flag", true)
	client := newClient(t, box, func(c *ld.Config) { c.DataSource = ldcomponents.PollingDataSource() })
	if got, _ := client.BoolVariation("flag", sandy, false); !got {
		t.Error("the flag is missing")
	}

	byHand := newHTTPClient(t)
	_, response := poll(t, byHand, box, "")
	etag := response.Header.Get("ETag")
	if _, response = poll(t, byHand, box, etag); response.StatusCode != http.StatusNotModified {
		t.Errorf("got %d without a change", response.StatusCode)
	}
	box.SetValue("flag", false)
	if _, response = poll(t, byHand, box, etag); response.StatusCode != http.StatusOK {
		t.Errorf("got %d after a change", response.StatusCode)
	}
	for _, request := range box.StreamRequests() {
		if request.Path != launchdarklytest.PollPath {
			t.Errorf("got a request to %s", request.Path)
		}
	}
}
