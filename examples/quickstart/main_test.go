package main

import (
	"bytes"
	"strings"
	"testing"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
)

// TestQuickstart checks the example's output.
func TestQuickstart(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), &out, ""); err != nil {
		t.Fatal(err)
	}
	lines := map[string]bool{}
	for line := range strings.Lines(out.String()) {
		lines[strings.Join(strings.Fields(line), " ")] = true
	}
	for _, want := range []string{
		"Using a launchdarklytest server. Set LAUNCHDARKLY_SDK_KEY to use LaunchDarkly.",
		"Flags for a user",
		"new-checkout true 1 RULE_MATCH",
		"headline Welcome back 1 TARGETING_MATCH",
		"discount 0 0 DISABLED",
		"Flags for an organization",
		"upload-limit 500 1 RULE_MATCH",
		"Flags for a multi-context of both",
		"What LaunchDarkly received",
		`checkout-opened - - user user-42 name="Sandy" plan="gold" email=[private]`,
		`retries 0 - user user-42 name="Sandy" plan="gold" email=[private]`,
		`purchase 99.9 {"cart":[{"quantity":2,"sku":"A-17"}],"currency":"EUR"} user user-42 name="Sandy" plan="gold" email=[private]`,
		`plan-changed - {"from":"silver","to":"gold"} org acme employees=250`,
		`search 3 "running shoes" org acme employees=250 + user user-42 plan="gold"`,
		"5 events tracked, 5 delivered",
	} {
		if !lines[want] {
			t.Errorf("missing: %s", want)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
	if strings.Contains(out.String(), "sandy@example.com") {
		t.Error("a private value was sent")
	}
}

func TestWholeDataIsTheProvidersKey(t *testing.T) {
	if wholeData != launchdarkly.TrackingDataKey {
		t.Errorf("%q is not %q", wholeData, launchdarkly.TrackingDataKey)
	}
}
