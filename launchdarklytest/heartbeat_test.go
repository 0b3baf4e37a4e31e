package launchdarklytest_test

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// TestIdleStreamsStayConnected lets an hour pass without a flag change. The SDK reconnects a stream
// after five minutes without data.
func TestIdleStreamsStayConnected(t *testing.T) {
	for name, dataSystem := range map[string]bool{"first protocol": false, "second protocol": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				defer time.Sleep(time.Hour) // lets timers of the SDK expire
				memory := newPipeListener()
				box := launchdarklytest.NewServerAt(memory)
				defer box.Close()
				config := box.Config()
				transport := &http.Transport{DialContext: memory.dial}
				defer transport.CloseIdleConnections()
				config.HTTP = ldcomponents.HTTPConfiguration().HTTPClientFactory(
					func() *http.Client { return &http.Client{Transport: transport} })
				config.Events = ldcomponents.NoEvents()
				if dataSystem {
					config.DataSystem = box.DataSystem().Streaming()
				}
				client, err := ld.MakeCustomClient(box.SDKKey(), config, time.Minute)
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				time.Sleep(time.Hour)
				synctest.Wait()
				if state := client.GetDataSourceStatusProvider().GetStatus().State; state != interfaces.DataSourceStateValid {
					t.Errorf("the data source is %s", state)
				}
				if n := len(box.StreamRequests()); n != 1 {
					t.Errorf("the client opened %d streams", n)
				}
			})
		})
	}
}

// pipeListener accepts in-memory connections. With network connections, the bubble's time would not
// advance.
type pipeListener struct {
	accepted  chan net.Conn
	closeOnce sync.Once
	closed    chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{accepted: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accepted:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.closeOnce.Do(func() { close(l.closed) })
	return nil
}

func (*pipeListener) Addr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.accepted <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
