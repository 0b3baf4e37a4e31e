package hooks_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"

	"github.com/openfeature-launchdarkly/go-provider/hooks"
)

func TestDeduplicationWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var sink recorder
		hook := hooks.NewEvaluationHook(&sink, hooks.WithDeduplication(time.Minute, 0))
		hc := openfeature.NewHookContext("flag", openfeature.Boolean, false, openfeature.ClientMetadata{}, openfeature.Metadata{}, user("anna"))
		expect := func(want int) {
			t.Helper()
			hook.Finally(t.Context(), hc, openfeature.InterfaceEvaluationDetails{Value: true}, openfeature.HookHints{})
			if got := len(sink.all()); got != want {
				t.Errorf("got %d events, want %d", got, want)
			}
		}
		expect(1)
		time.Sleep(40 * time.Second)
		expect(1)
		time.Sleep(19 * time.Second)
		expect(1) // the repetition did not extend the window
		time.Sleep(time.Second)
		expect(2)
		expect(2)
	})
}

func TestDeduplicationEmitsOncePerKeyAcrossGoroutines(t *testing.T) {
	t.Parallel()
	var sink recorder
	client := newClient(t, provider(), hooks.NewEvaluationHook(&sink, hooks.WithDeduplication(0, 0)))
	const goroutines, users = 16, 50
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for u := range users {
				client.Boolean(context.Background(), "bool", false, user(strconv.Itoa(u)))
			}
		})
	}
	wg.Wait()
	seen := map[string]int{}
	for _, event := range sink.all() {
		seen[event.EvaluationContext.TargetingKey()]++
	}
	for u := range users {
		if n := seen[strconv.Itoa(u)]; n != 1 {
			t.Errorf("user %d: got %d events", u, n)
		}
	}
}

func TestDeduplicationEvictsTheLeastRecentlySeen(t *testing.T) {
	t.Parallel()
	var sink recorder
	client := newClient(t, provider(), hooks.NewEvaluationHook(&sink, hooks.WithDeduplication(time.Hour, 2)))
	for _, key := range []string{"a", "b", "a", "c", "a", "b"} { // c pushes b out
		client.Boolean(context.Background(), "bool", false, user(key))
	}
	var got strings.Builder
	for _, event := range sink.all() {
		got.WriteString(event.EvaluationContext.TargetingKey())
	}
	if got.String() != "abcb" {
		t.Errorf("got events for %s", &got)
	}
}

// exposure is one evaluation as a hook sees it.
type exposure struct {
	flag, domain, provider string
	context                openfeature.EvaluationContext
	details                openfeature.InterfaceEvaluationDetails
}

func (e exposure) report(hook openfeature.Hook) {
	hc := openfeature.NewHookContext(e.flag, openfeature.Object, nil, openfeature.NewClientMetadata(e.domain),
		openfeature.Metadata{Name: e.provider}, e.context)
	hook.Finally(context.Background(), hc, e.details, openfeature.HookHints{})
}

func details(value any, detail openfeature.ResolutionDetail) openfeature.InterfaceEvaluationDetails {
	return openfeature.InterfaceEvaluationDetails{
		Value:             value,
		EvaluationDetails: openfeature.EvaluationDetails{ResolutionDetail: detail},
	}
}

func TestDeduplicationKeys(t *testing.T) {
	t.Parallel()
	type a = map[string]any
	type m = openfeature.FlagMetadata
	evalCtx := openfeature.NewEvaluationContext
	variant := func(v string) openfeature.ResolutionDetail { return openfeature.ResolutionDetail{Variant: v} }
	metadata := func(md m) openfeature.InterfaceEvaluationDetails {
		return details(1, openfeature.ResolutionDetail{Variant: "v", FlagMetadata: md})
	}
	failed := func(code openfeature.ErrorCode) openfeature.InterfaceEvaluationDetails {
		return details(1, openfeature.ResolutionDetail{ErrorCode: code, Reason: openfeature.ErrorReason})
	}
	for _, tt := range []struct {
		name string
		a, b exposure
		same bool
	}{
		{"identical", exposure{flag: "f"}, exposure{flag: "f"}, true},
		{"flag", exposure{flag: "f"}, exposure{flag: "g"}, false},
		{"flag and domain do not run together", exposure{flag: "ab", domain: "c"}, exposure{flag: "a", domain: "bc"}, false},
		{"domain", exposure{domain: "a"}, exposure{domain: "b"}, false},
		{"provider", exposure{provider: "a"}, exposure{provider: "b"}, false},
		{"variant", exposure{details: details(1, variant("a"))}, exposure{details: details(1, variant("b"))}, false},
		{"value with the same variant", exposure{details: details(1, variant("a"))}, exposure{details: details(2, variant("a"))}, true},
		{"int without variant", exposure{details: details(1, variant(""))}, exposure{details: details(2, variant(""))}, false},
		{"float without variant", exposure{details: details(0.1, variant(""))}, exposure{details: details(0.2, variant(""))}, false},
		{"bool without variant", exposure{details: details(true, variant(""))}, exposure{details: details(false, variant(""))}, false},
		{"type without variant", exposure{details: details("1", variant(""))}, exposure{details: details(1, variant(""))}, false},
		{"object without variant", exposure{details: details(a{"x": 1}, variant(""))}, exposure{details: details(a{"x": 2}, variant(""))}, false},
		{"same object without variant", exposure{details: details(a{"x": 1}, variant(""))}, exposure{details: details(a{"x": 1}, variant(""))}, true},
		{"error", exposure{details: failed("GENERAL")}, exposure{details: details(1, variant(""))}, false},
		{"error code", exposure{details: failed("GENERAL")}, exposure{details: failed("PARSE_ERROR")}, false},
		{"targeting key", exposure{context: user("a")}, exposure{context: user("b")}, false},
		{"other attributes", exposure{context: evalCtx("a", a{"ip": 1})}, exposure{context: evalCtx("a", a{"ip": 2})}, true},
		{"kind", exposure{context: user("a")}, exposure{context: evalCtx("a", a{"kind": "org"})}, false},
		{"kind user is the default", exposure{context: user("a")}, exposure{context: evalCtx("a", a{"kind": "user"})}, true},
		{"key attribute", exposure{context: evalCtx("", a{"key": "a"})}, exposure{context: evalCtx("", a{"key": "b"})}, false},
		{"key attribute for targeting key", exposure{context: evalCtx("", a{"key": "a"})}, exposure{context: user("a")}, true},
		{"contextId", exposure{context: user("a"), details: metadata(m{"contextId": "x"})}, exposure{context: user("a"), details: metadata(m{"contextId": "y"})}, false},
		{"contextId alone", exposure{context: user("a"), details: metadata(m{"contextId": "x"})}, exposure{context: user("b"), details: metadata(m{"contextId": "x"})}, true},
		{"contextId and a kind that looks like it", exposure{context: user("a"), details: metadata(m{"contextId": "x"})}, exposure{context: evalCtx("x", a{"kind": "id"}), details: metadata(nil)}, false},
		{"numeric contextId", exposure{context: user("a"), details: metadata(m{"contextId": 1})}, exposure{context: user("a"), details: metadata(m{"contextId": 2})}, false},
		{"multi",
			exposure{context: evalCtx("", a{"kind": "multi", "user": a{"key": "a"}, "org": a{"key": "o"}})},
			exposure{context: evalCtx("x", a{"kind": "multi", "user": a{"key": "a", "ip": 1}, "org": a{"targetingKey": "o"}})}, true},
		{"multi, another key",
			exposure{context: evalCtx("", a{"kind": "multi", "user": a{"key": "a"}, "org": a{"key": "o"}})},
			exposure{context: evalCtx("", a{"kind": "multi", "user": a{"key": "a"}, "org": a{"key": "p"}})}, false},
		{"multi, keys exchanged",
			exposure{context: evalCtx("", a{"kind": "multi", "user": a{"key": "a"}, "org": a{"key": "o"}})},
			exposure{context: evalCtx("", a{"kind": "multi", "user": a{"key": "o"}, "org": a{"key": "a"}})}, false},
		{"multi of evaluation contexts",
			exposure{context: evalCtx("", a{"kind": "multi", "user": user("a")})},
			exposure{context: evalCtx("", a{"kind": "multi", "user": user("b")})}, false},
		{"multi of other objects",
			exposure{context: evalCtx("", a{"kind": "multi", "user": map[string]string{"key": "a"}})},
			exposure{context: evalCtx("", a{"kind": "multi", "user": map[string]string{"key": "b"}})}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var sink recorder
			hook := hooks.NewEvaluationHook(&sink, hooks.WithDeduplication(0, 0))
			tt.a.report(hook)
			tt.b.report(hook)
			if got := len(sink.all()) == 1; got != tt.same {
				t.Errorf("same exposure: got %v, want %v", got, tt.same)
			}
		})
	}
}

func TestDeduplicationDefaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name           string
		opts           []hooks.Option
		tracked, other int
	}{
		{"by sink", nil, 1, 3},
		{"on", []hooks.Option{hooks.WithoutDeduplication(), hooks.WithDeduplication(0, 0)}, 1, 1},
		{"off", []hooks.Option{hooks.WithDeduplication(0, 0), hooks.WithoutDeduplication()}, 3, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var other recorder
			p := provider()
			sink := hooks.NewMultiSink(hooks.NewTrackerSink(p), hooks.NewMultiSink(&other))
			client := newClient(t, p, hooks.NewEvaluationHook(sink, tt.opts...))
			for range 3 {
				client.Boolean(context.Background(), "bool", false, user("anna"))
			}
			if got := len(p.TrackingEvents("feature_flag.evaluation")); got != tt.tracked {
				t.Errorf("tracked %d, want %d", got, tt.tracked)
			}
			if got := len(other.all()); got != tt.other {
				t.Errorf("other sink got %d, want %d", got, tt.other)
			}
		})
	}
}

// A sample of exposures stays a sample, however often they are repeated.
func TestSamplingOfExposures(t *testing.T) {
	t.Parallel()
	var sink recorder
	client := newClient(t, provider(), hooks.NewEvaluationHook(&sink, hooks.WithDeduplication(0, 0), hooks.WithSampling(0.5)))
	const users = 500
	for range 5 {
		for u := range users {
			client.Boolean(context.Background(), "bool", false, user(strconv.Itoa(u)))
		}
	}
	if got := len(sink.all()); got < users/3 || got > users*2/3 {
		t.Errorf("got %d of %d exposures", got, users)
	}
}

// An evaluation while the sink is disabled does not count as an exposure.
func TestDisabledSinkRecordsNoExposure(t *testing.T) {
	t.Parallel()
	sink := recorder{disabled: true}
	client := newClient(t, provider(), hooks.NewEvaluationHook(&sink, hooks.WithDeduplication(0, 0)))
	client.Boolean(context.Background(), "bool", false, user("anna"))
	sink.disabled = false
	client.Boolean(context.Background(), "bool", false, user("anna"))
	sink.only(t)
}

func TestHookOnAPIClientAndCall(t *testing.T) {
	t.Parallel()
	var sink recorder
	hook := hooks.NewEvaluationHook(&sink)
	api := isolated.NewAPI()
	t.Cleanup(func() { _ = api.Shutdown(context.Background()) })
	if err := api.SetProviderAndWait(context.Background(), provider()); err != nil {
		t.Fatal(err)
	}
	api.AddHooks(hook)
	client := api.NewClient()
	client.AddHooks(hook)
	client.Boolean(context.Background(), "bool", false, user("anna"), openfeature.WithHooks(hook))
	if got := len(sink.all()); got != 3 {
		t.Errorf("got %d events", got)
	}
}
