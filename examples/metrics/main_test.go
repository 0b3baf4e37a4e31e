package main

import (
	"bytes"
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/openfeature-launchdarkly/go-provider/internal/sdkleaks"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, sdkleaks.Ignore()...)
}

// TestOutage compares the program's output.
func TestOutage(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), &out, ""); err != nil {
		t.Fatal(err)
	}
	varying := regexp.MustCompile(`(launchdarkly_events_waiting_age_seconds|launchdarkly_events_retries_total) (\S+)`)
	values := map[string][]float64{}
	for _, match := range varying.FindAllStringSubmatch(out.String(), -1) {
		value, err := strconv.ParseFloat(match[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		values[match[1]] = append(values[match[1]], value)
	}
	if ages := values["launchdarkly_events_waiting_age_seconds"]; len(ages) != 3 || ages[0] != 0 || ages[1] < 1 || ages[2] != 0 {
		t.Errorf("ages: %v", ages)
	}
	if retries := values["launchdarkly_events_retries_total"]; len(retries) != 3 || retries[0] != 0 || retries[1] == 0 {
		t.Errorf("retries: %v", retries)
	}

	got := strings.Split(strings.TrimSpace(varying.ReplaceAllString(out.String(), "$1 …")), "\n")
	section := func(heading string, recorded, delivered, waiting int) []string {
		return []string{
			"== " + heading,
			`launchdarkly_events_delivered_total{launchdarkly_event_group="tracked"} ` + strconv.Itoa(delivered),
			`launchdarkly_events_recorded_total{launchdarkly_event_group="tracked"} ` + strconv.Itoa(recorded),
			"launchdarkly_events_retries_total …",
			`launchdarkly_events_waiting{launchdarkly_event_group="tracked"} ` + strconv.Itoa(waiting),
			"launchdarkly_events_waiting_age_seconds …",
		}
	}
	want := slices.Concat(
		section("1,000 purchases are delivered", 1000, 1000, 0),
		section("The events service fails; 500 purchases wait", 1500, 1000, 500),
		section("The events service recovers: no events are lost", 1500, 1500, 0),
	)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestServing runs the program with -serve for a short time.
func TestServing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var out bytes.Buffer
	if err := run(ctx, &out, "localhost:0"); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "serving http://") {
		t.Errorf("printed %q", &out)
	}
}
