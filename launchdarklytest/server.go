package launchdarklytest

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
)

// ValidSDKKey is the only SDK key that a [Server] accepts. It responds to all others with 401.
const ValidSDKKey = "sdk-launchdarklytest"

// The values of [Request.Path].
const (
	StreamPath   = "/all"
	PollPath     = "/sdk/latest-all"
	StreamPathV2 = "/sdk/stream" // of clients with a DataSystem
	PollPathV2   = "/sdk/poll"   // of clients with a DataSystem
	EventsPath   = "/bulk"
)

// reconnectDelay is the SDK's initial reconnect delay in Config.
const reconnectDelay = 10 * time.Millisecond

// Server is a LaunchDarkly server for tests. It is created with [NewServer] and must be closed with
// [Server.Close]. The zero value is not usable. All methods are safe for concurrent use.
//
// After Close, received events and requests can still be read. Setting flags and faults has no
// effect.
type Server struct {
	http      *httptest.Server
	done      chan struct{} // closed by Close
	closeOnce sync.Once

	mu         sync.Mutex
	changed    chan struct{} // closed and replaced on each change that a Wait method can wait for
	data       flagData
	streams    map[*stream]struct{}
	faults     faults
	requests   []Request
	payloadIDs map[string]struct{} // of accepted requests
	log        *eventLog

	environmentID string
}

// NewServer starts a server on a free loopback port, without flags or faults. Like
// [httptest.NewServer], it panics if it cannot listen on a port.
func NewServer() *Server {
	s := newServer()
	s.http = httptest.NewServer(s.handler())
	return s
}

// newServer returns a server that is not started.
func newServer() *Server {
	return &Server{
		done:       make(chan struct{}),
		changed:    make(chan struct{}),
		data:       newFlagData(),
		streams:    make(map[*stream]struct{}),
		payloadIDs: make(map[string]struct{}),
		log:        newEventLog(),
	}
}

// handler returns the handler of all endpoints.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+StreamPath, s.withEnvironmentID(s.serveStreams(protocolV1{})))
	mux.HandleFunc("GET "+PollPath, s.withEnvironmentID(s.servePoll))
	mux.HandleFunc("GET "+StreamPathV2, s.withEnvironmentID(s.serveStreams(protocolV2{})))
	mux.HandleFunc("GET "+PollPathV2, s.withEnvironmentID(s.servePollV2))
	mux.HandleFunc("POST "+EventsPath, s.serveEvents)
	mux.HandleFunc("POST /diagnostic", s.serveDiagnostic)
	return mux
}

// Close closes all connections and blocks until all handlers have returned. It does not wait for
// responses delayed by [Server.DelayEvents]. Further calls have no effect.
func (s *Server) Close() {
	s.closeOnce.Do(func() {
		close(s.done)
		s.http.CloseClientConnections()
		s.http.Close()
	})
}

// URL returns the base URL of all endpoints, such as "http://127.0.0.1:40123", without a trailing
// slash.
func (s *Server) URL() string { return s.http.URL }

// SDKKey returns the SDK key that the server accepts, [ValidSDKKey].
func (s *Server) SDKKey() string { return ValidSDKKey }

// Config returns an SDK configuration that uses this server for streaming, polling and events. The
// initial reconnect delay is 10 milliseconds, diagnostics are off, and nothing is logged. Events is
// nil, so that the SDK, or the provider that gets the configuration, selects the event processor.
// Each call returns a new value that the caller may modify.
func (s *Server) Config() ld.Config {
	return ld.Config{
		DataSource:       ldcomponents.StreamingDataSource().InitialReconnectDelay(reconnectDelay),
		DiagnosticOptOut: true,
		Logging:          ldcomponents.NoLogging(),
		ServiceEndpoints: interfaces.ServiceEndpoints{Streaming: s.URL(), Polling: s.URL(), Events: s.URL()},
	}
}

// DataSystem returns a builder for the SDK's data system, which receives flag data by the second
// version of LaunchDarkly's protocol, configured for this server:
//
//	config := server.Config()
//	config.DataSystem = server.DataSystem().Streaming()
//
// With a DataSystem, the SDK ignores the DataSource of Config and its short reconnect delay. A test
// that drops streams sets the delay itself:
//
//	config.DataSystem = server.DataSystem().Custom().Synchronizers(ldcomponents.StreamingDataSourceV2().
//		BaseURI(server.URL()).InitialReconnectDelay(10 * time.Millisecond))
//
// Each call returns a new value that the caller may modify.
func (s *Server) DataSystem() *ldcomponents.DataSystemModes {
	return ldcomponents.DataSystem().WithRelayProxyEndpoints(s.URL())
}

// SetEnvironmentID sets the environment ID, which responses with flag data carry in the X-Ld-Envid
// header, as LaunchDarkly's do. The SDK passes it to its hooks. By default there is none. Open
// streams are not affected.
func (s *Server) SetEnvironmentID(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.environmentID = id
}

// withEnvironmentID adds the environment ID to the response headers of a handler.
func (s *Server) withEnvironmentID(handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		id := s.environmentID
		s.mu.Unlock()
		if id != "" {
			w.Header().Set("X-Ld-Envid", id)
		}
		handler(w, r)
	}
}

// serveDiagnostic accepts and discards diagnostic events.
func (s *Server) serveDiagnostic(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	authorized := s.authorized(r)
	s.mu.Unlock()
	if !authorized {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// authorized reports whether the request's SDK key is accepted. The caller must hold s.mu.
func (s *Server) authorized(r *http.Request) bool {
	return !s.faults.keyRefused && r.Header.Get("Authorization") == ValidSDKKey
}

// notify wakes all Wait methods. The caller must hold s.mu.
func (s *Server) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}
