package delivery

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const testKey = "sdk-0123 4567/89\"ab+cdef"

// endpointAt is an events service at a URL, reached by a client.
func endpointAt(t *testing.T, address string, client *http.Client) *endpoint {
	t.Helper()
	template, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	template.Header.Set("Authorization", testKey)
	return &endpoint{client: client, template: template, timeout: time.Second, secrets: hideKey(testKey)}
}

// texts are events with the JSON texts.
func texts(all ...string) (events []event) {
	for _, text := range all {
		events = append(events, event{json: []byte(text), weight: 1})
	}
	return events
}

// An echo of the key in the body of a refusal is hidden wherever it is.
func TestKeyIsNotInTheExcerpt(t *testing.T) {
	for before := range maxExcerpt + 10 {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, strings.Repeat(".", before)+r.Header.Get("Authorization")+strings.Repeat(".", 10_000))
		}))
		o := endpointAt(t, server.URL, server.Client()).attempt(t.Context(), newPart(texts(`{}`)))
		server.Close()
		if o.status != http.StatusBadGateway || strings.Contains(o.err.Error(), testKey[:4]) {
			t.Fatalf("%d bytes before it: %v", before, o.err)
		}
		if len(o.err.Error()) > 2*maxExcerpt {
			t.Fatalf("%d bytes are quoted", len(o.err.Error()))
		}
	}
}

// A request is too large for a link only where the link carries some of it.
func TestTimeouts(t *testing.T) {
	hang := func(accept func(server net.Conn)) func(context.Context, string, string) (net.Conn, error) {
		return func(ctx context.Context, _, _ string) (net.Conn, error) {
			client, server := net.Pipe()
			context.AfterFunc(ctx, func() { _ = server.Close() })
			go accept(server)
			return client, nil
		}
	}
	for _, c := range []struct {
		name     string
		dial     func(context.Context, string, string) (net.Conn, error)
		tooLarge bool
	}{
		{"no connection until the request's timeout", func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, false},
		{"no connection until the dialer's timeout", func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}
		}, false},
		{"nothing of the body is read", hang(func(server net.Conn) { _, _ = server.Read(make([]byte, 100)) }), true},
		{"all is read and not answered", hang(func(server net.Conn) { _, _ = io.Copy(io.Discard, server) }), false},
		{"the connection breaks", hang(func(server net.Conn) { _ = server.Close() }), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				transport := &http.Transport{DialContext: c.dial}
				defer transport.CloseIdleConnections()
				e := endpointAt(t, "http://events.example/bulk", &http.Client{Transport: transport})
				p := newPart(texts(`"`+strings.Repeat("x", 1<<20)+`"`, `{}`))
				began := time.Now()
				o := e.attempt(t.Context(), p)
				if o.class != unavailable || o.tooLarge != c.tooLarge || o.err == nil || o.status != 0 {
					t.Errorf("%+v", o)
				}
				if d := time.Since(began); d > e.timeout {
					t.Errorf("it took %v", d)
				}
			})
		})
	}
}
