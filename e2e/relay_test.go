package e2e

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// relay is a proxy between a program and LaunchDarkly, as the Relay Proxy in proxy mode.
type relay struct {
	*httptest.Server
	down     atomic.Bool
	requests atomic.Int64
}

func newRelay(box *launchdarklytest.Server) *relay {
	GinkgoHelper()
	target, err := url.Parse(box.URL())
	Expect(err).NotTo(HaveOccurred())
	silent := log.New(io.Discard, "", 0)
	transport := &http.Transport{}
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		ErrorLog:  silent,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.SetXForwarded()
		},
	}
	r := &relay{}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.requests.Add(1)
		if r.down.Load() {
			panic(http.ErrAbortHandler) // cuts the connection
		}
		proxy.ServeHTTP(w, request)
	}))
	r.Config.ErrorLog = silent
	r.Start()
	DeferCleanup(func() {
		r.CloseClientConnections()
		r.Close()
		transport.CloseIdleConnections()
	})
	return r
}

// goDown cuts all connections, and those that come.
func (r *relay) goDown() {
	r.down.Store(true)
	r.CloseClientConnections()
}

func (r *relay) comeBack() { r.down.Store(false) }
