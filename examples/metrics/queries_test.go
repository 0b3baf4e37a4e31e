package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/VictoriaMetrics/metricsql"
	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"
	"go.yaml.in/yaml/v3"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// series is the labels of each exported metric.
type series map[string][]string

// exported returns the metrics of a service that has evaluated two flags, one of which does not
// exist.
func exported(t *testing.T) series {
	t.Helper()
	testServer := launchdarklytest.NewServer()
	defer testServer.Close()
	testServer.SetValue("new-checkout", true)
	metrics, err := newMetrics()
	if err != nil {
		t.Fatal(err)
	}
	provider, err := launchdarkly.NewProvider(testServer.SDKKey(),
		launchdarkly.WithConfig(testServer.Config()), launchdarkly.WithHooks(metrics.evaluations))
	if err != nil {
		t.Fatal(err)
	}
	if err := metrics.export(provider); err != nil {
		t.Fatal(err)
	}
	api := isolated.NewAPI()
	if err := api.SetProviderAndWait(t.Context(), provider); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = api.Shutdown(t.Context()) }()
	anna := openfeature.NewEvaluationContext("anna", nil)
	for _, flag := range []string{"new-checkout", "no-such-flag"} {
		api.NewClient().Boolean(t.Context(), flag, false, anna)
	}

	response := httptest.NewRecorder()
	metrics.handler.ServeHTTP(response, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	sample := regexp.MustCompile(`(?m)^(\w+)(?:\{(.*)\})? \S+$`)
	label := regexp.MustCompile(`(\w+)="`)
	all := series{}
	for _, match := range sample.FindAllStringSubmatch(response.Body.String(), -1) {
		labels := all[match[1]]
		for _, l := range label.FindAllStringSubmatch(match[2], -1) {
			labels = append(labels, l[1])
		}
		all[match[1]] = append(labels, "job", "instance") // added by Prometheus
	}
	return all
}

// check parses a query and reports metrics and labels that are not exported.
func (s series) check(t *testing.T, where, query string) (metrics []string) {
	t.Helper()
	parsed, err := metricsql.Parse(query)
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return nil
	}
	var labels []string // of any metric in the query
	metricsql.VisitAll(parsed, func(e metricsql.Expr) {
		if selector, ok := e.(*metricsql.MetricExpr); ok {
			for _, filters := range selector.LabelFilterss {
				name := filters[0].Value
				if filters[0].Label != "__name__" || s[name] == nil {
					t.Errorf("%s: metric %s is not exported", where, name)
					return
				}
				metrics = append(metrics, name)
				labels = append(labels, s[name]...)
				for _, filter := range filters[1:] {
					if !slices.Contains(s[name], filter.Label) {
						t.Errorf("%s: metric %s has no label %s", where, name, filter.Label)
					}
				}
			}
		}
	})
	grouping := func(names []string) {
		for _, name := range names {
			if !slices.Contains(labels, name) {
				t.Errorf("%s: no metric has the label %s", where, name)
			}
		}
	}
	metricsql.VisitAll(parsed, func(e metricsql.Expr) {
		switch e := e.(type) {
		case *metricsql.AggrFuncExpr:
			grouping(e.Modifier.Args)
		case *metricsql.BinaryOpExpr:
			grouping(e.GroupModifier.Args)
		}
	})
	if len(metrics) == 0 {
		t.Errorf("%s: no metric in %s", where, query)
	}
	return metrics
}

func TestAlertRules(t *testing.T) {
	t.Parallel()
	file, err := os.Open("../../docs/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	if err := decoder.Decode(&rules); err != nil {
		t.Fatal(err)
	}

	metrics := exported(t)
	names := map[string]bool{}
	used := map[string]bool{}
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			if rule.Alert == "" || names[rule.Alert] {
				t.Errorf("the name %q is missing or not unique", rule.Alert)
			}
			names[rule.Alert] = true
			for _, metric := range metrics.check(t, rule.Alert, rule.Expr) {
				used[metric] = true
			}
			if !slices.Contains([]string{"critical", "warning", "info"}, rule.Labels["severity"]) {
				t.Errorf("%s has the severity %q", rule.Alert, rule.Labels["severity"])
			}
			for _, annotation := range []string{"summary", "description"} {
				text := rule.Annotations[annotation]
				_, err := template.New("").Funcs(template.FuncMap{"humanize": identity, "humanizeDuration": identity}).
					Parse("{{ $value := 0.0 }}{{ $labels := .Labels }}" + text)
				if text == "" || err != nil {
					t.Errorf("%s has the %s %q: %v", rule.Alert, annotation, text, err)
				}
			}
		}
	}
	if !used["launchdarkly_events_waiting_age_seconds"] || !used["launchdarkly_events_dropped_total"] {
		t.Errorf("no alert for the age of the oldest event or for dropped events: %v", used)
	}
}

func identity(v any) any { return v }

func TestDashboard(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Title  string
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ RefID, Expr, LegendFormat string }
		}
		Templating struct {
			List []struct {
				Name  string
				Query json.RawMessage
			}
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	if dashboard.Title == "" || len(dashboard.Panels) == 0 {
		t.Fatal("the dashboard is empty")
	}

	variables := []string{"__all", "__range", "__rate_interval"} // defined by Grafana
	for _, variable := range dashboard.Templating.List {
		variables = append(variables, variable.Name)
	}
	variable := regexp.MustCompile(`\$\{?(\w+)\}?`)
	for _, match := range variable.FindAllStringSubmatch(string(text), -1) {
		if !slices.Contains(variables, match[1]) {
			t.Errorf("variable %s is not defined", match[1])
		}
	}

	metrics := exported(t)
	shown := map[string]bool{}
	ids := map[int]bool{}
	for _, panel := range dashboard.Panels {
		if panel.Title == "" || ids[panel.ID] || panel.GridPos.W == 0 || panel.GridPos.X+panel.GridPos.W > 24 {
			t.Errorf("panel %d %q has no title, no place or no ID of its own", panel.ID, panel.Title)
		}
		ids[panel.ID] = true
		for _, target := range panel.Targets {
			query := strings.NewReplacer("$__range", "1h", "$__rate_interval", "1m").Replace(target.Expr)
			for _, metric := range metrics.check(t, panel.Title, query) {
				shown[metric] = true
			}
			labels := regexp.MustCompile(`\{\{(\w+)\}\}`)
			for _, label := range labels.FindAllStringSubmatch(target.LegendFormat, -1) {
				if !strings.Contains(target.Expr, label[1]) {
					t.Errorf("%s: the legend has the label %s, the query does not", panel.Title, label[1])
				}
			}
		}
	}
	for metric := range metrics {
		left := []string{"target_info", "launchdarkly_events_handed_over_total", "launchdarkly_events_sampled_out_total"}
		if !shown[metric] && !slices.Contains(left, metric) {
			t.Errorf("no panel shows %s", metric)
		}
	}
}

// TestDocumentedMetrics checks that the metrics named in the documents exist.
func TestDocumentedMetrics(t *testing.T) {
	t.Parallel()
	metrics := exported(t)
	name := regexp.MustCompile(`\b(?:launchdarkly_events|feature_flag_evaluation)_\w+`)
	found := 0
	for _, path := range []string{"../../docs/operations.md", "../../README.md"} {
		document, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, metric := range name.FindAllString(string(document), -1) {
			found++
			if metrics[metric] == nil {
				t.Errorf("%s: metric %s is not exported", path, metric)
			}
		}
	}
	if found == 0 {
		t.Error("no document names a metric")
	}
}
