package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// relay is a Relay Proxy: a real one somewhere, or a reverse proxy on this machine in front of LaunchDarkly in a box, which
// looks the same to its clients.
type relay struct {
	url    string
	sdkKey string

	box   *launchdarklytest.Server // nil in front of LaunchDarkly itself
	proxy *httptest.Server

	mu    sync.Mutex
	paths []string // what has been asked for, through the reverse proxy
}

func startRelay(s settings) *relay {
	if s.relayURL != "" {
		return &relay{url: s.relayURL, sdkKey: s.sdkKey}
	}
	r := &relay{box: launchdarklytest.NewServer()}
	r.box.SetValue("new-checkout", true)
	r.sdkKey = r.box.SDKKey()
	target, err := url.Parse(r.box.URL())
	if err != nil {
		panic(err) // it comes from a listener
	}
	forward := &httputil.ReverseProxy{
		Rewrite:       func(request *httputil.ProxyRequest) { request.SetURL(target) },
		FlushInterval: -1, // a stream must not wait for a buffer to fill
	}
	r.proxy = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.note(request.URL.Path)
		forward.ServeHTTP(w, request)
	}))
	r.url = r.proxy.URL
	return r
}

func (r *relay) note(path string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.paths, path) {
		r.paths = append(r.paths, path)
	}
}

func (r *relay) introduction() string {
	if r.box == nil {
		return "Using the Relay Proxy at RELAY_URL."
	}
	return "A reverse proxy in front of LaunchDarkly in a box takes a Relay Proxy's place. " +
		"Set RELAY_URL and LAUNCHDARKLY_SDK_KEY to use a real one."
}

// endpoints are those of the relay.
func (r *relay) endpoints() interfaces.ServiceEndpoints {
	return ldcomponents.RelayProxyEndpoints(r.url)
}

// show prints what came through the relay, and what has arrived behind it.
func (r *relay) show(out io.Writer) {
	if r.box == nil {
		return
	}
	r.mu.Lock()
	slices.Sort(r.paths)
	fmt.Fprintf(out, "  requests through the relay: %q\n", r.paths)
	r.mu.Unlock()
	for _, event := range r.box.CustomEvents() {
		fmt.Fprintf(out, "  LaunchDarkly has received: %s %v by %s\n", event.Key, *event.MetricValue, event.ContextKeys()["user"])
	}
}

func (r *relay) turnOff(flag string) { r.box.SetValue(flag, ldvalue.Bool(false)) }

// cut lets nobody have flags any more.
func (r *relay) cut() {
	r.box.RefuseStreams(http.StatusServiceUnavailable)
	r.box.DropStreams()
}

func (r *relay) close() {
	if r.box != nil {
		r.box.Close()
		r.proxy.Close()
	}
}
