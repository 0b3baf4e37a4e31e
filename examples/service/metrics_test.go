package main

import (
	"net/http"
	"strings"
	"testing"
)

func TestMetricsCountEvaluationsAndDelivery(t *testing.T) {
	t.Parallel()
	testServer := newTestServer(t)
	testServer.SetValue("free-shipping-from", 30)
	s := start(t, testServer)
	s.order(user{id: "sandy"}, "mug", 1)
	s.order(user{id: "alex"}, "mug", 1)
	s.flush()
	status, body := s.request(user{}, http.MethodGet, "/metrics", "")
	for _, want := range []string{
		`feature_flag_evaluation_total{feature_flag_key="free-shipping-from",feature_flag_provider_name="LaunchDarkly",` +
			`feature_flag_result_reason="default",feature_flag_result_variant="0"} 2`,
		`launchdarkly_events_recorded_total{launchdarkly_event_group="tracked"} 2`,
		`launchdarkly_events_delivered_total{launchdarkly_event_group="tracked"} 2`,
		`launchdarkly_events_waiting_age_seconds 0`,
	} {
		if !strings.Contains(string(body), want+"\n") {
			t.Errorf("%d, without %s in\n%s", status, want, body)
		}
	}
}
