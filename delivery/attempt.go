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

// class is what an answer means for the schedule.
type class int

const (
	unavailable class = iota // no answer, or one that another attempt may change
	refused                  // a 4xx that is about the request
	passed
)

// outcome is how an attempt at a request ended.
type outcome struct {
	class      class
	status     int  // 0 without an answer
	tooLarge   bool // a 413, or a timeout while the body was being written: the service did not get all of it
	keyRefused bool // an answer that may be about the SDK key
	retryAfter time.Duration
	date       string // of the service
	err        error  // what went wrong, without the SDK key; nil if it passed
}

const (
	// drainTimeout is how long the rest of a response may take, of which only the status counts.
	drainTimeout = time.Second
	// maxExcerpt is how much of a refusal's body is logged.
	maxExcerpt = 200
	// maxRead is how much of it is read for that: where it is cut, no part of the SDK key may be in
	// the excerpt.
	maxRead = 4 << 10
	// maxRedirects is as many as Go's HTTP client follows unless it is told otherwise.
	maxRedirects = 10
)

// endpoint is the events service, or what is in its place.
type endpoint struct {
	client   *http.Client
	template *http.Request // of LaunchDarkly's SDK: the URL and the headers
	timeout  time.Duration
	compress bool
	secrets  *strings.Replacer // hides the SDK key
}

const (
	payloadIDHeader = "X-LaunchDarkly-Payload-ID"
	schemaHeader    = "X-LaunchDarkly-Event-Schema"
)

// newClient makes an HTTP client as the SDK would, with our rule for redirects. Each attempt has a
// timeout of its own: the client's, which the SDK sets to its connect timeout, where that is
// longer.
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

// hideKey returns what replaces the SDK key in texts of others, as it is and as it would be in a
// URL.
func hideKey(key string) *strings.Replacer {
	if key == "" {
		return strings.NewReplacer()
	}
	const hidden = "[SDK key]"
	quoted := strconv.Quote(key)
	return strings.NewReplacer(key, hidden, url.QueryEscape(key), hidden, url.PathEscape(key), hidden,
		quoted[1:len(quoted)-1], hidden)
}

// attempt sends a part once.
func (e *endpoint) attempt(ctx context.Context, p *part) outcome {
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	var connected, written atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { connected.Store(false) },
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
			err:      e.hidden(err.Error()),
			tooLarge: ok && timeout.Timeout() && connected.Load() && !written.Load(),
		}
	}
	defer response.Body.Close()
	if response.StatusCode < http.StatusOK { // the connection is no longer one for requests
		return e.classify(response, nil, p)
	}
	// The rest is read so that the connection can be used again, which is worth no long wait.
	defer time.AfterFunc(drainTimeout, func() {
		cancel()
		_ = response.Body.Close()
	}).Stop()
	excerpt := make([]byte, maxRead)
	n, _ := io.ReadFull(response.Body, excerpt)
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
	return e.classify(response, excerpt[:n], p)
}

// request makes the request for a part: the one of LaunchDarkly's SDK, with our body and payload
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

// classify decides what an answer means. A 2xx with an HTML page is a login page or the like, and
// no service for events.
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
	if quote := withoutEcho(e.secrets.Replace(string(excerpt)), p); quote != "" {
		text += fmt.Sprintf(": %q", quote[:min(len(quote), maxExcerpt)])
	}
	elsewhere := response.Request != nil && response.Request.URL.Host != e.template.URL.Host
	if elsewhere {
		text += " after a redirect to another host"
	}
	o.err = e.hidden(text)
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

// withoutEcho replaces the words of a refusal that are also in the events, such as the value that
// it complains about: it can be personal data.
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

// contains reports whether the JSON of one of the events contains a text.
func (p *part) contains(text string) bool {
	return slices.ContainsFunc(p.events, func(e event) bool { return bytes.Contains(e.json, []byte(text)) })
}

func (e *endpoint) hidden(text string) error {
	return errors.New(e.secrets.Replace(text))
}

// closeIdle ends the goroutines of connections that are kept for later, other than those of
// everybody.
func (e *endpoint) closeIdle() {
	(&httpstop.Transport{Next: e.client.Transport}).CloseIdleConnections()
}

// retryAfter parses Retry-After, in seconds or as a date (RFC 9110, section 10.2.3). A date is by
// the service's clock, which the answer has: ours may be wrong by more than what it asks for.
func retryAfter(header http.Header) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil || errors.Is(err, strconv.ErrRange) { // of too many, the most
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

// keepMethod does not follow a redirect that turns the request into a GET, as 301, 302 and 303 do:
// without its events, it would seem to be accepted. next is the client's own policy, if it has one.
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

// bodyOf returns a reader of events as a JSON array, without a copy of them, and its length.
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
