package hooks_test

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/open-feature/go-sdk/openfeature"

	"github.com/openfeature-launchdarkly/go-provider/hooks"
)

// evaluate runs one evaluation of a string flag with the options.
func evaluate(t *testing.T, variant, value string, opts ...hooks.Option) []hooks.Event {
	t.Helper()
	var sink recorder
	p := resolving(value, openfeature.ProviderResolutionDetail{Reason: openfeature.StaticReason, Variant: variant})
	client := newClient(t, p, hooks.NewEvaluationHook(&sink, opts...))
	if got := client.String(context.Background(), "flag", "", user("anna")); got != value {
		t.Fatalf("evaluation got %q", got)
	}
	return sink.all()
}

func TestAttributeOptions(t *testing.T) {
	t.Parallel()
	mapper := func(hc openfeature.HookContext, details openfeature.InterfaceEvaluationDetails) []slog.Attr {
		return []slog.Attr{
			slog.String("type", hc.FlagType().String()),
			slog.String("feature_flag.result.variant", "mapped "+details.Variant),
			{},
		}
	}
	for _, tt := range []struct {
		name string
		opts []hooks.Option
		want map[string]any // changes; nil is absent
	}{
		{"none", nil, nil},
		{"nil functions", []hooks.Option{nil, hooks.WithAttributeMapper(nil), hooks.WithEventMutator(nil), hooks.WithFlagFilter(nil)}, nil},
		{"values", []hooks.Option{hooks.WithValues()}, map[string]any{"feature_flag.result.value": "öööö"}},
		{"truncated", []hooks.Option{hooks.WithValues(), hooks.WithMaxValueBytes(7)}, map[string]any{"feature_flag.result.value": "öö…"}},
		{"truncated to the mark", []hooks.Option{hooks.WithMaxValueBytes(1), hooks.WithValues()}, map[string]any{"feature_flag.result.value": "…"}},
		{"truncated to zero bytes", []hooks.Option{hooks.WithMaxValueBytes(0), hooks.WithValues()}, map[string]any{"feature_flag.result.value": "…"}},
		{"fits", []hooks.Option{hooks.WithValues(), hooks.WithMaxValueBytes(8)}, map[string]any{"feature_flag.result.value": "öööö"}},
		{"no limit", []hooks.Option{hooks.WithValues(), hooks.WithMaxValueBytes(-1)}, map[string]any{"feature_flag.result.value": "öööö"}},
		{"no context ID", []hooks.Option{hooks.WithExcludedAttributes("feature_flag.context.id")}, map[string]any{"feature_flag.context.id": nil}},
		{"excluded values", []hooks.Option{hooks.WithValues(), hooks.WithExcludedAttributes("feature_flag.result.value")}, nil},
		{"excluded", []hooks.Option{hooks.WithExcludedAttributes("feature_flag.key", "none"), hooks.WithExcludedAttributes("feature_flag.provider.name")},
			map[string]any{"feature_flag.key": nil, "feature_flag.provider.name": nil}},
		{"mapped", []hooks.Option{hooks.WithAttributeMapper(mapper)},
			map[string]any{"type": "string", "feature_flag.result.variant": "mapped v"}},
		{"mapped and excluded", []hooks.Option{hooks.WithAttributeMapper(mapper), hooks.WithExcludedAttributes("feature_flag.result.variant")},
			map[string]any{"type": "string", "feature_flag.result.variant": nil}},
		{"mutated", []hooks.Option{
			hooks.WithEventMutator(func(e *hooks.Event) { e.Set(slog.Int("n", 1)) }),
			hooks.WithEventMutator(func(e *hooks.Event) {
				n, ok := e.Attribute("n")
				_, none := e.Attribute("none")
				e.Set(slog.Bool("chained", ok && !none && n.Int64() == 1))
				e.Remove("n", "feature_flag.context.id")
			}),
		}, map[string]any{"chained": true, "feature_flag.context.id": nil}},
		{"converted", []hooks.Option{hooks.WithEventMutator(func(e *hooks.Event) {
			e.Set(slog.Duration("duration", time.Second))
			e.Set(slog.Time("time", time.Unix(0, 0)))
			e.Set(slog.Uint64("large", math.MaxUint64))
			e.Set(slog.Float64("nan", math.NaN()))
			e.Set(slog.String("utf8", "a\xffb"))
			e.Set(slog.Any("any", []int{1}))
			e.Set(slog.Any("func", func() {}))
			e.Set(slog.Group("group", slog.Float64("inf", math.Inf(1)), slog.Group("inner", slog.Int("n", 1))))
		})}, map[string]any{
			"duration": "1s", "time": "1970-01-01T00:00:00Z", "large": "18446744073709551615", "nan": "NaN", "utf8": "a\uFFFDb",
			"any": "[1]", "func": "func()", "group": `{"inf":"+Inf","inner":{"n":1}}`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			events := evaluate(t, "v", "öööö", tt.opts...)
			if len(events) != 1 {
				t.Fatalf("got %d events", len(events))
			}
			want := map[string]any{
				"feature_flag.key":            "flag",
				"feature_flag.provider.name":  "InMemoryProvider",
				"feature_flag.result.variant": "v",
				"feature_flag.result.reason":  "static",
				"feature_flag.context.id":     "anna",
			}
			for key, value := range tt.want {
				if want[key] = value; value == nil {
					delete(want, key)
				}
			}
			if got := attributes(events[0]); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
		})
	}
}

func TestLongValuesAreTruncatedByDefault(t *testing.T) {
	t.Parallel()
	value := attributes(evaluate(t, "v", strings.Repeat("x", 5000), hooks.WithValues())[0])["feature_flag.result.value"].(string)
	if len(value) != hooks.DefaultMaxValueBytes || !strings.HasSuffix(value, "x…") {
		t.Errorf("got %d bytes", len(value))
	}
}

func TestValueIsSentWithoutVariant(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		opts []hooks.Option
		want any
	}{
		{"by default", nil, "long value"},
		{"truncated", []hooks.Option{hooks.WithMaxValueBytes(7)}, "long…"},
		{"excluded", []hooks.Option{hooks.WithExcludedAttributes("feature_flag.result.value")}, nil},
	} {
		if got := attributes(evaluate(t, "", "long value", tt.opts...)[0])["feature_flag.result.value"]; got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestMutatedNameAndContext(t *testing.T) {
	t.Parallel()
	events := evaluate(t, "v", "x", hooks.WithEventMutator(func(e *hooks.Event) {
		e.Name = "exposure"
		e.EvaluationContext = user("somebody")
	}))
	if events[0].Name != "exposure" || events[0].EvaluationContext.TargetingKey() != "somebody" {
		t.Errorf("got %+v", events[0])
	}
}

func TestFlagFilter(t *testing.T) {
	t.Parallel()
	accept := func(key string) bool { return key == "flag" }
	refuse := func(key string) bool { return key != "flag" }
	if got := len(evaluate(t, "v", "x", hooks.WithFlagFilter(accept))); got != 1 {
		t.Errorf("accepted: got %d events", got)
	}
	if got := len(evaluate(t, "v", "x", hooks.WithFlagFilter(accept), hooks.WithFlagFilter(refuse))); got != 0 {
		t.Errorf("refused: got %d events", got)
	}
}

func TestSampling(t *testing.T) {
	t.Parallel()
	const n = 2000
	for _, tt := range []struct {
		ratio    float64
		min, max int
	}{
		{1, n, n}, {2, n, n}, {math.NaN(), n, n}, {0, 0, 0}, {-1, 0, 0}, {0.5, n * 2 / 5, n * 3 / 5},
	} {
		var first, second recorder
		hook := hooks.NewEvaluationHook(hooks.NewMultiSink(&first, &second), hooks.WithSampling(tt.ratio))
		client := newClient(t, provider(), hook)
		for range n {
			client.Boolean(context.Background(), "bool", false, user("anna"))
		}
		if got := len(first.all()); got < tt.min || got > tt.max {
			t.Errorf("ratio %v: got %d events", tt.ratio, got)
		}
		if a, b := len(first.all()), len(second.all()); a != b {
			t.Errorf("ratio %v: sinks got %d and %d events", tt.ratio, a, b)
		}
	}
}

// panicking is a sink that panics with a value that must not be logged.
type panicking struct{ inEnabled bool }

func (p panicking) Enabled(context.Context) bool {
	if p.inEnabled {
		panic("secret")
	}
	return true
}

func (p panicking) Emit(_ context.Context, event hooks.Event) { panic(event) }

type panickingError struct{}

func (panickingError) Error() string { panic("secret") }

func TestPanics(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		sink   hooks.Sink
		opts   []hooks.Option
		emits  bool // to the other sink of a fan-out
		failed error
	}{
		{"Enabled", panicking{inEnabled: true}, nil, true, nil},
		{"Emit", panicking{}, nil, true, nil},
		{"filter", panicking{}, []hooks.Option{hooks.WithFlagFilter(func(string) bool { panic("secret") })}, false, nil},
		{"mapper", panicking{}, []hooks.Option{hooks.WithAttributeMapper(
			func(openfeature.HookContext, openfeature.InterfaceEvaluationDetails) []slog.Attr { panic("secret") })}, false, nil},
		{"mutator", panicking{}, []hooks.Option{hooks.WithEventMutator(func(*hooks.Event) { panic("secret") })}, false, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			var other recorder
			opts := append(tt.opts, hooks.WithLogger(slog.New(slog.NewJSONHandler(&log, nil))))
			client := newClient(t, provider(), hooks.NewEvaluationHook(hooks.NewMultiSink(tt.sink, &other), opts...))
			for range 3 {
				got, err := client.StringValue(context.Background(), "string", "", user("secret"))
				if got != "#ff0000" || err != nil {
					t.Fatalf("got %v, %v", got, err)
				}
			}
			if lines := strings.Count(log.String(), "\n"); lines != 1 {
				t.Errorf("got %d log lines: %s", lines, &log)
			}
			for _, secret := range []string{"secret", "ff0000"} {
				if strings.Contains(log.String(), secret) {
					t.Errorf("log has %s: %s", secret, &log)
				}
			}
			if got := len(other.all()); (got == 3) != tt.emits {
				t.Errorf("other sink got %d events", got)
			}
		})
	}
}

func TestRuntimeErrorsAreLoggedWithTheirText(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var none map[string]int
	evaluate(t, "v", "x",
		hooks.WithEventMutator(func(*hooks.Event) { none["x"] = 1 }),
		hooks.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	if !strings.Contains(log.String(), "nil map") {
		t.Errorf("got %s", &log)
	}
}

type panickingHandler struct{ slog.Handler }

func (panickingHandler) Enabled(context.Context, slog.Level) bool  { return true }
func (panickingHandler) Handle(context.Context, slog.Record) error { panic("again") }

func TestPanickingLogger(t *testing.T) {
	t.Parallel()
	logger := slog.New(panickingHandler{})
	client := newClient(t, provider(), hooks.NewEvaluationHook(hooks.NewSlogSink(logger, nil), hooks.WithLogger(logger)))
	if !client.Boolean(context.Background(), "bool", false, user("anna")) {
		t.Error("evaluation changed")
	}
}

func TestPanickingErrorOfAnotherHook(t *testing.T) {
	t.Parallel()
	var sink recorder
	hook := hooks.NewEvaluationHook(&sink, hooks.WithLogger(discard))
	hc := openfeature.NewHookContext("flag", openfeature.Boolean, false, openfeature.ClientMetadata{}, openfeature.Metadata{}, user("anna"))
	hook.Error(context.Background(), hc, panickingError{}, openfeature.HookHints{})
	hook.Finally(context.Background(), hc, openfeature.InterfaceEvaluationDetails{}, openfeature.HookHints{})
	sink.only(t)
}
