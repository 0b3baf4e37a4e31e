package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// testServer replaces LaunchDarkly and serves the flags of the application.
type testServer struct{ *launchdarklytest.Server }

func startTestServer() testServer {
	server := launchdarklytest.NewServer()
	server.SetFlags(
		// On for users of the gold plan.
		flag("new-checkout", ldvalue.Bool(false), ldvalue.Bool(true)).
			AddRule(ldbuilders.NewRuleBuilder().ID("gold").Variation(1).
				Clauses(ldbuilders.ClauseWithKind("user", "plan", ldmodel.OperatorIn, ldvalue.String("gold")))).
			Build(),
		// One user gets another value.
		flag("headline", ldvalue.String("Welcome"), ldvalue.String("Welcome back")).
			AddTarget(1, "user-42").
			Build(),
		// Larger organizations have a higher limit.
		flag("upload-limit", ldvalue.Int(10), ldvalue.Int(500)).
			AddRule(ldbuilders.NewRuleBuilder().ID("large").Variation(1).
				Clauses(ldbuilders.ClauseWithKind("org", "employees", ldmodel.OperatorGreaterThan, ldvalue.Int(100)))).
			Build(),
		// Turned off.
		flag("discount", ldvalue.Float64(0), ldvalue.Float64(12.5)).On(false).OffVariation(0).Build(),
		// The same for all contexts.
		flag("theme", ldvalue.Parse([]byte(`{"color": "teal", "rounded": true}`))).Build(),
	)
	return testServer{server}
}

// flag returns a builder for a flag that serves its first variation by default.
func flag(key string, variations ...ldvalue.Value) *ldbuilders.FlagBuilder {
	return ldbuilders.NewFlagBuilder(key).On(true).Variations(variations...).FallthroughVariation(0)
}

// show prints the tracked events as received by LaunchDarkly.
func (s testServer) show(out io.Writer) {
	fmt.Fprintln(out, "\nWhat LaunchDarkly received")
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "  EVENT\tMETRIC\tDATA\tCONTEXT")
	for _, event := range s.CustomEvents() {
		metric := "-"
		if event.MetricValue != nil {
			metric = fmt.Sprint(*event.MetricValue)
		}
		data := "-"
		if event.HasData {
			data = sorted(event.Data)
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", event.Key, metric, data, describe(event.Context))
	}
	_ = table.Flush()
}

// describe formats a context, or the parts of a multi-context, on one line.
func describe(context ldvalue.Value) string {
	kind := context.GetByKey("kind").StringValue()
	if kind != "multi" {
		return describeOne(kind, context)
	}
	var parts []string
	for _, kind := range names(context) {
		if kind != "kind" {
			parts = append(parts, describeOne(kind, context.GetByKey(kind)))
		}
	}
	return strings.Join(parts, " + ")
}

func describeOne(kind string, context ldvalue.Value) string {
	fields := []string{kind, context.GetByKey("key").StringValue()}
	for _, name := range names(context) {
		switch name {
		case "kind", "key", "_meta":
		default:
			fields = append(fields, name+"="+sorted(context.GetByKey(name)))
		}
	}
	private := context.GetByKey("_meta").GetByKey("redactedAttributes")
	for i := range private.Count() {
		fields = append(fields, private.GetByIndex(i).StringValue()+"=[private]")
	}
	return strings.Join(fields, " ")
}

// sorted returns JSON with sorted keys.
func sorted(v ldvalue.Value) string {
	text, err := json.Marshal(v.AsArbitraryValue())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// names returns the sorted member names of an object.
func names(object ldvalue.Value) []string {
	return slices.Sorted(slices.Values(object.Keys(nil)))
}
