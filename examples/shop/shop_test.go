package main

import (
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestImports checks that only wiring.go imports LaunchDarkly's packages, and that the application
// imports OpenFeature.
func TestImports(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	openFeature, launchDarkly := 0, 0
	for _, file := range files {
		name := file.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range parsed.Imports {
			switch path := strings.ToLower(spec.Path.Value); {
			case strings.Contains(path, "launchdarkly"):
				launchDarkly++
				if name != "wiring.go" {
					t.Errorf("%s imports %s", name, path)
				}
			case strings.Contains(path, "github.com/open-feature/go-sdk/openfeature"):
				openFeature++
			case strings.Contains(path, "."):
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
	if openFeature == 0 || launchDarkly == 0 {
		t.Error("expected imports not found")
	}
}

// httpVisitor is a visitor with a cookie jar and without a browser. It follows redirects.
type httpVisitor struct {
	t      *testing.T
	url    string
	client *http.Client
}

func newHTTPVisitor(t *testing.T, shop string) *httpVisitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &httpVisitor{t: t, url: shop, client: &http.Client{Jar: jar, Transport: transport, Timeout: patient}}
}

func (v *httpVisitor) get(path string) (*http.Response, string) {
	v.t.Helper()
	return v.do(http.MethodGet, path, nil)
}

// post sends a form of names and values.
func (v *httpVisitor) post(path string, form ...string) (*http.Response, string) {
	v.t.Helper()
	values := url.Values{}
	for i := 0; i < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	return v.do(http.MethodPost, path, values)
}

func (v *httpVisitor) do(method, path string, form url.Values, headers ...string) (*http.Response, string) {
	v.t.Helper()
	request, err := http.NewRequestWithContext(v.t.Context(), method, v.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := v.client.Do(request)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return response, string(body)
}

// id is the visitor's cookie.
func (v *httpVisitor) id() string {
	address, _ := url.Parse(v.url)
	for _, c := range v.client.Jar.Cookies(address) {
		if c.Name == visitorCookie {
			return c.Value
		}
	}
	return ""
}

func TestPurchase(t *testing.T) {
	shop := startShop(t, settings{})
	v := newHTTPVisitor(t, shop.url)

	if _, body := v.get("/"); !strings.Contains(body, "Morning mug") || !strings.Contains(body, "€24.00") {
		t.Error("the shop does not show its products")
	}
	id := v.id()
	v.post("/cart", "product", "mug", "change", "1")
	if _, body := v.post("/cart", "product", "bowl", "change", "2"); !strings.Contains(body, "€88.00") {
		t.Error("the cart does not show its total")
	}
	_, first := v.get("/checkout")
	_, second := v.get("/checkout")
	if first != second {
		t.Error("a visitor sees different checkouts")
	}
	response, body := v.post("/checkout")
	if response.Request.URL.Path != "/thanks" || !strings.Contains(body, "€88.00") {
		t.Errorf("%s shows\n%s", response.Request.URL.Path, body)
	}
	if response, _ := v.post("/checkout"); response.Request.URL.Path != "/cart" {
		t.Error("the same cart can be bought twice")
	}
	if err := shop.behind.provider.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}

	tracked := shop.behind.testServer.CustomEvents()
	if len(tracked) != 2 {
		t.Fatalf("received %v", tracked)
	}
	exposure, checkout := translate(tracked[0]), translate(tracked[1])
	isNew, ok := exposure.exposure()
	if !ok || exposure.Visitor != id || exposure.HasValue || isNew != strings.Contains(first, `data-checkout="new"`) {
		t.Errorf("the exposure of visitor %s is %+v", id, exposure)
	}
	revenue, ok := checkout.purchase()
	if !ok || checkout.Visitor != id || revenue != 88_00 || checkout.Data["currency"] != "EUR" ||
		purchased(checkout.Data) != "1 × mug, 2 × bowl" {
		t.Errorf("the checkout of visitor %s is %+v", id, checkout)
	}
}

// TestBothCheckouts opens the checkout as many visitors, who must see both pages.
func TestBothCheckouts(t *testing.T) {
	shop := startShop(t, settings{})
	v := newHTTPVisitor(t, shop.url)
	seen := map[string]int{}
	for range 64 {
		v.post("/cart", "product", "mug", "change", "1")
		_, body := v.get("/checkout")
		_, rest, _ := strings.Cut(body, `data-checkout="`)
		name, _, _ := strings.Cut(rest, `"`)
		seen[name]++
		v.post("/visitor")
	}
	if seen["classic"] == 0 || seen["new"] == 0 || seen["classic"]+seen["new"] != 64 {
		t.Errorf("64 visitors saw %v", seen)
	}
}

func TestRejectsInvalidRequests(t *testing.T) {
	shop := startShop(t, settings{})
	for name, test := range map[string]struct {
		method, path string
		form         url.Values
		headers      []string
		status       int
	}{
		"an unknown page":             {method: http.MethodGet, path: "/nowhere", status: http.StatusNotFound},
		"a directory of files":        {method: http.MethodGet, path: "/static/../live.html", status: http.StatusNotFound},
		"the list of files":           {method: http.MethodGet, path: "/static/", status: http.StatusNotFound},
		"the same by another name":    {method: http.MethodGet, path: "/static/%2e", status: http.StatusNotFound},
		"a method":                    {method: http.MethodDelete, path: "/cart", status: http.StatusMethodNotAllowed},
		"a switch by GET":             {method: http.MethodGet, path: "/live/service", status: http.StatusNotFound},
		"a simulation by GET":         {method: http.MethodGet, path: "/live/simulation", status: http.StatusNotFound},
		"a switch to something else":  {method: http.MethodPost, path: "/live/service", form: url.Values{"up": {"sideways"}}, status: http.StatusBadRequest},
		"a product that is not there": {method: http.MethodPost, path: "/cart", form: url.Values{"product": {"piano"}, "change": {"1"}}, status: http.StatusBadRequest},
		"a number that is none":       {method: http.MethodPost, path: "/cart", form: url.Values{"product": {"mug"}, "change": {"x"}}, status: http.StatusBadRequest},
		"a number beyond all bounds":  {method: http.MethodPost, path: "/cart", form: url.Values{"product": {"mug"}, "change": {"1000000"}}, status: http.StatusBadRequest},
		"a long body":                 {method: http.MethodPost, path: "/cart", form: url.Values{"product": {strings.Repeat("m", 2*maxBody)}}, status: http.StatusBadRequest},
		"another site's form": {
			method: http.MethodPost, path: "/checkout", headers: []string{"Sec-Fetch-Site", "cross-site"}, status: http.StatusForbidden,
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := newHTTPVisitor(t, shop.url)
			if response, body := v.do(test.method, test.path, test.form, test.headers...); response.StatusCode != test.status {
				t.Errorf("%s: %s", response.Status, body)
			}
		})
	}
	if !shop.behind.accepts() || shop.behind.delivery().Tracked != 0 {
		t.Error("a rejected request had an effect")
	}
}

// TestUnknownPage expects a page of the shop with a link to it.
func TestUnknownPage(t *testing.T) {
	shop := startShop(t, settings{})
	v := newHTTPVisitor(t, shop.url)
	response, body := v.get("/nowhere")
	if response.StatusCode != http.StatusNotFound || response.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("%s, %s", response.Status, response.Header.Get("Content-Type"))
	}
	for _, want := range []string{"<h1>Page not found</h1>", `<a class="button" href="/">`, `<nav aria-label="Main">`} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not in\n%s", want, body)
		}
	}
}

func TestIgnoresForgedCookies(t *testing.T) {
	shop := startShop(t, settings{})
	for _, forged := range []string{"", "x", `<script>alert(1)</script>`, strings.Repeat("a", 26), strings.Repeat("A", 5000)} {
		v := newHTTPVisitor(t, shop.url)
		response, body := v.do(http.MethodGet, "/cart", nil, "Cookie", "visitor="+forged+"; cart=mug=1&"+forged+"=2")
		if response.StatusCode != http.StatusOK || !strings.Contains(body, "Your cart") || strings.Contains(body, "<script") {
			t.Errorf("with %.40q: %s\n%s", forged, response.Status, body)
		}
		if id := v.id(); !isVisitorID(id) || id == forged {
			t.Errorf("%.40q becomes %q", forged, id)
		}
	}
}

// TestListsHaveARole checks that lists without bullets have the role "list", which some screen
// readers need.
func TestListsHaveARole(t *testing.T) {
	pages, err := fs.Glob(web, "web/*.html")
	if err != nil {
		t.Fatal(err)
	}
	lists := 0
	for _, page := range pages {
		source, err := fs.ReadFile(web, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, tag := range regexp.MustCompile(`<[uo]l\b[^>]*>`).FindAllString(string(source), -1) {
			lists++
			if !strings.Contains(tag, ` role="list"`) && !strings.Contains(tag, ` aria-hidden="true"`) {
				t.Errorf("%s has %s", page, tag)
			}
		}
	}
	if lists == 0 {
		t.Error("found no lists")
	}
}

func TestPagesHaveNoForeignScripts(t *testing.T) {
	shop := startShop(t, settings{})
	v := newHTTPVisitor(t, shop.url)
	v.post("/cart", "product", "mug", "change", "1")
	for _, path := range []string{"/", "/cart", "/checkout", "/live"} {
		response, body := v.get(path)
		policy := response.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") {
			t.Errorf("the policy of %s is %q", path, policy)
		}
		if strings.Contains(body, "https://") || strings.Contains(body, `src="http`) || strings.Contains(body, "style=") {
			t.Errorf("%s violates its content security policy", path)
		}
	}
}
