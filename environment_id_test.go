package launchdarkly

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
)

func TestEnvironmentID(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id := r.URL.Query().Get("id"); id != "" {
			w.Header().Set("X-Ld-Envid", id)
		}
	}))
	defer server.Close()
	for name, base := range map[string]subsystems.ComponentConfigurer[subsystems.HTTPConfiguration]{
		"no HTTP configuration":               nil,
		"an HTTP configuration":               ldcomponents.HTTPConfiguration().UserAgent("test"),
		"a client with the default transport": ldcomponents.HTTPConfiguration().HTTPClientFactory(func() *http.Client { return http.DefaultClient }),
	} {
		t.Run(name, func(t *testing.T) {
			var id environmentID
			config, err := id.observe(base).Build(subsystems.BasicClientContext{})
			if err != nil {
				t.Fatal(err)
			}
			client := config.CreateHTTPClient()
			defer client.CloseIdleConnections()
			for _, step := range []struct {
				header string
				want   any
			}{{"", nil}, {"5a", "5a"}, {"", "5a"}, {"5a", "5a"}, {"6b", "6b"}} {
				response, err := client.Get(server.URL + "?id=" + step.header)
				if err != nil {
					t.Fatal(err)
				}
				_ = response.Body.Close()
				if got := id.load(); got != step.want {
					t.Errorf("after header %q: %v, want %v", step.header, got, step.want)
				}
			}
			if allocs := testing.AllocsPerRun(100, func() { _ = id.load() }); allocs != 0 {
				t.Errorf("load allocates %v times", allocs)
			}
		})
	}
}

// TestEnvironmentIDKeepsErrors has a configuration and a transport that fail.
func TestEnvironmentIDKeepsErrors(t *testing.T) {
	var id environmentID
	if _, err := id.observe(ldcomponents.HTTPConfiguration().CACert([]byte("not a certificate"))).
		Build(subsystems.BasicClientContext{}); err == nil {
		t.Error("a broken configuration is accepted")
	}
	failure := errors.New("no route")
	transport := environmentIDTransport{id: &id, next: roundTripper(func(*http.Request) (*http.Response, error) { return nil, failure })}
	request := httptest.NewRequest(http.MethodGet, "http://localhost", nil)
	if response, err := transport.RoundTrip(request); !errors.Is(err, failure) {
		t.Errorf("got %v, %v", response, err)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
