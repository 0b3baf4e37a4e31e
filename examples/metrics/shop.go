package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/open-feature/go-sdk/openfeature"
)

// shop is an application. It does not depend on LaunchDarkly or metrics.
type shop struct{ client *openfeature.Client }

// sell simulates n customers who use the checkout and pay.
func (s shop) sell(ctx context.Context, n int) {
	for i := range n {
		customer := openfeature.NewEvaluationContext("customer-"+strconv.Itoa(i), nil)
		s.client.Boolean(ctx, "new-checkout", false, customer)
		s.client.Track(ctx, "purchase", customer, openfeature.NewTrackingEventDetails(49.90))
	}
}

// show prints the main metrics of tracked events.
func show(ctx context.Context, out io.Writer, heading, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	fmt.Fprintln(out, "== "+heading)
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		name, _, _ := strings.Cut(lines.Text(), " ")
		if slices.Contains([]string{
			`launchdarkly_events_recorded_total{launchdarkly_event_group="tracked"}`,
			`launchdarkly_events_delivered_total{launchdarkly_event_group="tracked"}`,
			`launchdarkly_events_retries_total`,
			`launchdarkly_events_waiting{launchdarkly_event_group="tracked"}`,
			`launchdarkly_events_waiting_age_seconds`,
		}, name) {
			fmt.Fprintln(out, lines.Text())
		}
	}
	return nil
}
