package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestExported reads what the exporters wrote, as a collector would.
func TestExported(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	sections := strings.Split(out.String(), "== ")
	if len(sections) != 4 {
		t.Fatalf("%d sections, want 3:\n%s", len(sections)-1, out.String())
	}
	spans, records, metrics := decode[span](t, sections[1]), decode[record](t, sections[2]), decode[metrics](t, sections[3])

	evaluations := []map[string]any{
		{
			"feature_flag.key": "new-checkout", "feature_flag.provider.name": "LaunchDarkly",
			"feature_flag.result.variant": "0", "feature_flag.result.reason": "fallthrough",
			"feature_flag.context.id": "user-42", "launchdarkly.reason.kind": "fallthrough",
		},
		{
			"feature_flag.key": "headline", "feature_flag.provider.name": "LaunchDarkly",
			"feature_flag.result.variant": "0", "feature_flag.result.reason": "fallthrough",
			"feature_flag.context.id": "user-42", "launchdarkly.reason.kind": "fallthrough",
		},
		{
			"feature_flag.key": "upload-limit", "feature_flag.provider.name": "LaunchDarkly",
			"feature_flag.result.value": 10.0, "feature_flag.result.reason": "error",
			"feature_flag.context.id": "user-42", "launchdarkly.reason.kind": "error",
			"error.type": "flag_not_found",
		},
	}

	if len(spans) != 1 || spans[0].Name != "GET /checkout" || len(spans[0].Events) != len(evaluations) {
		t.Fatalf("spans: %+v", spans)
	}
	for i, event := range spans[0].Events {
		if event.Name != "feature_flag.evaluation" || !maps.Equal(event.Attributes.plain(), evaluations[i]) {
			t.Errorf("span event %d: %s %v, want %v", i, event.Name, event.Attributes.plain(), evaluations[i])
		}
	}

	if len(records) != len(evaluations) {
		t.Fatalf("records: %+v", records)
	}
	for i, record := range records {
		if record.EventName != "feature_flag.evaluation" || !maps.Equal(record.Attributes.plain(), evaluations[i]) {
			t.Errorf("record %d: %s %v, want %v", i, record.EventName, record.Attributes.plain(), evaluations[i])
		}
		if record.TraceID != spans[0].SpanContext.TraceID || record.SpanID != spans[0].SpanContext.SpanID {
			t.Errorf("record %d does not belong to the span: %+v", i, record)
		}
	}

	if len(metrics) != 1 || len(metrics[0].ScopeMetrics) != 1 || len(metrics[0].ScopeMetrics[0].Metrics) != 1 {
		t.Fatalf("metrics: %+v", metrics)
	}
	counter := metrics[0].ScopeMetrics[0].Metrics[0]
	var counted []string
	for _, point := range counter.Data.DataPoints {
		flag, _ := point.Attributes.plain()["feature_flag.key"].(string)
		counted = append(counted, flag)
		if point.Value != 1 {
			t.Errorf("%s is counted %d times", flag, point.Value)
		}
	}
	slices.Sort(counted)
	if want := []string{"headline", "new-checkout", "upload-limit"}; !slices.Equal(counted, want) {
		t.Errorf("%s counts %v, want %v", counter.Name, counted, want)
	}
}

// The parts of the exporters' JSON that matter here.
type (
	span struct {
		Name        string
		SpanContext struct{ TraceID, SpanID string }
		Events      []struct {
			Name       string
			Attributes attributes
		}
	}
	record struct {
		EventName       string
		TraceID, SpanID string
		Attributes      attributes
	}
	metrics struct {
		ScopeMetrics []struct {
			Metrics []struct {
				Name string
				Data struct {
					DataPoints []struct {
						Attributes attributes
						Value      int
					}
				}
			}
		}
	}
	attributes []struct {
		Key   string
		Value struct{ Value any }
	}
)

// plain leaves out the error message, whose wording is LaunchDarkly's.
func (a attributes) plain() map[string]any {
	plain := map[string]any{}
	for _, attribute := range a {
		if attribute.Key != "error.message" {
			plain[attribute.Key] = attribute.Value.Value
		}
	}
	return plain
}

// decode reads the JSON values that follow a section's heading.
func decode[T any](t *testing.T, section string) []T {
	t.Helper()
	_, body, _ := strings.Cut(section, "\n")
	var all []T
	for decoder := json.NewDecoder(strings.NewReader(body)); decoder.More(); {
		var one T
		if err := decoder.Decode(&one); err != nil {
			t.Fatalf("%v in\n%s", err, body)
		}
		all = append(all, one)
	}
	return all
}
