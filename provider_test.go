package launchdarkly_test

import (
	"bytes"
	"errors"
	"log/slog"
	"math"
	"strings"
	"testing"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/open-feature/go-sdk/openfeature"
	"go.uber.org/goleak"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
)

func TestConstructorsRefuse(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	brokenHTTP := ld.Config{HTTP: ldcomponents.HTTPConfiguration().CACert([]byte("not a certificate"))}
	for name, build := range map[string]func() (*launchdarkly.Provider, error){
		"an empty SDK key":        func() (*launchdarkly.Provider, error) { return launchdarkly.NewProvider("") },
		"an SDK key of no header": func() (*launchdarkly.Provider, error) { return launchdarkly.NewProvider("hunter2\n") },
		"a nil client":            func() (*launchdarkly.Provider, error) { return launchdarkly.NewProviderWithClient(nil) },
		"a broken configuration": func() (*launchdarkly.Provider, error) {
			return launchdarkly.NewProvider("hunter2", launchdarkly.WithConfig(brokenHTTP))
		},
	} {
		t.Run(name, func(t *testing.T) {
			if provider, err := build(); err == nil || provider != nil {
				t.Errorf("got %v, %v", provider, err)
			} else if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v shows the SDK key", err)
			}
		})
	}
}

func TestOffline(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	provider, err := launchdarkly.NewProvider("", launchdarkly.WithConfig(ld.Config{
		Offline: true,
		Logging: ldcomponents.NoLogging(),
		Events:  delivery.Lossless(nil),
	}))
	if err != nil {
		t.Fatal(err)
	}
	if err := provider.Init(openfeature.EvaluationContext{}); err != nil {
		t.Error(err)
	}
	flat := openfeature.FlattenedContext{"targetingKey": "u"}
	got := provider.IntEvaluation(t.Context(), "flag", 1<<60+1, flat)
	if got.Value != 1<<60+1 || got.Reason != openfeature.DefaultReason || got.Error() != nil {
		t.Errorf("got %v", got)
	}
	got.FlagMetadata["added"] = true // as OpenFeature's multi-provider does
	provider.Track(t.Context(), "event", openfeature.NewEvaluationContext("u", nil), openfeature.TrackingEventDetails{})
	if err := provider.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	if stats := provider.Stats(); stats.Tracked != 1 || stats.Dropped.EventsOff != 1 || stats.Dropped.Total() != 1 {
		t.Errorf("%+v", stats)
	}
	if err := provider.ShutdownWithContext(t.Context()); err != nil {
		t.Error(err)
	}
	if got := provider.BooleanEvaluation(t.Context(), "flag", true, flat); !got.Value ||
		got.ResolutionDetail().ErrorCode != openfeature.ProviderNotReadyCode {
		t.Errorf("after shutdown: %v", got)
	}
	if provider.Client() == nil {
		t.Error("Client is nil after shutdown")
	}
}

func TestNilOptions(t *testing.T) {
	original := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler)) // what a nil logger means
	defer slog.SetDefault(original)
	provider, err := launchdarkly.NewProvider("", nil,
		launchdarkly.WithConfig(ld.Config{Offline: true, Logging: ldcomponents.NoLogging()}),
		launchdarkly.WithLogger(nil), launchdarkly.WithErrorHandler(nil), launchdarkly.WithHooks(nil),
		launchdarkly.WithContextKindAttribute(""), launchdarkly.WithInitTimeout(-1))
	if err != nil {
		t.Fatal(err)
	}
	defer provider.Shutdown()
	if err := provider.Init(openfeature.EvaluationContext{}); err != nil {
		t.Error(err)
	}
	if hooks := provider.Hooks(); len(hooks) != 0 {
		t.Errorf("hooks %v", hooks)
	}
	provider.Track(t.Context(), "", openfeature.EvaluationContext{}, openfeature.TrackingEventDetails{})
	got := provider.BooleanEvaluation(t.Context(), "flag", true, nil)
	if code := got.ResolutionDetail().ErrorCode; !got.Value || code != openfeature.TargetingKeyMissingCode {
		t.Errorf("no context at all: %v, %s", got.Value, code)
	}
}

// TestLogHoldsNoValues has a map key that is as personal as a value.
func TestLogHoldsNoValues(t *testing.T) {
	var out bytes.Buffer
	provider, err := launchdarkly.NewProvider("", launchdarkly.WithConfig(ld.Config{
		Offline: true, Logging: ldcomponents.NoLogging(),
	}), launchdarkly.WithLogger(slog.New(slog.NewTextHandler(&out, nil))))
	if err != nil {
		t.Fatal(err)
	}
	defer provider.Shutdown()
	for range 3 {
		provider.BooleanEvaluation(t.Context(), "flag", false, openfeature.FlattenedContext{
			"targetingKey": "u", "spend": map[string]float64{"sandy@example.com": math.NaN()},
		})
	}
	if got := out.String(); strings.Contains(got, "sandy") || strings.Count(got, "attribute=spend") != 1 {
		t.Errorf("log:\n%s", got)
	}
}

func TestErrorsRead(t *testing.T) {
	inner := &launchdarkly.AttributeError{Attribute: "/cart/0", Err: launchdarkly.ErrUnsupportedValue}
	err := &launchdarkly.TrackingError{EventName: "checkout", Err: inner}
	if got := err.Error(); got != `track "checkout": attribute "/cart/0": value has no JSON form` {
		t.Error(got)
	}
	if !errors.Is(err, launchdarkly.ErrUnsupportedValue) {
		t.Error("the cause can't be told")
	}
}
