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

// patient is how long tests wait for what must happen. None waits that long when all is well.
const patient = 20 * time.Second

// testShop is the whole shop on a port of its own.
type testShop struct {
	url    string
	app    *application
	behind *launchDarkly
}

// startShop starts a shop that ends with the test. Tests that do so can't run in parallel: OpenFeature's API is one for
// the process.
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

// lines passes on what a program prints.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

// TestRun starts the program, buys something, and interrupts it: what is tracked is delivered before it ends.
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
	// Somebody watches, which must not keep the shop open.
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
		t.Error("listens on a port that is taken")
	}
}

// TestRunWithoutVisitors ends a shop that has tracked nothing, and was interrupted before it began.
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
		t.Fatal("nothing came")
		panic("unreachable")
	}
}
