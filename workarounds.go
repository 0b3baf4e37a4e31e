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
// OpenFeature's SDK (as of go-sdk 1.20.0). TestWorkaroundsAreNeeded has a subtest for each
// workaround that a test can cover, and the subtest fails once the workaround is no longer needed.
// For the order in which OpenFeature's SDK initializes and shuts down providers, see
// registrations.go.

const (
	// settleTime is how long state changes are held back after an initialization. OpenFeature's SDK
	// emits the event for the result of an initialization some time after it has returned, and that
	// event would overwrite the state of an earlier one. No test can show this. The delay can be
	// removed once EvaluationAPI.initNew emits the event in order with those of the provider.
	settleTime = 100 * time.Millisecond
	// dataCheckInterval is how often to check for flag data while there is none. The SDK reports no
	// change of status when a persistent store recovers and accepts data received earlier, or when
	// another process fills the store.
	dataCheckInterval = 500 * time.Millisecond
	// dataCheckPatience is how long an initialization waits for its last check for flag data, which
	// a persistent store can block.
	dataCheckPatience = 100 * time.Millisecond
)

// knownStatus replaces an unknown state in a data source status. With a DataSystem, the SDK reports
// no state until it starts, and none at all when offline. silent reports whether nothing keeps the
// data up to date; the SDK then remains in the state INITIALIZING.
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

// isOvertaken reports whether a status is older than one that arrived before it. With
// LaunchDarkly's first protocol, the SDK calls its listeners some time after it has changed the
// status, so two changes can arrive in the wrong order. No test can show this. The check can be
// removed once DataSourceUpdateSinkImpl calls the listeners with its lock held, as it does with the
// second protocol.
func isOvertaken(status, by interfaces.DataSourceStatus) bool {
	return status.StateSince.Before(by.StateSince)
}

// dataSystemConfiguration records whether a DataSystem is silent, see knownStatus.
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

// sendsNoEvents reports whether a configuration turns events off. It checks this as the SDK does,
// which does not export its check.
func sendsNoEvents(config ld.Config) bool {
	null, ok := config.Events.(interface{ IsNullEventProcessorFactory() bool })
	return ok && null.IsNullEventProcessorFactory()
}

// requestStopper stops the HTTP requests of a closed client. A client that is closed before its
// stream has connected for the first time continues to connect for as long as the process runs.
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

// wrap returns a client whose requests can be stopped. A stopped request gets a response with a
// status that makes the SDK stop retrying.
func (r *requestStopper) wrap(client *http.Client) *http.Client {
	wrapped := *client
	transport := &httpstop.Transport{Next: client.Transport, Stopped: r.stopped, Status: http.StatusGone}
	wrapped.Transport = transport
	r.mu.Lock()
	defer r.mu.Unlock()
	r.transports = append(r.transports, transport)
	return &wrapped
}

// stop stops all requests and closes the connections.
func (r *requestStopper) stop() {
	r.cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, transport := range r.transports {
		transport.CloseIdleConnections()
	}
}

// errUnconfirmed is returned by flushSDK if LaunchDarkly's event processor did not confirm the
// flush.
var errUnconfirmed = errors.New("the event processor did not confirm that everything is delivered")

// flushSDK flushes a client with LaunchDarkly's event processor until the processor confirms it or
// ctx is done. FlushAndWait cannot be interrupted, and never confirms if there is nothing to flush.
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
