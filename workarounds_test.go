package launchdarkly

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/testhelpers/ldtestdata"
	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"
)

// TestWorkaroundsAreNeeded has a subtest for each part of workarounds.go, and for what
// registrations.go relies on. One that fails says that the SDKs have changed, so that the code can
// go or has to follow.
func TestWorkaroundsAreNeeded(t *testing.T) {
	quiet := func(config ld.Config) ld.Config {
		config.Logging, config.DiagnosticOptOut = ldcomponents.NoLogging(), true
		if config.Events == nil {
			config.Events = ldcomponents.NoEvents()
		}
		return config
	}
	newClient := func(t *testing.T, config ld.Config) *ld.LDClient {
		t.Helper()
		client, err := ld.MakeCustomClient("sdk-key", quiet(config), 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		return client
	}
	state := func(client *ld.LDClient) interfaces.DataSourceState {
		return client.GetDataSourceStatusProvider().GetStatus().State
	}

	t.Run("knownStatus: an offline DataSystem has no state", func(t *testing.T) {
		client := newClient(t, ld.Config{Offline: true, DataSystem: ldcomponents.DataSystem().Streaming()})
		if got := state(client); got != "" {
			t.Errorf("state %q", got)
		}
	})

	t.Run("knownStatus: a DataSystem without synchronizers goes on initializing", func(t *testing.T) {
		client := newClient(t, ld.Config{DataSystem: ldcomponents.DataSystem().Daemon(ldcomponents.InMemoryDataStore())})
		if client.GetDataSourceStatusProvider().WaitFor(interfaces.DataSourceStateValid, 100*time.Millisecond) {
			t.Errorf("state %q", state(client))
		}
	})

	t.Run("dataCheckInterval: a store that is filled later changes no status", func(t *testing.T) {
		var store laterStore
		client := newClient(t, ld.Config{DataSource: idleSource{}, DataStore: &store})
		if client.Initialized() {
			t.Fatal("the client has data")
		}
		statuses := client.GetDataSourceStatusProvider().AddStatusListener()
		store.filled.Store(true)
		select {
		case status := <-statuses:
			t.Errorf("status %v", status)
		case <-time.After(100 * time.Millisecond):
		}
		if !client.Initialized() {
			t.Error("the client has no data")
		}
	})

	t.Run("sendsNoEvents: the SDK says that there are no events in a way of its own", func(t *testing.T) {
		if !sendsNoEvents(ld.Config{Events: ldcomponents.NoEvents()}) || sendsNoEvents(ld.Config{Events: ldcomponents.SendEvents()}) {
			t.Error("it says so in another way")
		}
	})

	t.Run("requestStopper: a client that is closed before it has connected goes on trying", func(t *testing.T) {
		statuses := make(chan int)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(<-statuses)
		}))
		defer server.Close()
		client, err := ld.MakeCustomClient("sdk-key", quiet(ld.Config{
			DataSource:       ldcomponents.StreamingDataSource().InitialReconnectDelay(time.Millisecond),
			ServiceEndpoints: interfaces.ServiceEndpoints{Streaming: server.URL},
		}), 0)
		if err != nil {
			t.Fatal(err)
		}
		statuses <- http.StatusServiceUnavailable
		_ = client.Close()
		for _, status := range []int{http.StatusServiceUnavailable, http.StatusGone} { // the latter ends it
			select {
			case statuses <- status:
			case <-time.After(10 * time.Second):
				t.Fatal("there are no more requests")
			}
		}
	})

	t.Run("flushSDK: a flush of nothing waits for its timeout", func(t *testing.T) {
		client := newClient(t, ld.Config{DataSource: ldtestdata.DataSource(), Events: ldcomponents.SendEvents()})
		const timeout = 50 * time.Millisecond
		start := time.Now()
		if client.FlushAndWait(timeout) || time.Since(start) < timeout {
			t.Error("it returns at once")
		}
	})

	t.Run("registrations: a shutdown can come before the initialization", func(t *testing.T) {
		p := newScripted()
		registered, calls := make(chan struct{}), make(chan string, 2)
		p.metadata = func() { <-registered } // is asked for at the beginning of the goroutine
		p.init = func() { calls <- "initialization" }
		p.shutdown = func() { calls <- "shutdown" }
		api := isolated.NewAPI()
		if err := api.SetProvider(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		_ = api.Shutdown(t.Context())
		close(registered)
		if first, second := <-calls, <-calls; first != "shutdown" || second != "initialization" {
			t.Errorf("the %s comes before the %s", first, second)
		}
	})

	t.Run("registrations: one goroutine reads the events of a registration, and requests the channel for each", func(t *testing.T) {
		p := newScripted()
		api := isolated.NewAPI()
		for _, domain := range []string{"a", "b", "b"} {
			if err := api.SetProviderAndWait(t.Context(), p, openfeature.WithDomain(domain)); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, func() bool { return p.requests.Load() == 1 })
		for n := range int64(3) {
			p.events <- openfeature.Event{EventType: openfeature.ProviderStale}
			eventually(t, func() bool { return p.requests.Load() == n+2 })
		}
		_ = api.Shutdown(t.Context())
		api = isolated.NewAPI()
		if err := api.SetProviderAndWait(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() bool { return p.requests.Load() == 5 })
		_ = api.Shutdown(t.Context())
	})
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never happens")
		}
	}
}

// scripted is a provider that does what a test says when OpenFeature's SDK calls it.
type scripted struct {
	openfeature.NoopProvider
	init, shutdown, metadata func()
	events                   chan openfeature.Event
	requests                 atomic.Int64 // for the event channel
}

func newScripted() *scripted {
	nothing := func() {}
	return &scripted{init: nothing, shutdown: nothing, metadata: nothing, events: make(chan openfeature.Event)}
}

func (s *scripted) Metadata() openfeature.Metadata {
	s.metadata()
	return openfeature.Metadata{Name: "scripted"}
}

func (s *scripted) Init(openfeature.EvaluationContext) error {
	s.init()
	return nil
}

func (s *scripted) InitWithContext(context.Context, openfeature.EvaluationContext) error {
	s.init()
	return nil
}

func (s *scripted) Shutdown() { s.shutdown() }

func (s *scripted) ShutdownWithContext(context.Context) error {
	s.shutdown()
	return nil
}

func (s *scripted) EventChannel() <-chan openfeature.Event {
	s.requests.Add(1)
	return s.events
}

// idleSource is a data source that does nothing.
type idleSource struct{}

func (s idleSource) Build(subsystems.ClientContext) (subsystems.DataSource, error) { return s, nil }
func (idleSource) IsInitialized() bool                                             { return false }
func (idleSource) Start(chan<- struct{})                                           {}
func (idleSource) Close() error                                                    { return nil }

// laterStore is a store that another process fills.
type laterStore struct {
	subsystems.DataStore
	filled atomic.Bool
}

func (s *laterStore) Build(client subsystems.ClientContext) (subsystems.DataStore, error) {
	var err error
	s.DataStore, err = ldcomponents.InMemoryDataStore().Build(client)
	return s, err
}

func (s *laterStore) IsInitialized() bool { return s.filled.Load() }
