package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// testService is a running service with an OpenFeature API of its own, where main uses the global
// one, so that tests can run in parallel.
type testService struct {
	t          *testing.T
	testServer *launchdarklytest.Server // replaces LaunchDarkly
	api        *openfeature.EvaluationAPI
	provider   *launchdarkly.Provider
	client     *openfeature.Client
	url        string
	logs       *lines
}

// newTestServer returns a test server with the service's flags.
func newTestServer(t *testing.T) *launchdarklytest.Server {
	testServer := startTestServer()
	t.Cleanup(testServer.Close)
	return testServer
}

// start starts a service with the flags of the test server, and returns when it is ready.
func start(t *testing.T, testServer *launchdarklytest.Server) *testService {
	t.Helper()
	s := startUnready(t, testServer, config{sdkKey: testServer.SDKKey()})
	s.waitForStatus("/readyz", http.StatusOK)
	return s
}

// startUnready starts a service, and does not wait for flags.
func startUnready(t *testing.T, testServer *launchdarklytest.Server, c config) *testService {
	t.Helper()
	s := &testService{t: t, testServer: testServer, api: isolated.NewAPI(), logs: &lines{}}
	logger := newLogger(s.logs, slog.LevelInfo)
	c.launchDarkly = testServer.Config()
	m, err := newMetrics()
	if err != nil {
		t.Fatal(err)
	}
	if s.provider, err = newProvider(c, m, logger); err != nil {
		t.Fatal(err)
	}
	if err := s.api.SetProvider(t.Context(), s.provider); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.api.Shutdown(context.Background()) })
	s.client = s.api.NewClient()
	logFlagStates(s.client, logger)

	tested := &service{client: s.client, provider: s.provider, metrics: m.handler, logger: logger}
	server := httptest.NewServer(tested.handler())
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// user is who makes a request. The zero user is nobody.
type user struct{ id, plan, email string }

// request makes a request, and returns its status and its body.
func (s *testService) request(u user, method, path, body string) (int, []byte) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("X-User-ID", u.id)
	r.Header.Set("X-User-Plan", u.plan)
	r.Header.Set("X-User-Email", u.email)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, data
}

// products returns what a user sees.
func (s *testService) products(u user) (p productList) {
	s.t.Helper()
	status, body := s.request(u, http.MethodGet, "/products", "")
	s.decode(status, http.StatusOK, body, &p)
	return p
}

// order has a user order one or more of a product.
func (s *testService) order(u user, sku string, quantity int) (r receipt) {
	s.t.Helper()
	body, err := json.Marshal(order{Items: []orderItem{{SKU: sku, Quantity: quantity}}})
	if err != nil {
		s.t.Fatal(err)
	}
	status, answer := s.request(u, http.MethodPost, "/orders", string(body))
	s.decode(status, http.StatusCreated, answer, &r)
	return r
}

func (s *testService) decode(status, want int, body []byte, to any) {
	s.t.Helper()
	if status != want {
		s.t.Fatalf("status %d: %s", status, body)
	}
	if err := json.Unmarshal(body, to); err != nil {
		s.t.Fatal(err)
	}
}

// flush delivers everything that was tracked or evaluated so far.
func (s *testService) flush() {
	s.t.Helper()
	if err := s.provider.Flush(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

func (s *testService) waitForStatus(path string, want int) {
	s.t.Helper()
	eventually(s.t, func() bool {
		status, _ := s.request(user{}, http.MethodGet, path, "")
		return status == want
	})
}

// eventually waits until a condition holds.
func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the condition does not hold")
		}
	}
}

// lines collects log lines in JSON. It is safe for concurrent use.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// with returns the lines with a message.
func (l *lines) with(t *testing.T, message string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for text := range strings.Lines(l.String()) {
		if !strings.HasSuffix(text, "\n") {
			break // it is being written
		}
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if line["msg"] == message {
			found = append(found, line)
		}
	}
	return found
}
