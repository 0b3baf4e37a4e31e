package main

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-feature/go-sdk/openfeature"
	"go.uber.org/goleak"

	"github.com/openfeature-launchdarkly/go-provider/internal/sdkleaks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, sdkleaks.Ignore()...) }

// patient bounds waiting in tests. A passing test does not reach it.
const patient = 20 * time.Second

// testShop is the complete shop on a free port.
type testShop struct {
	url    string
	app    *application
	behind *launchDarkly
}

// startShop starts a shop that is closed at the end of the test. Such tests cannot run in parallel,
// because they use OpenFeature's global API.
func startShop(t *testing.T, s settings) *testShop {
	t.Helper()
	behind, err := connectLaunchDarkly(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	app := newApplication(openfeature.NewDefaultClient(), behind, s)
	server := newServer(app)
	listener, err := listen(t.Context(), 0, true)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patient)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		serving.Wait()
		app.close()
		behind.setAccepts(true)
		if err := behind.shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return &testShop{url: "http://" + listener.Addr().String(), app: app, behind: behind}
}

// lines is a writer that sends each write to a channel.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

// TestRun starts the program, buys something, and interrupts it. Tracked events must be delivered
// before it exits.
func TestRun(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	printed := make(lines, 10)
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, printed, 0, true) }()

	greeting := receive(t, printed)
	_, rest, found := strings.Cut(greeting, "The shop is at ")
	url, _, _ := strings.Cut(rest, ",")
	if !found || !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Fatalf("no address in %q", greeting)
	}
	b := newHTTPVisitor(t, url)
	b.post("/cart", "product", "mug", "change", "1")
	b.get("/checkout")
	b.post("/checkout")
	// An open stream must not block the shutdown.
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/live/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	watching, err := b.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer watching.Body.Close()

	interrupt()
	if err := receive(t, ended); err != nil {
		t.Error(err)
	}
	if got, want := receive(t, printed), "2 events tracked, 2 delivered\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

func TestListenTakesAnotherPort(t *testing.T) {
	first, err := listen(t.Context(), 0, true)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	taken := first.Addr().(*net.TCPAddr).Port
	second, err := listen(t.Context(), taken, false)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if third, err := listen(t.Context(), taken, true); err == nil {
		third.Close()
		t.Error("listens on a port that is in use")
	}
}

// TestRunWithoutVisitors runs a shop that is interrupted before it starts.
func TestRunWithoutVisitors(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	var out bytes.Buffer
	if err := run(ctx, &out, 0, true); err != nil || !strings.HasSuffix(out.String(), "\n0 events tracked, 0 delivered\n") {
		t.Errorf("printed %q; %v", out.String(), err)
	}
}

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patient):
		t.Fatal("no output")
		panic("unreachable")
	}
}
