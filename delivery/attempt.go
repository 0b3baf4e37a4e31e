package delivery

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/launchdarkly/go-server-sdk/v7/subsystems"

	"github.com/openfeature-launchdarkly/go-provider/internal/httpstop"
)

// class is the kind of an outcome.
type class int

const (
	unavailable class = iota // no response, or one that suggests a failure of the service or the network
	refused                  // a 4xx status that may be about the content of the request
	passed                   // a 2xx status: the events are delivered
)

// outcome is the result of one attempt to send a request.
type outcome struct {
	class      class
	status     int           // 0 if there was no response
	tooLarge   bool          // a 413, or a timeout before the whole body was written
	keyRefused bool          // a 401 or 403, which may be about the SDK key
	retryAfter time.Duration // from the Retry-After header; 0 for none
	date       string        // the Date header
	err        error         // why the attempt failed, without the SDK key; nil if it passed
}

const (
	// drainTimeout bounds the time for reading a response body, which is read only to reuse the
	// connection and to log an excerpt.
	drainTimeout = time.Second
	// maxExcerpt bounds the logged excerpt of a response body, in bytes.
	maxExcerpt = 200
	// maxRead bounds the bytes read for the excerpt. It is much greater than maxExcerpt, so that an
	// SDK key cut off at the end of what was read cannot be within the excerpt.
	maxRead = 4 << 10
	// maxRedirects is the limit of [http.Client] without a CheckRedirect function.
	maxRedirects = 10
)

// endpoint sends requests to the events service, or to a proxy in front of it.
type endpoint struct {
	client   *http.Client
	template *http.Request // a request of LaunchDarkly's SDK, for its URL and headers
	timeout  time.Duration
	compress bool
	secrets  *strings.Replacer // replaces the SDK key
}

const (
	payloadIDHeader = "X-LaunchDarkly-Payload-ID"
	schemaHeader    = "X-LaunchDarkly-Event-Schema"
)

// newClient returns an HTTP client with the SDK's configuration and the redirect policy of
// keepMethod, and the timeout of an attempt: the given one, or that of the SDK's client (its
// connect timeout by default) if it is longer.
func newClient(client subsystems.BasicClientContext, timeout time.Duration) (*http.Client, time.Duration) {
	made := client.GetHTTP().CreateHTTPClient()
	if made == nil {
		made = http.DefaultClient // as the SDK does
	}
	own := *made
	own.CheckRedirect = keepMethod(own.CheckRedirect)
	own.Timeout = 0
	return &own, max(timeout, made.Timeout)
}

// keyRedactor returns a replacer that redacts the SDK key: as it is, escaped for a URL, and quoted.
func keyRedactor(key string) *strings.Replacer {
	if key == "" {
		return strings.NewReplacer()
	}
	const hidden = "[SDK key]"
	quoted := strconv.Quote(key)
	return strings.NewReplacer(key, hidden, url.QueryEscape(key), hidden, url.PathEscape(key), hidden,
		quoted[1:len(quoted)-1], hidden)
}

// attempt sends the part in one request, without retrying.
func (e *endpoint) attempt(ctx context.Context, p *part) outcome {
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	var connected, written atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { // also after a redirect
			connected.Store(false)
			written.Store(false)
		},
		GotConn:      func(httptrace.GotConnInfo) { connected.Store(true) },
		WroteRequest: func(info httptrace.WroteRequestInfo) { written.Store(info.Err == nil) },
	})
	response, err := e.client.Do(e.request(ctx, p))
	if err != nil {
		timeout, ok := errors.AsType[interface {
			error
			Timeout() bool
		}](err)
		return outcome{
			err:      e.redacted(err.Error()),
			tooLarge: ok && timeout.Timeout() && connected.Load() && !written.Load(),
		}
	}
	defer response.Body.Close()
	if response.StatusCode < http.StatusOK { // 101: the body is a connection of another protocol
		return e.classify(response, nil, p)
	}
	// Read the body, so that the connection can be reused, but not for long.
	defer time.AfterFunc(drainTimeout, func() {
		cancel()
		_ = response.Body.Close()
	}).Stop()
	excerpt := make([]byte, maxRead)
	n, _ := io.ReadFull(response.Body, excerpt)
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
	return e.classify(response, excerpt[:n], p)
}

// request returns the request for a part: a copy of the template with the part's events and payload
// ID.
func (e *endpoint) request(ctx context.Context, p *part) *http.Request {
	r := e.template.Clone(ctx)
	r.Header.Set(payloadIDHeader, p.id)
	if p.schema != "" {
		r.Header.Set(schemaHeader, p.schema)
	}
	events := mergeSummaries(p.events)
	body, length := bodyOf(events)
	open := func() io.ReadCloser {
		body := slices.Clone(body) // reading it empties it
		return io.NopCloser(&body)
	}
	if e.compress {
		var zipped bytes.Buffer
		w := gzip.NewWriter(&zipped)
		_, _ = io.Copy(w, open()) // neither end can fail
		_ = w.Close()
		r.Header.Set("Content-Encoding", "gzip")
		length = int64(zipped.Len())
		open = func() io.ReadCloser { return io.NopCloser(bytes.NewReader(zipped.Bytes())) }
	}
	r.ContentLength = length
	r.Body = open()
	r.GetBody = func() (io.ReadCloser, error) { return open(), nil }
	return r
}

// classify returns the outcome of a response. A 2xx response with an HTML page is not from an
// events service but, for example, the login page of a captive portal.
func (e *endpoint) classify(response *http.Response, excerpt []byte, p *part) outcome {
	status := response.StatusCode
	o := outcome{status: status, date: response.Header.Get("Date"), retryAfter: retryAfter(response.Header)}
	excerpt = bytes.TrimSpace(excerpt)
	html := len(excerpt) > 0 && strings.HasPrefix(strings.ToLower(response.Header.Get("Content-Type")), "text/html") ||
		beginsWith(excerpt, "<!doctype html") || beginsWith(excerpt, "<html")
	if status >= 200 && status < 300 && !html {
		o.class, o.retryAfter = passed, 0
		return o
	}
	text := fmt.Sprintf("status %d", status)
	if quote := e.secrets.Replace(string(excerpt)); quote != "" {
		text += fmt.Sprintf(": %q", withoutEcho(quote[:min(len(quote), maxExcerpt)], p))
	}
	elsewhere := response.Request != nil && response.Request.URL.Host != e.template.URL.Host
	if elsewhere {
		text += " after a redirect to another host"
	}
	o.err = e.redacted(text)
	switch {
	case html, status < 400, status >= 500:
	case status == http.StatusNotFound, status == http.StatusProxyAuthRequired,
		status == http.StatusRequestTimeout, status == http.StatusTooManyRequests:
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		if !elsewhere {
			o.class, o.keyRefused = refused, true
		}
	default:
		o.class, o.tooLarge = refused, status == http.StatusRequestEntityTooLarge
	}
	return o
}

func beginsWith(text []byte, prefix string) bool {
	return len(text) >= len(prefix) && strings.EqualFold(string(text[:len(prefix)]), prefix)
}

// withoutEcho redacts the words of a response that also occur in the part's events: a service may
// quote the value that it rejects, which can be personal data.
func withoutEcho(text string, p *part) string {
	const shortest = 5
	isSeparator := func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("\"'`<>{}[](),:;=&?", r) }
	for _, word := range strings.FieldsFunc(text, isSeparator) {
		if len(word) >= shortest && p.contains(word) {
			text = strings.ReplaceAll(text, word, "…")
		}
	}
	return text
}

// contains reports whether text occurs in the JSON of any event.
func (p *part) contains(text string) bool {
	return slices.ContainsFunc(p.events, func(e event) bool { return bytes.Contains(e.json, []byte(text)) })
}

func (e *endpoint) redacted(text string) error {
	return errors.New(e.secrets.Replace(text))
}

// closeIdle closes idle connections, except those of [http.DefaultTransport], which the application
// shares.
func (e *endpoint) closeIdle() {
	(&httpstop.Transport{Next: e.client.Transport}).CloseIdleConnections()
}

// retryAfter parses the Retry-After header, which holds seconds or a date (RFC 9110, section
// 10.2.3). A date is compared with the response's Date header, because the local clock may differ
// from the service's by more than the delay.
func retryAfter(header http.Header) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil || errors.Is(err, strconv.ErrRange) { // Atoi returns the nearest int then
		return time.Duration(min(max(seconds, 0), int(maxRefusedPause/time.Second))) * time.Second
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return min(max(date.Sub(now), 0), maxRefusedPause)
}

// keepMethod returns a redirect policy that does not follow a redirect that changes the method to
// GET, as 301, 302 and 303 do: a request without its events could be accepted. next, which may be
// nil, is the policy for all other redirects.
func keepMethod(next func(*http.Request, []*http.Request) error) func(*http.Request, []*http.Request) error {
	return func(request *http.Request, via []*http.Request) error {
		switch {
		case request.Method != via[0].Method:
			return http.ErrUseLastResponse
		case next != nil:
			return next(request, via)
		case len(via) >= maxRedirects:
			return fmt.Errorf("stopped after %d redirects", maxRedirects)
		default:
			return nil
		}
	}
}

// bodyOf returns a reader of the events as a JSON array, and its length. It does not copy the
// events.
func bodyOf(events []event) (body net.Buffers, length int64) {
	syntax := []byte("[,]")
	body = make(net.Buffers, 0, 2*len(events)+1)
	for i := range events {
		body = append(body, syntax[1:2], events[i].json)
		length += int64(len(events[i].json)) + 1
	}
	body[0] = syntax[:1]
	return append(body, syntax[2:]), length + 1
}
