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

// SDKKey is the key that a [Server] accepts. Any other is answered with 401.
const SDKKey = "sdk-launchdarklytest"

// The paths that a [Server] answers, as they stand in [Request.Path].
const (
	StreamPath     = "/all"
	PollPath       = "/sdk/latest-all"
	StreamPathV2   = "/sdk/stream" // of clients with a DataSystem
	PollPathV2     = "/sdk/poll"   // of clients with a DataSystem
	EventsPath     = "/bulk"
	DiagnosticPath = "/diagnostic"
)

// reconnectDelay is what Config asks the SDK to wait before it opens a dropped stream again.
const reconnectDelay = 10 * time.Millisecond

// Server is LaunchDarkly in a box. Make it with [NewServer] and end it with [Server.Close]; the zero
// value is not usable. All methods are safe for concurrent use.
//
// After Close, what arrived can still be read; changes of flags and faults have no effect any more.
type Server struct {
	http      *httptest.Server
	done      chan struct{} // closed by Close
	closeOnce sync.Once

	mu         sync.Mutex
	changed    chan struct{} // closed and replaced whenever something happens that a waiter could wait for
	data       flagData
	streams    map[*stream]struct{}
	faults     faults
	requests   []Request
	payloadIDs map[string]struct{} // of the requests whose events were taken
	log        *eventLog

	environmentID string
}

// NewServer starts a server on a free loopback port, with no flags and no faults. Like
// [httptest.NewServer], which it builds on, it panics where no loopback port can be opened.
func NewServer() *Server {
	s := newServer()
	s.http = httptest.NewServer(s.handler())
	return s
}

// newServer makes a server that does not serve yet.
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

// handler answers all endpoints.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+StreamPath, s.withEnvironmentID(s.serveStreams(protocolV1{})))
	mux.HandleFunc("GET "+PollPath, s.withEnvironmentID(s.servePoll))
	mux.HandleFunc("GET "+StreamPathV2, s.withEnvironmentID(s.serveStreams(protocolV2{})))
	mux.HandleFunc("GET "+PollPathV2, s.withEnvironmentID(s.servePollV2))
	mux.HandleFunc("POST "+EventsPath, s.serveEvents)
	mux.HandleFunc("POST "+DiagnosticPath, s.serveDiagnostic)
	return mux
}

// Close cuts every connection and returns when nothing of the server runs any more. It does not wait
// for answers that [Server.DelayEvents] holds back. Calling it again does nothing.
func (s *Server) Close() {
	s.closeOnce.Do(func() {
		close(s.done)
		s.http.CloseClientConnections()
		s.http.Close()
	})
}

// URL is the base of every endpoint, such as "http://127.0.0.1:40123", without a slash at the end.
func (s *Server) URL() string { return s.http.URL }

// SDKKey is the key that this server accepts: the constant [SDKKey].
func (s *Server) SDKKey() string { return SDKKey }

// Config is an SDK configuration that sends everything to this server: streaming, polling and events.
// It reconnects a dropped stream after some milliseconds (longer each time, as the SDK does), sends no
// diagnostics, and logs nothing. Events is left nil, so that whoever gets the configuration decides how
// events are delivered. Each call returns a new value that the caller may change.
func (s *Server) Config() ld.Config {
	return ld.Config{
		DataSource:       ldcomponents.StreamingDataSource().InitialReconnectDelay(reconnectDelay),
		DiagnosticOptOut: true,
		Logging:          ldcomponents.NoLogging(),
		ServiceEndpoints: interfaces.ServiceEndpoints{Streaming: s.URL(), Polling: s.URL(), Events: s.URL()},
	}
}

// DataSystem starts a configuration of the SDK's data system, with which the SDK gets its flag data by
// LaunchDarkly's second protocol, such that it gets it from this server:
//
//	config := box.Config()
//	config.DataSystem = box.DataSystem().Streaming()
//
// The data source of Config, with its short delay before a dropped stream is opened again, has no meaning
// then. A test that drops streams says so itself:
//
//	config.DataSystem = box.DataSystem().Custom().Synchronizers(ldcomponents.StreamingDataSourceV2().
//		BaseURI(box.URL()).InitialReconnectDelay(10 * time.Millisecond))
//
// Each call returns a new value that the caller may change.
func (s *Server) DataSystem() *ldcomponents.DataSystemModes {
	return ldcomponents.DataSystem().WithRelayProxyEndpoints(s.URL())
}

// SetEnvironmentID sets the ID of the environment that responses with flag data have in a header, as LaunchDarkly's have;
// the SDK passes it to its hooks. At first there is none. A stream that is open keeps its own.
func (s *Server) SetEnvironmentID(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.environmentID = id
}

// withEnvironmentID adds the ID of the environment to the responses of a handler.
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

// serveDiagnostic takes diagnostics and forgets them.
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

// authorized reports whether the request carries a key that is accepted now. The caller holds s.mu.
func (s *Server) authorized(r *http.Request) bool {
	return !s.faults.keyRefused && r.Header.Get("Authorization") == SDKKey
}

// notify wakes whoever waits for something to happen. The caller holds s.mu.
func (s *Server) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}
