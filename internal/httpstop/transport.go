// Package httpstop stops HTTP clients that others hold: requests under way, and all later ones.
package httpstop

import (
	"context"
	"io"
	"net/http"
	"strconv"
)

// Transport passes requests on until Stopped is done. From then on it ends those under way, and answers new ones itself.
// It is safe for concurrent use.
type Transport struct {
	// Next takes the requests; nil means [http.DefaultTransport], as in an [http.Client].
	Next http.RoundTripper
	// Stopped ends everything.
	Stopped context.Context
	// Status is the answer to requests that come too late.
	Status int
}

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if stopped(t.Stopped) {
		return Respond(request, t.Status), nil
	}
	ctx, cancel := context.WithCancel(request.Context())
	stop := context.AfterFunc(t.Stopped, cancel)
	release := func() { stop(); cancel() }
	next := t.Next
	if next == nil {
		next = http.DefaultTransport
	}
	response, err := next.RoundTrip(request.WithContext(ctx))
	if err != nil {
		release()
		if stopped(t.Stopped) {
			t.CloseIdleConnections() // one that is still being dialled for this request would idle on
		}
		return nil, err
	}
	response.Body = &body{ReadCloser: response.Body, release: release}
	return response, nil
}

func stopped(ctx context.Context) bool { return ctx.Err() != nil }

// CloseIdleConnections passes on the call of [http.Client.CloseIdleConnections], other than to the default transport,
// which is everybody's.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.Next.(interface{ CloseIdleConnections() }); ok && t.Next != http.DefaultTransport {
		c.CloseIdleConnections()
	}
}

// Respond answers a request without a server, and with nothing but a status.
func Respond(request *http.Request, status int) *http.Response {
	if request.Body != nil {
		_ = request.Body.Close() // as every RoundTripper must
	}
	return &http.Response{
		Status:     strconv.Itoa(status) + " " + http.StatusText(status),
		StatusCode: status,
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     http.Header{},
		Body:       http.NoBody,
		Request:    request,
	}
}

// body frees what its request holds once it is closed.
type body struct {
	io.ReadCloser
	release func()
}

func (b *body) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}
