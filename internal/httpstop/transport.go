// Package httpstop provides an HTTP transport that can be stopped, which ends requests in flight
// and fails later ones.
package httpstop

import (
	"context"
	"io"
	"net/http"
	"strconv"
)

// Transport forwards requests to Next until Stopped is done. It then cancels requests in flight,
// and responds to new ones with Status. It is safe for concurrent use.
type Transport struct {
	// Next is the underlying transport. Nil means [http.DefaultTransport], as in an [http.Client].
	Next http.RoundTripper
	// Stopped cancels all requests when it is done.
	Stopped context.Context
	// Status is the status of responses to requests made after Stopped is done.
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
			t.CloseIdleConnections() // a connection dialed for this request would stay open
		}
		return nil, err
	}
	response.Body = &body{ReadCloser: response.Body, release: release}
	return response, nil
}

func stopped(ctx context.Context) bool { return ctx.Err() != nil }

// CloseIdleConnections closes the idle connections of Next, unless it is the shared
// [http.DefaultTransport].
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.Next.(interface{ CloseIdleConnections() }); ok && t.Next != http.DefaultTransport {
		c.CloseIdleConnections()
	}
}

// Respond returns a response to the request with the status and without headers and body.
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

// body releases the resources of its request when it is closed.
type body struct {
	io.ReadCloser
	release func()
}

func (b *body) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}
