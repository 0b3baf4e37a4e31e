package launchdarkly_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/internal/fuzzvalue"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// FuzzProvider evaluates and tracks with whatever the fuzzer makes up. Nothing may panic, the
// defaults come back, and the good events around the fuzzer's must arrive in payloads that
// LaunchDarkly can read.
func FuzzProvider(f *testing.F) {
	for i := range 24 {
		f.Add("event", 1.5, []byte{2, byte(i), 1, byte(i), byte(i + 1), 3, byte(4 * i), 2, 1, byte(i), 8, 9, 10, 11, 12, 13, 14})
	}
	f.Add("\xff", 0.0, []byte("\x05\x01a\x00\x04\xff\xf0\x00\x00\x00\x00\x00\x00"))

	box := launchdarklytest.NewServer()
	f.Cleanup(box.Close)
	// A flag whose evaluations are sent one by one, with their defaults.
	box.SetFlags(ldbuilders.NewFlagBuilder("flag").On(false).OffVariation(0).Variations(ldvalue.Bool(true)).
		TrackEvents(true).Build())
	config := box.Config()
	config.Events = ldcomponents.SendEvents().FlushInterval(time.Hour)
	provider, err := launchdarkly.NewProvider(box.SDKKey(), launchdarkly.WithConfig(config),
		launchdarkly.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(provider.Shutdown)
	if err := provider.Init(openfeature.EvaluationContext{}); err != nil {
		f.Fatal(err)
	}
	good := openfeature.NewEvaluationContext("good", nil)

	f.Fuzz(func(t *testing.T, name string, metric float64, data []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		box.ClearEvents()
		g := fuzzvalue.New(data)
		attributes := g.Attributes()
		details := openfeature.NewTrackingEventDetails(metric)
		for key, value := range g.Attributes() {
			details.Add(key, value)
		}
		defaultValue := g.Value()

		provider.Track(ctx, "before", good, openfeature.NewTrackingEventDetails(1))
		provider.Track(ctx, name, openfeature.NewEvaluationContext(g.Text(), attributes), details)
		provider.BooleanEvaluation(ctx, "flag", false, attributes)
		provider.ObjectEvaluation(ctx, "flag", defaultValue, attributes)
		if got := provider.FloatEvaluation(ctx, "flag", metric, attributes); got.Value != metric && metric == metric {
			t.Errorf("default %v became %v", metric, got.Value)
		}
		if got := provider.StringEvaluation(ctx, name, name, attributes); got.Value != name {
			t.Errorf("default %q became %q", name, got.Value)
		}
		provider.Track(ctx, "after", good, openfeature.NewTrackingEventDetails(2))

		if err := provider.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		for _, request := range box.Requests() {
			if request.Status != http.StatusAccepted {
				t.Fatalf("LaunchDarkly answered %d: %s", request.Status, request.Problem)
			}
		}
		for _, event := range box.Events() {
			if !json.Valid(event.Raw) {
				t.Errorf("invalid: %s", event.Raw)
			}
		}
		for _, name := range []string{"before", "after"} {
			if len(box.CustomEvents(name)) == 0 {
				t.Errorf("the good event %q is lost", name)
			}
		}
	})
}
