package e2e

import (
	"net/http"
	"sync"
	"time"

	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
)

// connection is a program's stream, which a spec can end permanently. It then reports what the
// SDK's data sources report when they stop connecting. Whether a refused SDK key stops them depends
// on the SDK's version: see sdk_version_test.go.
type connection struct {
	stream subsystems.ComponentConfigurer[subsystems.DataSource]

	mu      sync.Mutex
	refused bool
	updates subsystems.DataSourceUpdateSink // of the client that was made last
}

// setRefused makes further connections end, or not any more.
func (c *connection) setRefused(refused bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused = refused
}

// end ends the last connection.
func (c *connection) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	giveUp(c.updates)
}

func giveUp(updates subsystems.DataSourceUpdateSink) {
	updates.UpdateStatus(interfaces.DataSourceStateOff, interfaces.DataSourceErrorInfo{
		Kind: interfaces.DataSourceErrorKindErrorResponse, StatusCode: http.StatusUnauthorized, Time: time.Now(),
	})
}

// Build implements [subsystems.ComponentConfigurer].
func (c *connection) Build(client subsystems.ClientContext) (subsystems.DataSource, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.updates = client.GetDataSourceUpdateSink()
	if c.refused {
		return refusedSource{c.updates}, nil
	}
	return c.stream.Build(client)
}

// refusedSource is a data source that ends when it starts.
type refusedSource struct {
	updates subsystems.DataSourceUpdateSink
}

func (refusedSource) IsInitialized() bool { return false }
func (refusedSource) Close() error        { return nil }

func (s refusedSource) Start(ready chan<- struct{}) {
	giveUp(s.updates)
	close(ready)
}
