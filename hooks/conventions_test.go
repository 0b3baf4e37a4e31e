package hooks_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"

	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/telemetry"

	"github.com/openfeature-launchdarkly/go-provider/hooks"
)

// conventions is the event feature_flag.evaluation of OpenTelemetry's semantic conventions 1.44, as
// written down from model/feature-flags: each attribute's type, and its well-known values if it has
// any. Attributes that are not in the model are marked as such.
var conventions = map[string]struct {
	kind      slog.Kind // slog.KindAny: any type
	wellKnown []string
	foreign   string // where an attribute that is not in the model comes from
}{
	"feature_flag.key":            {kind: slog.KindString},
	"feature_flag.provider.name":  {kind: slog.KindString},
	"feature_flag.result.variant": {kind: slog.KindString},
	"feature_flag.result.value":   {kind: slog.KindAny},
	"feature_flag.result.reason": {kind: slog.KindString, wellKnown: []string{
		"static", "default", "targeting_match", "split", "cached", "disabled", "unknown", "stale", "error",
	}},
	"feature_flag.context.id": {kind: slog.KindString},
	"feature_flag.set.id":     {kind: slog.KindString},
	"feature_flag.version":    {kind: slog.KindString},
	"error.type": {kind: slog.KindString, wellKnown: []string{
		"flag_not_found", "invalid_context", "parse_error", "provider_fatal", "provider_not_ready",
		"targeting_key_missing", "type_mismatch", "general",
	}},
	"feature_flag.error.message": {kind: slog.KindString},

	"error.message":            {kind: slog.KindString, foreign: "OpenFeature's Appendix D"},
	"launchdarkly.reason.kind": {kind: slog.KindString, foreign: "LaunchDarkly's flag metadata"},
	"feature_flag.result.reason.inExperiment": {kind: slog.KindBool,
		foreign: "LaunchDarkly's own OpenTelemetry hooks"},
}

// resolved returns the event of an evaluation that the provider resolves to details.
func resolved(t *testing.T, value any, detail openfeature.ProviderResolutionDetail, opts ...hooks.Option) hooks.Event {
	t.Helper()
	var sink recorder
	client := newClient(t, resolving(value, detail), hooks.NewEvaluationHook(&sink, opts...))
	client.Object(context.Background(), "flag", nil, user("anna"))
	return sink.only(t)
}

func TestEventsFollowTheConventions(t *testing.T) {
	t.Parallel()
	everything := openfeature.FlagMetadata{
		"contextId": "org:acme", "flagSetId": "set", "version": 7, "reasonKind": "RULE_MATCH", "inExperiment": true,
	}
	seen := map[string]bool{}
	for name, event := range map[string]hooks.Event{
		"success": resolved(t, true, openfeature.ProviderResolutionDetail{
			Reason: "RULE_MATCH", Variant: "1", FlagMetadata: everything,
		}, hooks.WithValues()),
		"failure": resolved(t, nil, openfeature.ProviderResolutionDetail{
			ResolutionError: openfeature.NewTypeMismatchResolutionError("not an object"), FlagMetadata: everything,
		}),
		"object": resolved(t, map[string]any{"a": 1}, openfeature.ProviderResolutionDetail{}),
	} {
		for _, attr := range event.Attributes {
			want, ok := conventions[attr.Key]
			switch {
			case !ok:
				t.Errorf("%s: %s is not in the table", name, attr.Key)
			case want.kind != slog.KindAny && attr.Value.Kind() != want.kind:
				t.Errorf("%s: %s is of kind %v, want %v", name, attr.Key, attr.Value.Kind(), want.kind)
			}
			if seen[name+attr.Key] {
				t.Errorf("%s: %s occurs twice", name, attr.Key)
			}
			seen[name+attr.Key], seen[attr.Key] = true, true
		}
	}
	for key := range conventions {
		if !seen[key] {
			t.Errorf("no event has %s", key)
		}
	}
}

func TestReasonsHaveWellKnownValues(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		reason       openfeature.Reason
		inExperiment bool
		want         string
	}{
		{openfeature.StaticReason, false, "static"},
		{openfeature.DefaultReason, false, "default"},
		{openfeature.TargetingMatchReason, false, "targeting_match"},
		{openfeature.SplitReason, false, "split"},
		{openfeature.CachedReason, false, "cached"},
		{openfeature.DisabledReason, false, "disabled"},
		{openfeature.UnknownReason, false, "unknown"},
		{"STALE", false, "stale"},
		{openfeature.ErrorReason, false, "error"},
		{"", false, "unknown"},
		// LaunchDarkly's
		{"OFF", false, "disabled"},
		{"FALLTHROUGH", false, "default"},
		{"FALLTHROUGH", true, "split"},
		{"TARGET_MATCH", false, "targeting_match"},
		{"RULE_MATCH", false, "targeting_match"},
		{"RULE_MATCH", true, "split"},
		{"PREREQUISITE_FAILED", false, "default"},
		// GO Feature Flag's
		{"TARGETING_MATCH_SPLIT", false, "split"},
		// Other spellings
		{"targeting-match", false, "targeting_match"},
		{"Split", false, "split"},
	} {
		event := resolved(t, true, openfeature.ProviderResolutionDetail{
			Reason: tt.reason, FlagMetadata: openfeature.FlagMetadata{"inExperiment": tt.inExperiment},
		})
		got, _ := event.Attribute("feature_flag.result.reason")
		if got.String() != tt.want {
			t.Errorf("%s, in experiment: %v: got %s, want %s", tt.reason, tt.inExperiment, got, tt.want)
		}
		if !slices.Contains(conventions["feature_flag.result.reason"].wellKnown, got.String()) {
			t.Errorf("%s is not a well-known reason", got)
		}
	}
	event := resolved(t, true, openfeature.ProviderResolutionDetail{Reason: "Holdout Group"})
	if got, _ := event.Attribute("feature_flag.result.reason"); got.String() != "holdout_group" {
		t.Errorf("a reason that no well-known value fits: got %s", got)
	}
}

func TestErrorTypesAreWellKnown(t *testing.T) {
	t.Parallel()
	got := map[string]bool{}
	for _, failure := range []openfeature.ResolutionError{
		openfeature.NewProviderNotReadyResolutionError("x"),
		openfeature.NewProviderFatalResolutionError("x"),
		openfeature.NewFlagNotFoundResolutionError("x"),
		openfeature.NewParseErrorResolutionError("x"),
		openfeature.NewTypeMismatchResolutionError("x"),
		openfeature.NewTargetingKeyMissingResolutionError("x"),
		openfeature.NewInvalidContextResolutionError("x"),
		openfeature.NewGeneralResolutionError("x"),
	} {
		event := resolved(t, "x", openfeature.ProviderResolutionDetail{ResolutionError: failure})
		errorType, _ := event.Attribute("error.type")
		got[errorType.String()] = true
	}
	for _, want := range conventions["error.type"].wellKnown {
		if !got[want] {
			t.Errorf("no error is %s", want)
		}
		delete(got, want)
	}
	if len(got) > 0 {
		t.Errorf("not well-known: %v", got)
	}
}

// OpenFeature's package telemetry has the keys that users exclude attributes by.
func TestKeysAreOpenFeatures(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		telemetry.FlagKey, telemetry.ErrorTypeKey, telemetry.ResultValueKey, telemetry.ResultVariantKey,
		telemetry.ErrorMessageKey, telemetry.ContextIDKey, telemetry.ProviderNameKey, telemetry.ResultReasonKey,
		telemetry.FlagSetIDKey, telemetry.VersionKey,
	} {
		if _, ok := conventions[key]; !ok {
			t.Errorf("%s is not in the table", key)
		}
	}
}
