package launchdarklytest_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

func gzipped() http.Header { return http.Header{"Content-Encoding": {"gzip"}} }

func keys(events []launchdarklytest.Event) string {
	var keys []string
	for _, event := range events {
		keys = append(keys, event.Key)
	}
	return strings.Join(keys, " ")
}

func TestDecodesEventsOfTheSDK(t *testing.T) {
	for _, compressed := range []bool{false, true} {
		t.Run(fmt.Sprintf("compressed %v", compressed), func(t *testing.T) {
			box := newBox(t)
			box.SetFlags(ldbuilders.NewFlagBuilder("tracked").Version(5).
				On(true).
				Variations(ldvalue.String("a"), ldvalue.String("b")).
				FallthroughVariation(1).
				TrackEvents(true).
				Build())
			client := newClient(t, box, func(c *ld.Config) {
				c.Events = ldcomponents.SendEvents().EnableGzip(compressed)
				c.HTTP = ldcomponents.HTTPConfiguration().Wrapper("mine", "1.2")
			})
			multi := ldcontext.NewMulti(sandy, ldcontext.NewWithKind("org", "acme"))

			before := time.Now().Truncate(time.Millisecond)
			_, _, _ = client.StringVariationDetail("tracked", sandy, "x")
			_ = client.Identify(sandy)
			_ = client.TrackEvent("plain", sandy)
			_ = client.TrackData("data", multi, ldvalue.ObjectBuild().SetString("a", "b").Build())
			_ = client.TrackMetric("metric", sandy, 0, ldvalue.Null())
			client.Flush()
			if _, err := box.WaitForEvents(testContext(t), 3, nil); err != nil {
				t.Fatal(err)
			}
			// The summary is in the same delivery.
			summaries, err := box.WaitForEvents(testContext(t), 1, func(e launchdarklytest.Event) bool {
				return e.Kind == launchdarklytest.KindSummary
			})
			if err != nil {
				t.Fatal(err)
			}
			summary := summaries[0]
			if got := summary.Features.GetByKey("tracked").GetByKey("counters").GetByIndex(0).GetByKey("count"); got.IntValue() != 1 {
				t.Errorf("got summary %s", summary)
			}
			if summary.StartDate.Before(before) || summary.EndDate.Before(summary.StartDate) || !summary.CreationDate.IsZero() {
				t.Errorf("got summary from %v to %v", summary.StartDate, summary.EndDate)
			}

			custom := box.CustomEvents()
			if got := keys(custom); got != "plain data metric" {
				t.Fatalf("got %q", got)
			}
			plain, data, metric := custom[0], custom[1], custom[2]
			if plain.HasData || plain.MetricValue != nil || plain.CreationDate.Before(before) {
				t.Errorf("got %+v", plain)
			}
			if !data.HasData || data.Data.JSONString() != `{"a":"b"}` {
				t.Errorf("got %+v", data)
			}
			if got := data.ContextKeys(); len(got) != 2 || got["user"] != "sandy" || got["org"] != "acme" {
				t.Errorf("got %v", got)
			}
			if metric.MetricValue == nil || *metric.MetricValue != 0 {
				t.Errorf("got %+v", metric)
			}
			if got := keys(box.CustomEvents("metric", "plain")); got != "plain metric" {
				t.Errorf("got %q", got)
			}

			features := slices.DeleteFunc(box.Events(), func(e launchdarklytest.Event) bool {
				return e.Kind != launchdarklytest.KindFeature
			})
			if len(features) != 1 {
				t.Fatalf("got %v", features)
			}
			feature := features[0]
			if feature.Key != "tracked" || feature.Value.StringValue() != "b" || feature.Default.StringValue() != "x" ||
				feature.Variation.OrElse(-1) != 1 || feature.Version.OrElse(-1) != 5 ||
				feature.Reason.GetKind() != ldreason.EvalReasonFallthrough {
				t.Errorf("got %+v", feature)
			}
			if box.EventCount(launchdarklytest.KindIdentify) != 1 || box.EventCount(launchdarklytest.KindIndex) == 0 {
				t.Errorf("got %v", box)
			}
			if box.EventCount() != len(box.Events()) {
				t.Errorf("got %d events of all kinds", box.EventCount())
			}

			request := box.Requests()[0]
			if request.Gzip != compressed || request.Bytes == 0 || request.WireBytes == 0 ||
				(request.Bytes == request.WireBytes) == compressed {
				t.Errorf("got %+v", request)
			}
			if request.PayloadID() == "" || request.Schema() != "4" || request.Wrapper() != "mine/1.2" || !strings.HasPrefix(request.UserAgent(), "GoClient/") {
				t.Errorf("got %+v", request)
			}
		})
	}
}

func TestRejectsInvalidBodies(t *testing.T) {
	for name, tc := range map[string]struct {
		body   string
		header http.Header
		want   int
		count  int
	}{
		"empty array":         {`[]`, nil, 202, 0},
		"empty array, spaces": {" [ \n] ", nil, 202, 0},
		"one":                 {`[{"kind":"custom"}]`, nil, 202, 1},
		"spaces":              {" [ {\"kind\" : \"custom\"} ,\n{\"kind\":\"custom\"} ] ", nil, 202, 2},
		"tricky strings":      {`[{"a":"],[\\","kind":"custom","b\"":"\\\""},{"kind":"custom"}]`, nil, 202, 2},
		"nested":              {`[{"kind":"custom","data":[[1,2],{"x":[]}]},{"kind":"custom"}]`, nil, 202, 2},
		"escaped kind":        {`[{"kind":"\u0063ustom"}]`, nil, 202, 1},
		"gzip":                {`[{"kind":"custom"}]`, gzipped(), 202, 1},
		"empty":               {``, nil, 400, 0},
		"object":              {`{"kind":"custom"}`, nil, 400, 0},
		"null":                {`null`, nil, 400, 0},
		"not JSON":            {`[{"kind":"custom","metricValue":NaN}]`, nil, 400, 0},
		"cut off":             {`[{"kind":"custom"}`, nil, 400, 0},
		"two arrays":          {`[][]`, nil, 400, 0},
		"not UTF-8":           {"[{\"kind\":\"custom\",\"key\":\"\xff\"}]", nil, 400, 0},
		"unknown encoding":    {`[]`, http.Header{"Content-Encoding": {"br"}}, 400, 0},
	} {
		t.Run(name, func(t *testing.T) {
			box := newBox(t)
			if got := (post{id: "1", body: tc.body, header: tc.header}).status(t, newHTTPClient(t), box); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
			if got := box.EventCount(launchdarklytest.KindCustom); got != tc.count {
				t.Errorf("got %d events: %v", got, box)
			}
			request := box.Requests()[0]
			if request.Status != tc.want || request.EventCount != tc.count ||
				request.Accepted != (tc.want == 202) || (request.Problem == "") != request.Accepted {
				t.Errorf("got %+v", request)
			}
			// The payload ID of a refused request can be used again.
			if tc.want == 400 {
				post{id: "1", body: `[{"kind":"custom"}]`}.status(t, newHTTPClient(t), box)
				if box.EventCount(launchdarklytest.KindCustom) != 1 {
					t.Errorf("the corrected request counts as a duplicate: %v", box)
				}
			}
		})
	}
}

func TestRejectsBodyThatIsNotGzip(t *testing.T) {
	box := newBox(t)
	request, err := http.NewRequestWithContext(testContext(t), http.MethodPost,
		box.URL()+launchdarklytest.EventsPath, strings.NewReader("[]"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = gzipped()
	request.Header.Set("Authorization", box.SDKKey())
	response, err := newHTTPClient(t).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusBadRequest {
		t.Errorf("got %d", response.StatusCode)
	}
}

func TestResponsesHaveADate(t *testing.T) {
	box := newBox(t)
	response, err := post{body: `[]`}.send(t, newHTTPClient(t), box)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := http.ParseTime(response.Header.Get("Date")); err != nil {
		t.Error(err)
	}
}

func TestEventsNeedTheSDKKey(t *testing.T) {
	box := newBox(t)
	if got := (post{key: "other", body: `[{"kind":"custom"}]`}).status(t, newHTTPClient(t), box); got != http.StatusUnauthorized {
		t.Errorf("got %d", got)
	}
	if box.EventCount() != 0 {
		t.Error("events were accepted")
	}
}

func TestDropsRepeatedPayloads(t *testing.T) {
	box := newBox(t)
	client := newHTTPClient(t)
	send := func(id string) {
		t.Helper()
		if got := (post{id: id, body: `[{"kind":"custom"}]`}).status(t, client, box); got != http.StatusAccepted {
			t.Errorf("got %d", got)
		}
	}
	send("a")
	send("a")
	send("b")
	send("")
	send("") // without an ID, duplicates are not detected
	box.ClearEvents()
	send("a")
	var got []bool
	for _, request := range box.Requests() {
		got = append(got, request.Duplicate)
		if request.Accepted == request.Duplicate {
			t.Errorf("got %+v", request)
		}
	}
	if want := []bool{false, true, false, false, false, true}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if box.EventCount() != 0 {
		t.Errorf("got %d events after ClearEvents", box.EventCount())
	}
}

func TestUnexpectedFieldTypesHaveZeroValues(t *testing.T) {
	box := newBox(t)
	post{body: `[1, "x", null, [], {}, {"kind": 3, "key": 4, "creationDate": "now", "context": 7, "metricValue": "1",
		"reason": "none", "variation": 1.5}, {"kind":"a\"b"}, {"kind":"custom","data":null},
		{"context":{"key":"k"}}, {"context":{"kind":"multi","user":{"key":"u"},"odd":1}}]`}.status(t, newHTTPClient(t), box)
	events := box.Events()
	if len(events) != 10 {
		t.Fatalf("got %v", events)
	}
	odd := events[5]
	if odd.Kind != "" || odd.Key != "" || !odd.CreationDate.IsZero() || odd.MetricValue != nil ||
		odd.Reason.GetKind() != "" || odd.Variation.IsDefined() || len(odd.ContextKeys()) != 0 {
		t.Errorf("got %+v", odd)
	}
	if events[6].Kind != `a"b` {
		t.Errorf("got %q", events[6].Kind)
	}
	if !events[7].HasData || !events[7].Data.IsNull() {
		t.Errorf("got %+v", events[7])
	}
	if got := events[8].ContextKeys(); len(got) != 1 || got["user"] != "k" {
		t.Errorf("got %v", got)
	}
	if got := events[9].ContextKeys(); len(got) != 1 || got["user"] != "u" {
		t.Errorf("got %v", got)
	}
	if box.EventCount("") != 8 {
		t.Errorf("got %d without a kind", box.EventCount(""))
	}
}

func TestAllEventsStopsEarly(t *testing.T) {
	box := newBox(t)
	post{body: `[{"kind":"custom","key":"a"},{"kind":"custom","key":"b"},{"kind":"custom","key":"c"}]`}.status(t, newHTTPClient(t), box)
	if got := keys(slices.Collect(box.AllEvents())); got != "a b c" {
		t.Errorf("got %q", got)
	}
	for event := range box.AllEvents() {
		if event.Key != "a" {
			t.Errorf("continued to %s", event)
		}
		break
	}
}

func TestConcurrentUse(t *testing.T) {
	const senders, each = 4, 50
	box := newBox(t)
	sdk := newClient(t, box)
	client := newHTTPClient(t)
	ctx, stop := context.WithCancel(testContext(t))
	var busy, sending sync.WaitGroup
	for _, f := range []func(){
		func() { box.SetValue("flag", 1) },
		func() { box.DeleteFlags("flag") },
		func() { box.HoldStreams(); box.ReleaseStreams() },
		func() { box.RefuseStreams(503); box.AcceptStreams() },
		func() { box.LimitEvents(2); box.LimitEvents(0); box.LimitEventBytes(1e6); box.LimitEventBytes(0) },
		func() { box.DelayEvents(time.Microsecond); box.DelayEvents(0) },
		func() { _ = box.Events(); _ = box.CustomEvents("a"); _ = box.EventCount() },
		func() { _ = box.Requests(); _ = box.StreamRequests(); _ = box.Streams(); _ = box.String() },
		func() { _, _ = sdk.IntVariation("flag", sandy, 0) },
	} {
		busy.Go(func() {
			for ctx.Err() == nil {
				f()
			}
		})
	}
	for sender := range senders {
		sending.Go(func() {
			for i := range each {
				post{id: fmt.Sprint(sender, i), body: `[{"kind":"custom","key":"a"}]`}.status(t, client, box)
			}
		})
	}
	events, err := box.WaitForEvents(ctx, senders*each, nil)
	if err != nil || len(events) != senders*each {
		t.Errorf("got %d events, %v", len(events), err)
	}
	sending.Wait()
	stop()
	busy.Wait()

	// The SDK's stream does not end if it is closed while it handles a message.
	box.SetValue("last", true)
	await(t, "the last change", func() bool {
		last, _ := sdk.BoolVariation("last", sandy, false)
		return last
	})
}
