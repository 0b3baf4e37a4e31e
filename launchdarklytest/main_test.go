package launchdarklytest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"go.uber.org/goleak"

	"github.com/openfeature-launchdarkly/go-provider/internal/sdkleaks"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// deadline bounds waiting in tests. A passing test does not reach it.
const deadline = 20 * time.Second

var sandy = ldcontext.New("sandy")

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, sdkleaks.Ignore()...)
}

func newBox(t *testing.T) *launchdarklytest.Server {
	t.Helper()
	box := launchdarklytest.NewServer()
	t.Cleanup(box.Close)
	return box
}

// newClient returns an SDK client, which is closed before the server.
func newClient(t *testing.T, box *launchdarklytest.Server, change ...func(*ld.Config)) *ld.LDClient {
	t.Helper()
	config := box.Config()
	for _, f := range change {
		f(&config)
	}
	client, err := ld.MakeCustomClient(box.SDKKey(), config, deadline)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	// The SDK is initialized shortly before its data source becomes valid.
	if !client.GetDataSourceStatusProvider().WaitFor(interfaces.DataSourceStateValid, deadline) {
		t.Fatal("the data source is not valid")
	}
	return client
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	t.Cleanup(cancel)
	return ctx
}

// await polls until ok returns true.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx := testContext(t)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}

// newHTTPClient returns a client whose connections are closed when the test ends.
func newHTTPClient(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// post is an event request. send compresses the body if the header has Content-Encoding: gzip.
type post struct {
	key    string
	id     string
	body   string
	header http.Header
	ctx    context.Context
}

func (p post) send(t *testing.T, client *http.Client, box *launchdarklytest.Server) (*http.Response, error) {
	t.Helper()
	var body io.Reader = strings.NewReader(p.body)
	if p.header.Get("Content-Encoding") == "gzip" {
		var compressed bytes.Buffer
		w := gzip.NewWriter(&compressed)
		_, _ = w.Write([]byte(p.body))
		_ = w.Close()
		body = &compressed
	}
	ctx := p.ctx
	if ctx == nil {
		ctx = testContext(t)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, box.URL()+launchdarklytest.EventsPath, body)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(request.Header, p.header)
	if p.key == "" {
		p.key = box.SDKKey()
	}
	request.Header.Set("Authorization", p.key)
	if p.id != "" {
		request.Header.Set("X-LaunchDarkly-Payload-ID", p.id)
	}
	response, err := client.Do(request)
	if err == nil {
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
	return response, err
}

// status sends the request and returns the status of the response.
func (p post) status(t *testing.T, client *http.Client, box *launchdarklytest.Server) int {
	t.Helper()
	response, err := p.send(t, client, box)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode
}
