package ldmatchers_test

import (
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	"go.uber.org/goleak"

	"github.com/openfeature-launchdarkly/go-provider/internal/sdkleaks"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
	. "github.com/openfeature-launchdarkly/go-provider/launchdarklytest/ldmatchers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, sdkleaks.Ignore()...) }

// deliver may be called from any goroutine.
func deliver(t *testing.T, box *launchdarklytest.Server, body string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, box.URL()+launchdarklytest.EventsPath, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return
	}
	request.Header.Set("Authorization", box.SDKKey())
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Error(err)
		return
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
}

func newBox(t *testing.T, events ...string) *launchdarklytest.Server {
	t.Helper()
	box := launchdarklytest.NewServer()
	t.Cleanup(box.Close)
	if len(events) > 0 {
		deliver(t, box, "["+strings.Join(events, ",")+"]")
	}
	return box
}

const (
	index    = `{"kind":"index","context":{"kind":"user","key":"sandy"}}`
	identify = `{"kind":"identify","context":{"kind":"user","key":"sandy"}}`
	feature  = `{"kind":"feature","key":"flag","value":"b","default":"a"}`
	full     = `{"kind":"custom","key":"checkout","data":{"items":2,"paid":true},"metricValue":99.9,` +
		`"context":{"kind":"multi","user":{"key":"sandy"},"org":{"key":"acme"}}}`
	bare = `{"kind":"custom","key":"bare","context":{"kind":"user","key":"sandy"}}`
	zero = `{"kind":"custom","key":"zero","data":null,"metricValue":0,"context":{"kind":"user","key":"sandy"}}`
	list = `{"kind":"custom","key":"list","data":[1,"a"],"context":{"kind":"user","key":"sandy"}}`
)

type paid struct {
	Items int  `json:"items"`
	Paid  bool `json:"paid"`
}

func TestEventMatchers(t *testing.T) {
	box := newBox(t, index, identify, feature, full, bare, zero, list)
	for _, tc := range []struct {
		event types.GomegaMatcher
		want  bool
	}{
		{CustomEvent("checkout"), true},
		{CustomEvent("other"), false},
		{CustomEvent("flag"), false},
		{CustomEvent("checkout").WithMetric(99.9), true},
		{CustomEvent("checkout").WithMetric(float32(0.5)), false},
		{CustomEvent("checkout").WithMetric(BeNumerically("~", 100, 1)), true},
		{CustomEvent("checkout").WithMetric(BeNumerically(">", 100)), false},
		{CustomEvent("checkout").WithMetric("99.9"), false},
		{CustomEvent("checkout").WithoutMetric(), false},
		{CustomEvent("zero").WithMetric(0), true},
		{CustomEvent("zero").WithoutMetric(), false},
		{CustomEvent("bare").WithMetric(0), false},
		{CustomEvent("bare").WithoutMetric(), true},
		{CustomEvent("checkout").WithData(paid{2, true}), true},
		{CustomEvent("checkout").WithData(map[string]any{"paid": true, "items": 2}), true},
		{CustomEvent("checkout").WithData(map[string]any{"paid": true}), false},
		{CustomEvent("checkout").WithData(HaveKeyWithValue("items", 2.0)), true},
		{CustomEvent("checkout").WithData(HaveKey("other")), false},
		{CustomEvent("list").WithData(HaveKey("other")), false}, // not an object
		{CustomEvent("checkout").WithDataMember("items", 2), true},
		{CustomEvent("checkout").WithDataMember("items", 2).WithDataMember("paid", true), true},
		{CustomEvent("checkout").WithDataMember("items", 2).WithDataMember("paid", false), false},
		{CustomEvent("checkout").WithDataMember("items", BeNumerically(">", 1)), true},
		{CustomEvent("checkout").WithDataMember("other", nil), false},
		{CustomEvent("list").WithDataMember("items", 2), false},
		{CustomEvent("bare").WithDataMember("items", nil), false},
		{CustomEvent("list").WithData([]any{1, "a"}), true},
		{CustomEvent("list").WithData(ldvalue.ArrayOf(ldvalue.Int(1), ldvalue.String("a"))), true},
		{CustomEvent("list").WithoutData(), false},
		{CustomEvent("zero").WithData(nil), true},
		{CustomEvent("zero").WithoutData(), false},
		{CustomEvent("bare").WithData(nil), false},
		{CustomEvent("bare").WithoutData(), true},
		{CustomEvent("checkout").ForContext("user", "sandy"), true},
		{CustomEvent("checkout").ForContext("user", "sandy").ForContext("org", "acme"), true},
		{CustomEvent("checkout").ForContext("user", "sandy").ForContext("org", "other"), false},
		{CustomEvent("checkout").ForContext("device", ""), false},
		{CustomEvent("bare").ForContext("user", "sandy"), true},
		{CustomEvent("bare").WithContext(ldcontext.New("sandy")), true},
		{CustomEvent("bare").WithContext(ldcontext.New("alex")), false},
		{CustomEvent("checkout").WithMetric(99.9).WithData(paid{2, true}).ForContext("org", "acme"), true},
		{CustomEvent("checkout").WithMetric(99.9).WithData(paid{3, true}).ForContext("org", "acme"), false},
		{FeatureEvent("flag"), true},
		{FeatureEvent("flag").WithValue("b"), true},
		{FeatureEvent("flag").WithValue("a"), false},
		{FeatureEvent("checkout"), false},
		{EventOfKind(launchdarklytest.KindIdentify), true},
		{EventOfKind(launchdarklytest.KindSummary), false},
		{And(CustomEvent("checkout"), HaveField("HasData", true)), true},
		{HaveField("Key", "bare"), true},
	} {
		ok, err := HaveReceived(tc.event).Match(box)
		if err != nil || ok != tc.want {
			t.Errorf("%v: got %v, %v", tc.event, ok, err)
		}
	}
}

func TestTimesRequiresTheExactNumber(t *testing.T) {
	box := newBox(t, bare, bare, full)
	for times, want := range map[int]bool{-2: true, -1: true, 0: false, 1: false, 2: true, 3: false} {
		if ok, err := HaveReceived(CustomEvent("bare")).Times(times).Match(box); err != nil || ok != want {
			t.Errorf("%d times: got %v, %v", times, ok, err)
		}
	}
	if ok, err := HaveReceived(CustomEvent("other")).Times(0).Match(box); err != nil || !ok {
		t.Errorf("got %v, %v", ok, err)
	}
}

func TestServerMatchers(t *testing.T) {
	g := NewWithT(t)
	box := newBox(t)
	g.Expect(box).To(HaveReceivedNothing())
	g.Expect(box).NotTo(HaveAnswered(http.StatusAccepted))
	deliver(t, box, `nonsense`)
	g.Expect(box).To(HaveReceivedNothing())
	g.Expect(box).To(HaveAnswered(http.StatusBadRequest))
	deliver(t, box, `[`+index+`]`)
	g.Expect(box).NotTo(HaveReceivedNothing())
	g.Expect(box).To(HaveAnswered(http.StatusAccepted))
	box.ClearEvents()
	g.Expect(box).To(HaveReceivedNothing())
}

func TestMatchersAcceptSingleEvents(t *testing.T) {
	g := NewWithT(t)
	box := newBox(t, bare, full)
	events := box.CustomEvents()
	g.Expect(events).To(ContainElement(CustomEvent("checkout").WithMetric(99.9)))
	g.Expect(events[0]).To(CustomEvent("bare"))
	g.Expect(&events[0]).NotTo(CustomEvent("checkout"))
}

func TestFailureMessages(t *testing.T) {
	box := newBox(t, index, full)
	deliver(t, box, `nonsense`)
	event := box.CustomEvents()[0]
	for name, tc := range map[string]struct {
		got  string
		want []string
	}{
		"no similar event": {
			HaveReceived(CustomEvent("other")).FailureMessage(box),
			[]string{"Expected LaunchDarkly to have received", `custom event "other"`, "Matching events: 0", full, index, "400"},
		},
		"mismatches": {
			HaveReceived(CustomEvent("checkout").WithMetric(1).WithoutData().ForContext("user", "alex")).FailureMessage(box),
			[]string{
				`custom event "checkout" with metric 1 with no data for context user:alex`,
				`not matching: its metric is 99.9, its data is {"items":2,"paid":true}, its context is {"kind":"multi","org":{"key":"acme"},"user":{"key":"sandy"}}`,
			},
		},
		"a member of the data": {
			HaveReceived(CustomEvent("checkout").WithDataMember("items", 3).WithDataMember("other", 1)).FailureMessage(box),
			[]string{
				`custom event "checkout" with data member "items" 3 with data member "other" 1`,
				`not matching: its data member "items" is 2, its data has no member "other": {"items":2,"paid":true}`,
			},
		},
		"with a matcher": {
			HaveReceived(CustomEvent("checkout").WithMetric(BeNumerically(">", 100))).FailureMessage(box),
			[]string{`metric matching <*matchers.BeNumericallyMatcher`, `its metric: Expected <float64>: 99.9 to be > <int>: 100`},
		},
		"times": {
			HaveReceived(CustomEvent("checkout")).Times(2).FailureMessage(box),
			[]string{"to have received exactly 2 times", "Matching events: 1"},
		},
		"negated": {
			HaveReceived(CustomEvent("checkout")).NegatedFailureMessage(box),
			[]string{"not to have received", full},
		},
		"Gomega matcher": {
			HaveReceived(HaveField("Key", "other")).FailureMessage(box),
			[]string{"an event matching", "other"},
		},
		"nothing": {
			HaveReceivedNothing().FailureMessage(box),
			[]string{"Expected LaunchDarkly to have received nothing", full},
		},
		"status": {
			HaveAnswered(413).FailureMessage(box),
			[]string{"to have answered a request with 413", "202", "400"},
		},
		"status, negated": {
			HaveAnswered(400).NegatedFailureMessage(box),
			[]string{"not to have answered a request with 400", "not valid JSON"},
		},
		"one event": {
			CustomEvent("checkout").WithMetric(1).FailureMessage(event),
			[]string{full, "\n    custom event \"checkout\" with metric 1\nbut its metric is 99.9"},
		},
		"one event, its key": {
			CustomEvent("other").FailureMessage(&event),
			[]string{`but its key is "checkout"`},
		},
		"one event, its kind": {
			EventOfKind("index").FailureMessage(event),
			[]string{"\n    index event\nbut its kind is \"custom\""},
		},
		"one event, negated": {
			CustomEvent("checkout").NegatedFailureMessage(event),
			[]string{full, "not to be\n    custom event \"checkout\""},
		},
	} {
		for _, want := range tc.want {
			if !strings.Contains(tc.got, want) {
				t.Errorf("%s: %q is missing in:\n%s", name, want, tc.got)
			}
		}
	}
}

func TestRejectsWrongArguments(t *testing.T) {
	box := newBox(t, bare, `{"kind":"custom","key":"bare","data":1,"metricValue":1}`)
	var none *launchdarklytest.Server
	for name, tc := range map[string]struct {
		matcher types.GomegaMatcher
		actual  any
		want    string
	}{
		"not a server":            {HaveReceived(CustomEvent("a")), "box", "*launchdarklytest.Server"},
		"no server":               {HaveReceived(CustomEvent("a")), none, "*launchdarklytest.Server"},
		"not a server, nothing":   {HaveReceivedNothing(), 3, "*launchdarklytest.Server"},
		"not an event":            {CustomEvent("a"), box, "launchdarklytest.Event"},
		"no event":                {CustomEvent("a"), (*launchdarklytest.Event)(nil), "launchdarklytest.Event"},
		"data not in JSON":        {HaveReceived(CustomEvent("bare").WithData(math.Inf(1))), box, "+Inf"},
		"another matcher's error": {HaveReceived(brokenMatcher{}), box, "broken"},
	} {
		if ok, err := tc.matcher.Match(tc.actual); ok || err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, %v", name, ok, err)
		}
		// The messages must not panic.
		_ = tc.matcher.FailureMessage(tc.actual)
		_ = tc.matcher.NegatedFailureMessage(tc.actual)
	}
}

type brokenMatcher struct{}

func (brokenMatcher) Match(any) (bool, error)          { return false, errors.New("broken") }
func (brokenMatcher) FailureMessage(any) string        { return "" }
func (brokenMatcher) NegatedFailureMessage(any) string { return "" }
