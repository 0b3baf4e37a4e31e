package launchdarkly

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/open-feature/go-sdk/openfeature"
)

// TestEventOf has a row for each line of the table in the package documentation.
func TestEventOf(t *testing.T) {
	number := func(f float64) *float64 { return &f }
	var zero openfeature.TrackingEventDetails
	for name, test := range map[string]struct {
		details  openfeature.TrackingEventDetails
		metric   *float64
		data     string // JSON; "" for none
		problems []error
		about    []string // the attributes that the problems are about
	}{
		"nothing":                    {details: zero},
		"a copy of nothing, with 0":  {details: zero.Copy(0), metric: number(0)},
		"a number":                   {details: openfeature.NewTrackingEventDetails(52.3), metric: number(52.3)},
		"0":                          {details: openfeature.NewTrackingEventDetails(0), metric: number(0)},
		"a negative number":          {details: openfeature.NewTrackingEventDetails(-1), metric: number(-1)},
		"a number and data":          {details: openfeature.NewTrackingEventDetails(10).Add("a", 1), metric: number(10), data: `{"a":1}`},
		"0 and data":                 {details: openfeature.NewTrackingEventDetails(0).Add("a", nil), metric: number(0), data: `{"a":null}`},
		"NaN":                        {details: openfeature.NewTrackingEventDetails(math.NaN())},
		"NaN and data":               {details: openfeature.NewTrackingEventDetails(math.NaN()).Add("a", true), data: `{"a":true}`},
		"infinity":                   {details: openfeature.NewTrackingEventDetails(math.Inf(1)), problems: []error{ErrMetricNotFinite}},
		"negative infinity and data": {details: openfeature.NewTrackingEventDetails(math.Inf(-1)).Add("a", 1), data: `{"a":1}`, problems: []error{ErrMetricNotFinite}},
		"whole data":                 {details: openfeature.NewTrackingEventDetails(math.NaN()).Add(TrackingDataKey, 42), data: `42`},
		"whole data with a metric":   {details: openfeature.NewTrackingEventDetails(52.3).Add(TrackingDataKey, "my value"), metric: number(52.3), data: `"my value"`},
		"whole data false":           {details: openfeature.NewTrackingEventDetails(math.NaN()).Add(TrackingDataKey, false), data: `false`},
		"whole data empty":           {details: openfeature.NewTrackingEventDetails(math.NaN()).Add(TrackingDataKey, ""), data: `""`},
		"whole data array":           {details: openfeature.NewTrackingEventDetails(math.NaN()).Add(TrackingDataKey, []int{1}), data: `[1]`},
		"whole data null":            {details: openfeature.NewTrackingEventDetails(math.NaN()).Add(TrackingDataKey, nil)},
		"whole data and more": {details: openfeature.NewTrackingEventDetails(1).Add(TrackingDataKey, 42).Add("a", 1), metric: number(1), data: `42`,
			problems: []error{ErrAttributeIgnored}, about: []string{"a"}},
		"whole data of no JSON": {details: openfeature.NewTrackingEventDetails(1).Add(TrackingDataKey, func() {}), metric: number(1),
			problems: []error{ErrUnsupportedValue}, about: []string{TrackingDataKey}},
		"attributes of no JSON": {details: openfeature.NewTrackingEventDetails(1).Add("good", 1).Add("bad", math.NaN()), metric: number(1), data: `{"good":1}`,
			problems: []error{ErrUnsupportedValue}, about: []string{"bad"}},
		"parts of no JSON": {details: openfeature.NewTrackingEventDetails(1).Add("cart", []any{map[string]any{"price": math.Inf(1)}}), metric: number(1),
			data: `{"cart":[{}]}`, problems: []error{ErrUnsupportedValue}, about: []string{"/cart/0/price"}},
	} {
		t.Run(name, func(t *testing.T) {
			event, problems := eventOf(test.details)
			if event.hasMetric != (test.metric != nil) || test.metric != nil && event.metric != *test.metric {
				t.Errorf("metric %v (%v), want %v", event.metric, event.hasMetric, test.metric)
			}
			want := ldvalue.Null()
			if test.data != "" {
				want = ldvalue.Parse([]byte(test.data))
			}
			if !event.data.Equal(want) {
				t.Errorf("data %s, want %s", event.data, want)
			}
			if len(problems) != len(test.problems) {
				t.Fatalf("problems %v, want %v", problems, test.problems)
			}
			var about []string
			for i, problem := range problems {
				if !errors.Is(problem, test.problems[i]) {
					t.Errorf("problem %v, want %v", problem, test.problems[i])
				}
				if attribute, ok := errors.AsType[*AttributeError](problem); ok {
					about = append(about, attribute.Attribute)
				}
			}
			if !slices.Equal(about, test.about) {
				t.Errorf("problems about %q, want %q", about, test.about)
			}
		})
	}
}
