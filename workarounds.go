package launchdarkly

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"

	"github.com/openfeature-launchdarkly/go-provider/internal/httpstop"
)

// This file works around behavior of LaunchDarkly's SDK (as of go-server-sdk 7.15.5) and
// OpenFeature's (as of go-sdk 1.20.0). TestWorkaroundsAreNeeded has a subtest for each part that a
// test can show, which fails once the part can go. The order in which OpenFeature's SDK initializes
// and shuts down providers has a file of its own, registrations.go.

const (
	// settleTime is how long changes of state are held back after an initialization. OpenFeature's
	// SDK emits an event for the result of an initialization some time after that has returned,
	// which would undo one that comes before. A test can't show that; it can go once
	// EvaluationAPI.initNew emits the event in order with those of the provider.
	settleTime = 100 * time.Millisecond
	// dataCheckInterval is how often to check for flag data while there is none. The SDK reports no
	// change of status when a persistent store that was down accepts what was streamed long ago, or
	// when another process fills it.
	dataCheckInterval = 500 * time.Millisecond
	// dataCheckPatience is how long an initialization waits for its last check for flag data, which
	// a persistent store that hangs can hold up.
	dataCheckPatience = 100 * time.Millisecond
)

// knownStatus is a data source status whose state is never unknown. With a DataSystem, the SDK has
// a status without a state until it starts, and offline for good. silent is whether nothing keeps
// the data up to date: the SDK remains in the state INITIALIZING then.
func knownStatus(status interfaces.DataSourceStatus, offline, silent bool) interfaces.DataSourceStatus {
	unknown := status.State == ""
	switch {
	case offline && unknown, silent && unknown, silent && status.State == interfaces.DataSourceStateInitializing:
		status.State = interfaces.DataSourceStateValid
	case unknown:
		status.State = interfaces.DataSourceStateInitializing
	}
	return status
}

// isOvertaken reports whether a status is older than one that arrived before it. The SDK's first
// protocol calls its listeners some time after it has changed the status, so that two changes can
// arrive in the wrong order. A test can't show that; it can go once DataSourceUpdateSinkImpl calls
// them with its lock held, as the second protocol does.
func isOvertaken(status, by interfaces.DataSourceStatus) bool {
	return status.StateSince.Before(by.StateSince)
}

// dataSystemConfiguration notes whether a DataSystem is silent, see knownStatus.
type dataSystemConfiguration struct {
	base   subsystems.ComponentConfigurer[subsystems.DataSystemConfiguration]
	silent bool // valid after Build
}

// Build implements [subsystems.ComponentConfigurer].
func (d *dataSystemConfiguration) Build(client subsystems.ClientContext) (subsystems.DataSystemConfiguration, error) {
	config, err := d.base.Build(client)
	d.silent = len(config.Synchronizers.SynchronizerBuilders) == 0
	return config, err
}

// sendsNoEvents reports whether a configuration turns events off, in the way of the SDK, which does
// not export it.
func sendsNoEvents(config ld.Config) bool {
	null, ok := config.Events.(interface{ IsNullEventProcessorFactory() bool })
	return ok && null.IsNullEventProcessorFactory()
}

// requestStopper ends the HTTP requests of a client that is closed. A client that is closed before
// the first connection of its stream goes on trying to connect for as long as the process lives.
type requestStopper struct {
	stopped context.Context
	cancel  context.CancelFunc

	mu         sync.Mutex
	transports []*httpstop.Transport
}

func newRequestStopper() *requestStopper {
	var r requestStopper
	r.stopped, r.cancel = context.WithCancel(context.Background())
	return &r
}

// wrap returns a client whose requests can be stopped. After that, it responds with a status that
// makes the SDK give up.
func (r *requestStopper) wrap(client *http.Client) *http.Client {
	wrapped := *client
	transport := &httpstop.Transport{Next: client.Transport, Stopped: r.stopped, Status: http.StatusGone}
	wrapped.Transport = transport
	r.mu.Lock()
	defer r.mu.Unlock()
	r.transports = append(r.transports, transport)
	return &wrapped
}

// stop ends all requests, and closes the connections.
func (r *requestStopper) stop() {
	r.cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, transport := range r.transports {
		transport.CloseIdleConnections()
	}
}

// errUnconfirmed is returned for a flush by LaunchDarkly's own event processor that was not
// confirmed.
var errUnconfirmed = errors.New("the event processor did not confirm that everything is delivered")

// flushSDK flushes a client with LaunchDarkly's own event processor until that confirms it, or
// until ctx ends. Nothing ends a FlushAndWait before its timeout, and where there is nothing to
// flush, none is confirmed.
func flushSDK(ctx context.Context, client *ld.LDClient) error {
	const slice = time.Second
	confirmed := make(chan struct{})
	go func() {
		next := time.NewTicker(slice)
		defer next.Stop()
		for ctx.Err() == nil {
			if client.FlushAndWait(slice) {
				close(confirmed)
				return
			}
			select { // an event processor of the application's may return at once
			case <-next.C:
			case <-ctx.Done():
			}
		}
	}()
	select {
	case <-confirmed:
		return nil
	case <-ctx.Done():
		return errUnconfirmed
	}
}
