package delivery

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const testKey = "sdk-0123 4567/89\"ab+cdef"

// endpointAt returns an endpoint at a URL.
func endpointAt(t *testing.T, address string, client *http.Client) *endpoint {
	t.Helper()
	template, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	template.Header.Set("Authorization", testKey)
	return &endpoint{client: client, template: template, timeout: time.Second, secrets: keyRedactor(testKey)}
}

// texts returns events with the given JSON.
func texts(all ...string) (events []event) {
	for _, text := range all {
		events = append(events, event{json: []byte(text), weight: 1})
	}
	return events
}

func TestBodyIsAJSONArrayOfTheEvents(t *testing.T) {
	for _, all := range [][]string{
		{`{}`},
		{`{"a":1}`, `{"b":[2,3]}`, `{}`},
		{`1`, `"a,b]"`, `null`, `[]`, `{"é":"\u00e9"}`},
	} {
		want := "[" + strings.Join(all, ",") + "]"
		body, length := bodyOf(texts(all...))
		if got, err := io.ReadAll(&body); err != nil || string(got) != want || length != int64(len(want)) {
			t.Errorf("got %s of %d bytes, %v; want %s", got, length, err, want)
		}
	}
}

func TestRequestHasBodyPayloadIDAndHeaders(t *testing.T) {
	p := newPart(texts(`{"a":1}`, `{"b":2}`, `{"c":"ü"}`))
	for _, compress := range []bool{false, true} {
		e := endpointAt(t, "http://127.0.0.1/bulk", nil)
		e.compress = compress
		r := e.request(t.Context(), p)
		if r.Header.Get(payloadIDHeader) != p.id || r.Header.Get("Authorization") != testKey {
			t.Errorf("headers %v", r.Header)
		}
		if e.template.Header.Get(payloadIDHeader) != "" {
			t.Error("the template was modified")
		}
		again, err := r.GetBody()
		if err != nil {
			t.Fatal(err)
		}
		for _, body := range []io.ReadCloser{r.Body, again} { // the second is for a redirect
			sent, err := io.ReadAll(body)
			if err != nil {
				t.Fatal(err)
			}
			if int64(len(sent)) != r.ContentLength {
				t.Errorf("the content length is %d, and the body has %d bytes", r.ContentLength, len(sent))
			}
			if compress {
				zipped, err := gzip.NewReader(bytes.NewReader(sent))
				if err != nil {
					t.Fatal(err)
				}
				sent, _ = io.ReadAll(zipped)
			}
			if string(sent) != `[{"a":1},{"b":2},{"c":"ü"}]` {
				t.Errorf("sent %s", sent)
			}
		}
	}
}

func TestOutcomeOfAResponse(t *testing.T) {
	e := endpointAt(t, "https://events.example/bulk", nil)
	date := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		status   int
		header   map[string]string
		body     string
		redirect string // the URL of the response, if redirected
		want     outcome
		text     string
	}{
		{status: 200, want: outcome{class: passed}},
		{status: 202, want: outcome{class: passed}},
		{status: 204, body: `{"ok": true}`, want: outcome{class: passed}},
		{status: 202, header: map[string]string{"Retry-After": "5"}, want: outcome{class: passed}},
		{status: 202, redirect: "https://elsewhere.example/", want: outcome{class: passed}},
		{status: 200, header: map[string]string{"Content-Type": "text/html; charset=utf-8"}, body: "Log in", text: `status 200: "Log in"`},
		{status: 200, header: map[string]string{"Content-Type": "Text/HTML"}, body: "Log in", text: `status 200: "Log in"`},
		{status: 202, header: map[string]string{"Content-Type": "text/html; charset=utf-8"}, want: outcome{class: passed}},
		{status: 202, body: "<ok/>", want: outcome{class: passed}},
		{status: 202, body: "\r\n <!DOCTYPE html>", text: `status 202: "<!DOCTYPE html>"`},
		{status: 301, text: "status 301"},
		{status: 304, text: "status 304"},
		{status: 400, want: outcome{class: refused}, text: "status 400"},
		{status: 401, body: "no\n", want: outcome{class: refused, keyRefused: true}, text: `status 401: "no"`},
		{status: 403, want: outcome{class: refused, keyRefused: true}, text: "status 403"},
		{status: 401, redirect: "https://elsewhere.example/", text: "status 401 after a redirect to another host"},
		{status: 401, redirect: "https://events.example/other", want: outcome{class: refused, keyRefused: true}, text: "status 401"},
		{status: 403, header: map[string]string{"Content-Type": "text/html"}, body: "no", text: `status 403: "no"`},
		{status: 404, text: "status 404"},
		{status: 406, want: outcome{class: refused}, text: "status 406"},
		{status: 407, text: "status 407"},
		{status: 408, text: "status 408"},
		{status: 413, want: outcome{class: refused, tooLarge: true}, text: "status 413"},
		{status: 422, want: outcome{class: refused}, text: "status 422"},
		{status: 429, header: map[string]string{"Retry-After": "7"}, want: outcome{retryAfter: 7 * time.Second}, text: "status 429"},
		{status: 500, text: "status 500"},
		{status: 502, text: "status 502"},
		{status: 503, body: testKey + " is down", text: `status 503: "[SDK key] is down"`},
		{status: 503, body: strings.Repeat("x", maxExcerpt-5) + testKey, text: `status 503: "` + strings.Repeat("x", maxExcerpt-5) + `[SDK "`},
		{status: 599, text: "status 599"},
	} {
		response := &http.Response{StatusCode: c.status, Header: http.Header{}, Request: e.template}
		response.Header.Set("Date", date.Format(http.TimeFormat))
		for name, value := range c.header {
			response.Header.Set(name, value)
		}
		if c.redirect != "" {
			to, _ := url.Parse(c.redirect)
			response.Request = &http.Request{URL: to}
		}
		got := e.classify(response, []byte(c.body), &part{})
		text := ""
		if got.err != nil {
			text = got.err.Error()
		}
		c.want.status, c.want.date, got.err = c.status, date.Format(http.TimeFormat), nil
		if got != c.want || text != c.text {
			t.Errorf("%d %v %q %s: got %+v, %s; want %+v, %s", c.status, c.header, c.body, c.redirect, got, text, c.want, c.text)
		}
	}
}

func TestRetryAfterInSecondsOrAsADate(t *testing.T) {
	const format = http.TimeFormat
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		value, date string
		want        time.Duration
	}{
		{value: ""},
		{value: "0"},
		{value: "-1"},
		{value: "1", want: time.Second},
		{value: "120", want: 2 * time.Minute},
		{value: "600", want: 10 * time.Minute},
		{value: "601", want: 10 * time.Minute},
		{value: "99999999999999999999", want: 10 * time.Minute},
		{value: "-99999999999999999999"},
		{value: "1.5"},
		{value: "soon"},
		{value: now.Add(90 * time.Second).Format(format), date: now.Format(format), want: 90 * time.Second},
		{value: now.Add(-time.Hour).Format(format), date: now.Format(format)},
		{value: now.Add(time.Hour).Format(format), date: now.Format(format), want: 10 * time.Minute},
		{value: now.Add(30 * time.Second).Format(time.RFC850), date: now.Format(format), want: 30 * time.Second},
		{value: now.Add(30 * time.Second).Format(time.ANSIC), date: now.Format(format), want: 30 * time.Second},
		{value: "Fri, 31 Dec 9999 23:59:59 GMT", date: now.Format(format), want: 10 * time.Minute},
	} {
		header := http.Header{"Retry-After": {c.value}, "Date": {c.date}}
		if got := retryAfter(header); got != c.want {
			t.Errorf("%q at %q: got %v, want %v", c.value, c.date, got, c.want)
		}
	}
	synctest.Test(t, func(t *testing.T) { // without a Date header
		date := time.Now().Add(45 * time.Second).UTC().Format(format)
		if got := retryAfter(http.Header{"Retry-After": {date}}); got != 45*time.Second {
			t.Errorf("got %v", got)
		}
	})
}

// FuzzRetryAfter checks the bounds of the pause, and that there is one only for a number or a date.
func FuzzRetryAfter(f *testing.F) {
	f.Add("120", "")
	f.Add("-1", "Fri, 02 Jan 2026 03:04:05 GMT")
	f.Add("Fri, 02 Jan 2026 03:05:05 GMT", "Fri, 02 Jan 2026 03:04:05 GMT")
	f.Add("Friday, 02-Jan-26 03:05:05 GMT", "yesterday")
	f.Add("99999999999999999999", "")
	f.Fuzz(func(t *testing.T, value, date string) {
		got := retryAfter(http.Header{"Retry-After": {value}, "Date": {date}})
		_, isNumber := new(big.Int).SetString(value, 10)
		_, err := http.ParseTime(value)
		if got < 0 || got > maxRefusedPause || got > 0 && !isNumber && err != nil {
			t.Errorf("%q at %q: %v", value, date, got)
		}
	})
}

func TestRedirectPolicy(t *testing.T) {
	post := &http.Request{Method: http.MethodPost}
	refuses := errors.New("the application's policy")
	for _, c := range []struct {
		name   string
		method string
		via    int
		next   func(*http.Request, []*http.Request) error
		want   error
	}{
		{"keeps the events", http.MethodPost, 1, nil, nil},
		{"loses the events", http.MethodGet, 1, nil, http.ErrUseLastResponse},
		{"loses the events although the policy allows it", http.MethodGet, 1, func(*http.Request, []*http.Request) error { return nil }, http.ErrUseLastResponse},
		{"keeps the events, at the limit", http.MethodPost, maxRedirects - 1, nil, nil},
		{"the policy forbids", http.MethodPost, 1, func(*http.Request, []*http.Request) error { return refuses }, refuses},
	} {
		via := make([]*http.Request, c.via)
		for i := range via {
			via[i] = post
		}
		if err := keepMethod(c.next)(&http.Request{Method: c.method}, via); !errors.Is(err, c.want) {
			t.Errorf("a redirect that %s: %v", c.name, err)
		}
	}
	via := make([]*http.Request, maxRedirects)
	for i := range via {
		via[i] = post
	}
	if err := keepMethod(nil)(post, via); err == nil {
		t.Error("the number of redirects is not limited")
	}
}

func TestKeyRedactor(t *testing.T) {
	inURL := "https://example/?key=" + url.QueryEscape(testKey)
	inPath := "https://example/" + url.PathEscape(testKey)
	for text, want := range map[string]string{
		"":                             "",
		"nothing of it":                "nothing of it",
		testKey:                        "[SDK key]",
		testKey + testKey:              "[SDK key][SDK key]",
		"a " + testKey + " b":          "a [SDK key] b",
		inURL:                          "https://example/?key=[SDK key]",
		inPath:                         "https://example/[SDK key]",
		fmt.Sprintf("%q", "x"+testKey): `"x[SDK key]"`,
		testKey[:len(testKey)-1]:       testKey[:len(testKey)-1],
	} {
		if got := keyRedactor(testKey).Replace(text); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	if got := keyRedactor("").Replace("a b"); got != "a b" {
		t.Errorf("without a key: %s", got)
	}
}

// The excerpt may end within the key.
func TestExcerptNeverHasPartOfTheKey(t *testing.T) {
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

// A request that times out is too large only if some of it was written.
func TestTimeoutWhileWritingIsTooLarge(t *testing.T) {
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
		{"all is read without a response", hang(func(server net.Conn) { _, _ = io.Copy(io.Discard, server) }), false},
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

func TestIsLaunchDarkly(t *testing.T) {
	for host, want := range map[string]bool{
		"launchdarkly.com": true, "events.launchdarkly.com": true, "events.eu.launchdarkly.com": true, "events.launchdarkly.us": true,
		"": false, "127.0.0.1": false, "notlaunchdarkly.com": false, "launchdarkly.com.example": false, "launchdarkly.net": false,
	} {
		if isLaunchDarkly(host) != want {
			t.Errorf("%q: %v", host, !want)
		}
	}
}

func TestRelayProxyIsRecognizedByItsStatusPage(t *testing.T) {
	const page = `{"environments": {"production": {}}, "version": "8.16.0"}`
	for _, c := range []struct {
		name   string
		path   string // of the events
		status string // of the status page
		page   string
		want   bool
	}{
		{"a Relay Proxy", "/bulk", "/status", page, true},
		{"a Relay Proxy below a path", "/relay/bulk", "/relay/status", page, true},
		{"no environments", "/bulk", "/status", `{"version": "1"}`, false},
		{"no version", "/bulk", "/status", `{"environments": {}}`, false},
		{"not JSON", "/bulk", "/status", `<html>`, false},
		{"empty", "/bulk", "/status", ``, false},
		{"a redirect", "/bulk", "/status", `redirect`, false},
		{"a page without end", "/bulk", "/status", `hang`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != c.status || r.Method != http.MethodGet || r.Header.Get("Authorization") != "" {
					t.Errorf("%s %s, %v", r.Method, r.URL, r.Header)
				}
				switch c.page {
				case "redirect":
					http.Redirect(w, r, "/elsewhere", http.StatusFound)
				case "hang":
					_ = http.NewResponseController(w).Flush()
					time.AfterFunc(20*time.Millisecond, cancel)
					<-r.Context().Done()
				default:
					_, _ = io.WriteString(w, c.page)
				}
			}))
			defer server.Close()
			if got := endpointAt(t, server.URL+c.path, server.Client()).isRelay(ctx); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
	t.Run("no request to LaunchDarkly", func(t *testing.T) {
		client := &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			t.Error("a request")
			return nil, io.ErrUnexpectedEOF
		})}
		if endpointAt(t, "https://events.launchdarkly.com/bulk", client).isRelay(t.Context()) {
			t.Error("it is no Relay Proxy")
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }
