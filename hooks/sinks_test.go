package hooks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/open-feature/go-sdk/openfeature"

	"github.com/openfeature-launchdarkly/go-provider/hooks"
)

// tracked is one call of Track.
type tracked struct {
	name    string
	context openfeature.EvaluationContext
	details openfeature.TrackingEventDetails
}

type tracker struct{ calls []tracked }

func (tr *tracker) Track(_ context.Context, name string, evalCtx openfeature.EvaluationContext, details openfeature.TrackingEventDetails) {
	tr.calls = append(tr.calls, tracked{name, evalCtx, details})
}

func TestTrackerSink(t *testing.T) {
	t.Parallel()
	byFlag := func(e hooks.Event) string { return "exposure:" + e.FlagKey }
	nameless := func(hooks.Event) string { return "" }
	for _, tt := range []struct {
		name  string
		opts  []hooks.TrackerOption
		event string
		value float64
	}{
		{"default", nil, "feature_flag.evaluation", 0},
		{"nil", []hooks.TrackerOption{nil, hooks.WithTrackingNameFunc(nil)}, "feature_flag.evaluation", 0},
		{"empty", []hooks.TrackerOption{hooks.WithTrackingName("x"), hooks.WithTrackingName("")}, "feature_flag.evaluation", 0},
		{"name", []hooks.TrackerOption{hooks.WithTrackingName("exposure")}, "exposure", 0},
		{"by flag", []hooks.TrackerOption{hooks.WithTrackingNameFunc(byFlag)}, "exposure:bool", 0},
		{"nameless", []hooks.TrackerOption{hooks.WithTrackingNameFunc(nameless)}, "feature_flag.evaluation", 0},
		{"value", []hooks.TrackerOption{hooks.WithTrackingValue(1)}, "feature_flag.evaluation", 1},
		{"no value", []hooks.TrackerOption{hooks.WithTrackingValue(math.NaN())}, "feature_flag.evaluation", math.NaN()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var tr tracker
			client := newClient(t, provider(), hooks.NewEvaluationHook(hooks.NewTrackerSink(&tr, tt.opts...)))
			client.SetEvaluationContext(openfeature.NewTargetlessEvaluationContext(map[string]any{"plan": "pro"}))
			for range 2 {
				client.Boolean(context.Background(), "bool", false, user("anna"))
			}
			if len(tr.calls) != 1 {
				t.Fatalf("got %d calls", len(tr.calls))
			}
			call := tr.calls[0]
			if call.name != tt.event {
				t.Errorf("got name %q", call.name)
			}
			if got := call.details.Value(); got != tt.value && !(math.IsNaN(got) && math.IsNaN(tt.value)) {
				t.Errorf("got value %v", got)
			}
			if call.context.TargetingKey() != "anna" || call.context.Attribute("plan") != "pro" {
				t.Errorf("got context %v", call.context)
			}
			want := map[string]any{
				"feature_flag.key":            "bool",
				"feature_flag.provider.name":  "InMemoryProvider",
				"feature_flag.result.variant": "on",
				"feature_flag.result.reason":  "static",
				"feature_flag.context.id":     "anna",
			}
			if got := call.details.Attributes(); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
		})
	}
}

func TestTrackerSinkThroughAClient(t *testing.T) {
	t.Parallel()
	analytics := provider()
	to := newClient(t, analytics)
	to.SetEvaluationContext(openfeature.NewEvaluationContext("service", map[string]any{"plan": "none", "region": "eu"}))
	client := newClient(t, provider(), hooks.NewEvaluationHook(hooks.NewTrackerSink(to)))
	client.Boolean(context.Background(), "bool", false, openfeature.NewEvaluationContext("anna", map[string]any{"plan": "pro"}))

	events := analytics.TrackingEvents("feature_flag.evaluation")
	want := map[string]any{"plan": "pro", "region": "eu"}
	if len(events) != 1 || !reflect.DeepEqual(events[0].ContextAttributes, want) {
		t.Errorf("got %+v", events)
	}
}

func TestSlogSinkAttributes(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&buf, nil)).With(slog.String("app", "shop")).WithGroup("flags")
	client := newClient(t, provider(), hooks.NewEvaluationHook(hooks.NewSlogSink(logger, slog.LevelWarn)))
	client.Float(context.Background(), "float", 0, user("anna"))

	var line map[string]any
	if err := json.Unmarshal(buf.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	if at, err := time.Parse(time.RFC3339Nano, line["time"].(string)); err != nil || time.Since(at) > time.Minute {
		t.Errorf("got time %v", line["time"])
	}
	delete(line, "time")
	want := map[string]any{
		"level": "WARN",
		"msg":   "feature_flag.evaluation",
		"app":   "shop",
		"flags": map[string]any{
			"feature_flag.key":            "float",
			"feature_flag.provider.name":  "InMemoryProvider",
			"feature_flag.result.variant": "half",
			"feature_flag.result.reason":  "static",
			"feature_flag.context.id":     "anna",
		},
	}
	if !reflect.DeepEqual(line, want) {
		t.Errorf("got  %v\nwant %v", line, want)
	}
}

func TestSlogSinkLevel(t *testing.T) {
	t.Parallel()
	var level slog.LevelVar
	logger := slog.New(slog.NewTextHandler(new(bytes.Buffer), nil))
	sink := hooks.NewSlogSink(logger, &level)
	if !sink.Enabled(context.Background()) {
		t.Error("disabled at INFO")
	}
	level.Set(slog.LevelDebug)
	if sink.Enabled(context.Background()) {
		t.Error("enabled at DEBUG")
	}
	if (*hooks.SlogSink)(nil).Enabled(context.Background()) {
		t.Error("nil is enabled")
	}
	if !new(hooks.SlogSink).Enabled(context.Background()) {
		t.Error("zero value does not log to slog.Default at INFO")
	}
}

func TestMultiSinkByItself(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	if hooks.NewMultiSink().Enabled(ctx) || new(hooks.MultiSink).Enabled(ctx) || (*hooks.MultiSink)(nil).Enabled(ctx) {
		t.Error("enabled without sinks")
	}
	off := &recorder{disabled: true}
	if hooks.NewMultiSink(off, nil).Enabled(ctx) {
		t.Error("enabled with a disabled sink")
	}
	var first, last recorder
	multi := hooks.NewMultiSink(&first, hooks.NewMultiSink(off, panicking{}), &last)
	if !multi.Enabled(ctx) {
		t.Error("disabled")
	}
	func() {
		defer func() {
			if _, ok := recover().(hooks.Event); !ok {
				t.Error("panic was changed or swallowed")
			}
		}()
		multi.Emit(ctx, hooks.Event{Name: "event"})
	}()
	if len(first.all()) != 1 || len(last.all()) != 1 || len(off.all()) != 0 {
		t.Errorf("got %d, %d and %d events", len(first.all()), len(last.all()), len(off.all()))
	}
	(*hooks.MultiSink)(nil).Emit(ctx, hooks.Event{})
}
