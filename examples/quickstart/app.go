package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"github.com/open-feature/go-sdk/openfeature"
)

// Evaluation contexts, for evaluations and tracking.
var (
	// A user, with a stable targeting key. Flags can target the email address, but it is private
	// and never sent to LaunchDarkly.
	user = openfeature.NewEvaluationContext("user-42", map[string]any{
		"name":              "Sandy",
		"plan":              "gold",
		"email":             "sandy@example.com",
		"privateAttributes": []string{"email"},
	})

	// An organization, a context of another kind.
	organization = openfeature.NewEvaluationContext("acme", map[string]any{
		"kind":      "org",
		"employees": 250,
	})

	// A multi-context, so that flags can target both.
	both = openfeature.NewTargetlessEvaluationContext(map[string]any{
		"kind": "multi",
		"user": map[string]any{"targetingKey": "user-42", "plan": "gold"},
		"org":  map[string]any{"targetingKey": "acme", "employees": 250},
	})
)

// wholeData is the attribute whose value becomes the complete data of an event, for data that is
// not an object.
const wholeData = "launchdarkly.data"

// evaluate evaluates a flag of each type.
func evaluate(ctx context.Context, out io.Writer, client *openfeature.Client) {
	for _, who := range []struct {
		name    string
		context openfeature.EvaluationContext
	}{
		{"a user", user}, {"an organization", organization}, {"a multi-context of both", both},
	} {
		fmt.Fprintf(out, "\nFlags for %s\n", who.name)
		table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
		fmt.Fprintln(table, "  FLAG\tVALUE\tVARIANT\tREASON")

		enabled, _ := client.BooleanValueDetails(ctx, "new-checkout", false, who.context)
		printRow(table, enabled.Value, enabled.EvaluationDetails)

		headline, _ := client.StringValueDetails(ctx, "headline", "Welcome", who.context)
		printRow(table, headline.Value, headline.EvaluationDetails)

		limit, _ := client.IntValueDetails(ctx, "upload-limit", 10, who.context)
		printRow(table, limit.Value, limit.EvaluationDetails)

		discount, _ := client.FloatValueDetails(ctx, "discount", 0, who.context)
		printRow(table, discount.Value, discount.EvaluationDetails)

		theme, _ := client.ObjectValueDetails(ctx, "theme", nil, who.context)
		printRow(table, theme.Value, theme.EvaluationDetails)

		_ = table.Flush()
	}
}

func printRow(w io.Writer, value any, details openfeature.EvaluationDetails) {
	reason := string(details.Reason)
	if details.ErrorCode != "" {
		reason += ": " + string(details.ErrorCode)
	}
	variant := details.Variant
	if variant == "" {
		variant = "-"
	}
	fmt.Fprintf(w, "  %s\t%v\t%s\t%s\n", details.FlagKey, value, variant, reason)
}

// track tracks events of all forms.
func track(ctx context.Context, client *openfeature.Client) {
	// An event without a value or data.
	client.Track(ctx, "checkout-opened", user, openfeature.TrackingEventDetails{})

	// A number, which is the metric value of the event. 0 is a value.
	client.Track(ctx, "retries", user, openfeature.NewTrackingEventDetails(0))

	// Revenue with data.
	client.Track(ctx, "purchase", user, openfeature.NewTrackingEventDetails(99.90).
		Add("currency", "EUR").
		Add("cart", []map[string]any{{"sku": "A-17", "quantity": 2}}))

	// Data without a metric value, which NaN omits.
	client.Track(ctx, "plan-changed", organization, openfeature.NewTrackingEventDetails(math.NaN()).
		Add("from", "silver").
		Add("to", "gold"))

	// Data that is not an object.
	client.Track(ctx, "search", both, openfeature.NewTrackingEventDetails(3).Add(wholeData, "running shoes"))
}
