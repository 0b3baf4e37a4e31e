package docs_test

import (
	"context"
	"errors"
	"expvar"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/testhelpers/ldtestdata"
	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

var _ = operationsMain // it waits for a signal

func operationsStats(provider *launchdarkly.Provider) {
	expvar.Publish("launchdarkly", expvar.Func(func() any { return provider.Stats() }))
}

func operationsHandler(
	alert func(context.Context, error), count func(context.Context, string),
) launchdarkly.Option {
	option :=
		launchdarkly.WithErrorHandler(func(ctx context.Context, err error) {
			switch {
			case errors.Is(err, delivery.ErrRefused), errors.Is(err, delivery.ErrQueueFull):
				alert(ctx, err)
			case errors.Is(err, launchdarkly.ErrTargetingKeyMissing):
				count(ctx, "events without a user")
			}
		})
	return option
}

func operationsQueue(config *ld.Config) {
	config.Events = delivery.Lossless(ldcomponents.SendEvents(),
		delivery.WithMaxEvents(500_000),
		delivery.WithMaxBytes(512<<20),
	)
}

func operationsMain(serve func(context.Context)) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	serve(ctx)

	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	if err := openfeature.ShutdownWithContext(ending); err != nil {
		slog.Error("shutdown", slog.Any("error", err))
	}
}

func operationsHealth(client *openfeature.Client, provider *launchdarkly.Provider) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		state := client.State()
		hasFlags := state == openfeature.ReadyState || state == openfeature.StaleState ||
			state == openfeature.ErrorState && provider.Client().Initialized()
		if !hasFlags {
			http.Error(w, string(state), http.StatusServiceUnavailable)
		}
	})
	return mux
}

// TestHealthChecks brings the provider into each state of the document's table.
func TestHealthChecks(t *testing.T) {
	want := map[string][2]string{}
	for _, row := range tableAfter(t, "## Health checks") {
		for state := range strings.SplitSeq(row[0], ", ") {
			want[strings.ReplaceAll(state, "`", "")] = [2]string{row[1], row[2]}
		}
	}
	revoked := interfaces.DataSourceErrorInfo{Kind: interfaces.DataSourceErrorKindErrorResponse, StatusCode: 401}
	for name, c := range map[string]struct {
		source dataSource
		later  interfaces.DataSourceState
		state  openfeature.State
	}{
		"READY":                               {state: openfeature.ReadyState},
		"STALE":                               {later: interfaces.DataSourceStateInterrupted, state: openfeature.StaleState},
		"ERROR after the SDK key was revoked": {later: interfaces.DataSourceStateOff, state: openfeature.ErrorState},
		"ERROR after the init timeout":        {source: idle{}, state: openfeature.ErrorState},
		"FATAL":                               {source: idle{interfaces.DataSourceStateOff}, state: openfeature.FatalState},
		"NOT_READY":                           {source: idle{}, state: openfeature.NotReadyState},
	} {
		t.Run(name, func(t *testing.T) {
			flags := ldtestdata.DataSource()
			config := ld.Config{DataSource: flags, Events: ldcomponents.NoEvents(), Logging: ldcomponents.NoLogging()}
			if c.source != nil {
				config.DataSource = c.source
			}
			provider, err := launchdarkly.NewProvider("sdk-key", launchdarkly.WithConfig(config),
				launchdarkly.WithInitTimeout(10*time.Millisecond))
			if err != nil {
				t.Fatal(err)
			}
			api := isolated.NewAPI()
			client := api.NewClient()
			if c.state != openfeature.NotReadyState {
				_ = api.SetProviderAndWait(t.Context(), provider)
			}
			defer api.Shutdown(t.Context())
			defer provider.Shutdown()
			if c.later != "" {
				flags.UpdateStatus(c.later, revoked)
			}
			for deadline := time.Now().Add(10 * time.Second); client.State() != c.state; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("the state is %s", client.State())
				}
			}
			health := operationsHealth(client, provider)
			var got [2]string
			for i, path := range []string{"/readyz", "/livez"} {
				response := httptest.NewRecorder()
				health.ServeHTTP(response, httptest.NewRequest(http.MethodGet, path, nil))
				got[i] = strconv.Itoa(response.Code)
			}
			if got != want[name] {
				t.Errorf("got %v, the document has %v", got, want[name])
			}
			delete(want, name)
		})
	}
	if len(want) > 0 {
		t.Errorf("not tested: %v", want)
	}
}

type dataSource = subsystems.ComponentConfigurer[subsystems.DataSource]

// idle is a data source without flags, in a state.
type idle struct{ state interfaces.DataSourceState }

func (s idle) Build(client subsystems.ClientContext) (subsystems.DataSource, error) {
	client.GetDataSourceUpdateSink().UpdateStatus(s.state, interfaces.DataSourceErrorInfo{})
	return s, nil
}

func (idle) IsInitialized() bool         { return false }
func (idle) Start(ready chan<- struct{}) { close(ready) }
func (idle) Close() error                { return nil }

// TestOperations runs what can be run of the document's code.
func TestOperations(t *testing.T) {
	box := launchdarklytest.NewServer()
	defer box.Close()
	config := box.Config()
	operationsQueue(&config)
	counted := 0
	provider, err := launchdarkly.NewProvider(box.SDKKey(),
		launchdarkly.WithConfig(config),
		launchdarkly.WithLogger(slog.New(slog.DiscardHandler)),
		operationsHandler(
			func(_ context.Context, err error) { t.Error(err) },
			func(context.Context, string) { counted++ },
		),
	)
	if err != nil {
		t.Fatal(err)
	}
	defer provider.Shutdown()
	published := expvar.Get("launchdarkly") == nil // a name can be taken once in a process
	if published {
		operationsStats(provider)
	}

	provider.Track(t.Context(), "checkout", openfeature.EvaluationContext{}, openfeature.TrackingEventDetails{})
	if counted != 1 {
		t.Errorf("the handler has counted %d", counted)
	}
	if stats := expvar.Get("launchdarkly").String(); published && !strings.Contains(stats, `"InvalidContext":1`) {
		t.Errorf("published: %s", stats)
	}
}

// TestLogMessages compares the document's list of log messages and their levels with the source.
func TestLogMessages(t *testing.T) {
	listed := map[string]string{}
	for _, row := range tableAfter(t, "## What is logged") {
		listed[strings.Trim(row[0], "`")] = row[1]
	}
	logged := loggedMessages(t)
	if len(logged) == 0 || !maps.Equal(listed, logged) {
		t.Errorf("the document lists\n%v\nthe source logs\n%v", listed, logged)
	}
}

// TestStatsFields compares the document's lists of counters with the types.
func TestStatsFields(t *testing.T) {
	document := readOperations(t)
	for _, counters := range []reflect.Type{reflect.TypeFor[launchdarkly.Stats](), reflect.TypeFor[launchdarkly.Dropped]()} {
		for _, field := range reflect.VisibleFields(counters) {
			if row := "| `" + field.Name + "` |"; !field.Anonymous && !strings.Contains(document, row) {
				t.Errorf("no row begins with %s", row)
			}
		}
	}
}

// loggedMessages finds the messages that the packages log, with their levels: string literals next
// to a level of slog's.
func loggedMessages(t *testing.T) map[string]string {
	t.Helper()
	messages := map[string]string{}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			switch entry.Name() {
			case "bench", "examples", "e2e", "launchdarklytest", ".git", ".github":
				return filepath.SkipDir
			}
			return nil
		case !strings.HasSuffix(path, ".go"), strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if call, ok := node.(*ast.CallExpr); ok {
				if level, message := messageOf(call); level != "" && message != "" {
					messages[message] = level
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return messages
}

// messageOf reads a call such as log(ctx, slog.LevelWarn, "message", …).
func messageOf(call *ast.CallExpr) (level, message string) {
	for _, argument := range call.Args {
		switch argument := argument.(type) {
		case *ast.SelectorExpr:
			if name, ok := strings.CutPrefix(argument.Sel.Name, "Level"); ok {
				level = strings.ToUpper(name)
			}
		case *ast.BasicLit:
			if text, err := strconv.Unquote(argument.Value); err == nil && argument.Kind == token.STRING && message == "" {
				message = text
			}
		}
	}
	return level, message
}

// tableAfter reads the rows of the first table after a heading.
func tableAfter(t *testing.T, heading string) [][]string {
	t.Helper()
	_, text, found := strings.Cut(readOperations(t), heading+"\n")
	if !found {
		t.Fatalf("no heading %q", heading)
	}
	var rows [][]string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			if len(rows) > 0 {
				break
			}
			continue
		}
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(strings.TrimSpace(line), "|"), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		rows = append(rows, cells)
	}
	return rows[2:] // after the head
}

func readOperations(t *testing.T) string {
	t.Helper()
	document, err := os.ReadFile("operations.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(document)
}
