package launchdarklytest

import (
	"net"
	"net/http"
	"net/http/httptest"
)

// NewServerAt starts a server on the listener.
func NewServerAt(listener net.Listener) *Server {
	s := newServer()
	s.http = &httptest.Server{Listener: listener, Config: &http.Server{Handler: s.handler()}}
	s.http.Start()
	return s
}
