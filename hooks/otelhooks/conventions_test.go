package otelhooks_test

import (
	"testing"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/openfeature-launchdarkly/go-provider/hooks"
)

// The table of package hooks is written by hand; OpenTelemetry generates these constants. Version
// 1.43 of the conventions has the same names for feature flags as version 1.44.
func TestAttributeKeysAreThoseOfOpenTelemetry(t *testing.T) {
	t.Parallel()
	keys := map[attribute.Key]bool{
		semconv.FeatureFlagKeyKey:           true,
		semconv.FeatureFlagProviderNameKey:  true,
		semconv.FeatureFlagResultVariantKey: true,
		semconv.FeatureFlagResultValueKey:   true,
		semconv.FeatureFlagResultReasonKey:  true,
		semconv.FeatureFlagContextIDKey:     true,
		semconv.FeatureFlagSetIDKey:         true,
		semconv.FeatureFlagVersionKey:       true,
		semconv.FeatureFlagErrorMessageKey:  true,
		semconv.ErrorTypeKey:                true,
	}
	foreign := map[attribute.Key]bool{
		"error.message": true, hooks.ReasonKindKey: true, hooks.InExperimentKey: true,
	}
	unseen := len(keys) + len(foreign)
	seen := map[attribute.Key]bool{}
	for _, evaluation := range evaluations() {
		for _, attr := range evaluation.want {
			if !keys[attr.Key] && !foreign[attr.Key] {
				t.Errorf("%s is not an attribute of OpenTelemetry's", attr.Key)
			}
			if !seen[attr.Key] {
				seen[attr.Key] = true
				unseen--
			}
		}
	}
	if unseen != 0 {
		t.Errorf("%d attributes are in no event", unseen)
	}
}
