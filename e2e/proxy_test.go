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

// reverseProxy forwards the requests of a program to LaunchDarkly, as a gateway does. For the Relay
// Proxy, see package relay.
type reverseProxy struct {
	*httptest.Server
	down     atomic.Bool
	requests atomic.Int64
}

func newReverseProxy(box *launchdarklytest.Server) *reverseProxy {
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
	r := &reverseProxy{}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.requests.Add(1)
		if r.down.Load() {
			panic(http.ErrAbortHandler) // closes the connection
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

// goDown closes all connections, including those that are opened later.
func (r *reverseProxy) goDown() {
	r.down.Store(true)
	r.CloseClientConnections()
}

func (r *reverseProxy) comeBack() { r.down.Store(false) }
