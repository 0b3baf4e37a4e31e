package relay

import (
	"slices"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/program"
	"github.com/openfeature-launchdarkly/go-provider/internal/relayserver"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// Settings of the Relay Proxy.
const (
	forwardEvents = "USE_EVENTS=true"
	largeCapacity = "EVENTS_CAPACITY=100000"
	flushOften    = "EVENTS_FLUSH_INTERVAL=50ms"
	noForwarding  = "USE_EVENTS=false"
)

// relay is a Relay Proxy in front of LaunchDarkly in a box.
type relay struct {
	*relayserver.Server
	box *launchdarklytest.Server
}

// startRelay starts a Relay Proxy that serves the box's flags, and forwards events with a short
// flush interval.
func startRelay(box *launchdarklytest.Server, settings ...string) *relay {
	GinkgoHelper()
	return startRelayWith(box, append([]string{forwardEvents, largeCapacity, flushOften}, settings...)...)
}

// startRelayWith starts a Relay Proxy that serves the box's flags, with these settings only.
func startRelayWith(box *launchdarklytest.Server, settings ...string) *relay {
	GinkgoHelper()
	server, err := relayserver.Start(program.Waiting(), relayserver.Config{
		SDKKey:   box.SDKKey(),
		Upstream: box.URL(),
		Settings: slices.Concat([]string{"DISCONNECTED_STATUS_TIME=1s"}, settings),
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(server.Stop)
	return &relay{server, box}
}

// start restarts a stopped relay.
func (r *relay) start() {
	GinkgoHelper()
	Expect(r.Start(program.Waiting())).To(Succeed())
}

// config returns the configuration of a service behind the relay.
func (r *relay) config() ld.Config {
	config := r.box.Config() // for its short reconnect delay
	config.ServiceEndpoints = ldcomponents.RelayProxyEndpoints(r.URL())
	return config
}
