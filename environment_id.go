package launchdarkly

import (
	"net/http"
	"sync/atomic"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
)

// environmentIDHeader is the header of responses with flag data that holds the environment ID.
const environmentIDHeader = "X-Ld-Envid"

// environmentID is LaunchDarkly's ID of the SDK key's environment. LaunchDarkly's SDK passes it to
// its hooks only, and a hook would make each evaluation slower. The zero value is an unknown ID. It
// is safe for concurrent use.
type environmentID struct {
	value atomic.Value // a string
}

// load returns the ID as a string in an interface, so that it does not allocate, or nil if the ID
// is unknown.
func (e *environmentID) load() any { return e.value.Load() }

// observe returns an HTTP configuration whose clients read the ID from responses. If base is nil,
// it uses LaunchDarkly's default.
func (e *environmentID) observe(
	base subsystems.ComponentConfigurer[subsystems.HTTPConfiguration],
) subsystems.ComponentConfigurer[subsystems.HTTPConfiguration] {
	if base == nil {
		base = ldcomponents.HTTPConfiguration()
	}
	return environmentIDConfiguration{base: base, id: e}
}

// environmentIDConfiguration is the HTTP configuration of [environmentID.observe].
type environmentIDConfiguration struct {
	base subsystems.ComponentConfigurer[subsystems.HTTPConfiguration]
	id   *environmentID
}

// Build implements [subsystems.ComponentConfigurer].
func (c environmentIDConfiguration) Build(client subsystems.ClientContext) (subsystems.HTTPConfiguration, error) {
	config, err := c.base.Build(client)
	if err != nil {
		return config, err
	}
	create := subsystems.BasicClientContext{HTTP: config}.GetHTTP().CreateHTTPClient // never nil
	config.CreateHTTPClient = func() *http.Client {
		client := *create()
		client.Transport = &environmentIDTransport{next: client.Transport, id: c.id}
		return &client
	}
	return config, nil
}

// DescribeConfiguration implements [subsystems.DiagnosticDescription].
func (c environmentIDConfiguration) DescribeConfiguration(client subsystems.ClientContext) ldvalue.Value {
	if d, ok := c.base.(subsystems.DiagnosticDescription); ok {
		return d.DescribeConfiguration(client)
	}
	return ldvalue.Null()
}

// environmentIDTransport reads the environment ID from responses.
type environmentIDTransport struct {
	next http.RoundTripper // nil means [http.DefaultTransport], as in an [http.Client]
	id   *environmentID
}

// RoundTrip implements [http.RoundTripper].
func (t *environmentIDTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	next := t.next
	if next == nil {
		next = http.DefaultTransport
	}
	response, err := next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if id := response.Header.Get(environmentIDHeader); id != "" && id != t.id.load() {
		t.id.value.Store(id)
	}
	return response, nil
}

// CloseIdleConnections implements the interface used by [http.Client.CloseIdleConnections]. It has
// no effect on the default transport, which is shared.
func (t *environmentIDTransport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok && t.next != http.DefaultTransport {
		c.CloseIdleConnections()
	}
}
