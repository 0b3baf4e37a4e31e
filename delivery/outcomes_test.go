package delivery_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	ld "github.com/launchdarkly/go-server-sdk/v7"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// hop returns a change of the configuration that puts a proxy between the SDK and the test server's
// events endpoint. handle returns whether it responded; if not, the request is forwarded. It is not
// called for the status page of a Relay Proxy.
func hop(t *testing.T, handle func(w http.ResponseWriter, r *http.Request, body string) bool) func(*fixture, *ld.Config) {
	return func(f *fixture, config *ld.Config) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if r.URL.Path != "/status" && handle(w, r, string(body)) {
				return
			}
			onward, _ := http.NewRequest(r.Method, f.box.URL()+r.URL.Path, strings.NewReader(string(body)))
			onward.Header = r.Header
			response, err := http.DefaultTransport.RoundTrip(onward)
			if err != nil {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			_ = response.Body.Close()
			w.WriteHeader(response.StatusCode)
		}))
		t.Cleanup(server.Close)
		t.Cleanup(http.DefaultClient.CloseIdleConnections)
		config.ServiceEndpoints.Events = server.URL
	}
}

// purchases returns the number of tracked events that arrived.
func (f *fixture) purchases() int { return len(f.box.CustomEvents("purchase")) }

func TestEventsAreKeptWhileTheKeyIsRefused(t *testing.T) {
	var log lines
	f := start(t, rarely(), delivery.WithBackoff(time.Millisecond, 20*time.Millisecond), delivery.WithLogger(logTo(&log)))
	f.box.RefuseEvents(401)
	f.track(0, 100)
	_, _ = f.client.BoolVariation("flag", sandy, false)
	f.undelivered(f.processor.FlushContext(waiting(t)), 100, true, delivery.ErrUnauthorized)
	f.track(100, 100)
	f.undelivered(f.processor.FlushContext(waiting(t)), 200, true, delivery.ErrUnauthorized)
	if s := f.check(); s.Waiting != 200 || s.Dropped.Total() != 0 {
		t.Errorf("%+v", s)
	}
	f.box.AcceptEvents()
	f.flush()
	if f.purchases() != 200 || f.box.EventCount(launchdarklytest.KindSummary) != 1 {
		t.Errorf("%d events, %d summaries", f.purchases(), f.box.EventCount(launchdarklytest.KindSummary))
	}
	if text := log.String(); log.count() != 2 || !strings.Contains(text, "level=ERROR") ||
		!strings.Contains(text, "level=INFO") || !strings.Contains(text, "waiting=") {
		t.Errorf("logged %s", text)
	}
}

func TestShutdownReturnsWhileTheKeyIsRefused(t *testing.T) {
	f := start(t, rarely(), quick())
	f.box.RefuseEvents(401)
	f.track(0, 10)
	f.undelivered(f.processor.Shutdown(waiting(t)), 10, true, delivery.ErrUnauthorized)
	if s := f.check(); s.Dropped.Unauthorized != 10 {
		t.Errorf("%+v", s)
	}
}

// A firewall that rejects the content of one event delays no other event, and no flush waits for
// the rejected one.
func TestRejectedEventDelaysNoOtherEvent(t *testing.T) {
	f := startWith(t, rarely(), hop(t, func(w http.ResponseWriter, _ *http.Request, body string) bool {
		if !strings.Contains(body, "DROP TABLE") {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		return true
	}), quick(), delivery.WithRequestEvents(500))
	const rounds, each = 5, 1_000
	for round := range rounds {
		f.track(round*each, each/2)
		if round == 0 {
			_ = f.client.TrackData("bad", sandy, ldvalue.String("'; DROP TABLE users"))
		}
		f.track(round*each+each/2, each/2)
		f.undelivered(f.processor.FlushContext(waiting(t)), 1, false, delivery.ErrRefused)
		f.arrived((round + 1) * each)
		if s := f.check(); s.Waiting != 1 || s.Dropped.Total() != 0 || s.Repeated != 0 {
			t.Errorf("%+v", s)
		}
	}
	f.track(rounds*each, each)
	f.undelivered(f.processor.Shutdown(waiting(t)), 1, false, delivery.ErrRefused)
	f.arrived((rounds + 1) * each)
}

func TestResponsesOfOtherServices(t *testing.T) {
	html := func(w http.ResponseWriter, status int, body string) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
	for _, c := range []struct {
		name     string
		accepted bool
		respond  func(w http.ResponseWriter)
	}{
		{"a login page is retried", false, func(w http.ResponseWriter) { html(w, http.StatusOK, "Please log in") }},
		{"an empty page is accepted", true, func(w http.ResponseWriter) { html(w, http.StatusAccepted, "") }},
		{"a switch of protocols is retried", false, func(w http.ResponseWriter) {
			connection, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { _ = connection.Close() })
			_, _ = io.WriteString(connection, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var requests atomic.Int32
			f := startWith(t, rarely(), hop(t, func(w http.ResponseWriter, _ *http.Request, _ string) bool {
				if requests.Add(1) > 3 {
					return false
				}
				c.respond(w)
				return true
			}), quick())
			f.track(0, 10)
			f.flush()
			if s := f.check(); s.Delivered != 10 || (s.Retries == 0) != c.accepted {
				t.Errorf("%+v", s)
			}
			if !c.accepted {
				f.arrived(10)
			}
		})
	}
}

// Go's client does not send the SDK key to the host of a redirect, so that a 401 from there is not
// about the key.
func TestUnauthorizedAfterARedirectIsNotAboutTheKey(t *testing.T) {
	var log lines
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(elsewhere.Close)
	away := strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1)
	f := startWith(t, rarely(), hop(t, func(w http.ResponseWriter, r *http.Request, _ string) bool {
		w.Header().Set("Location", away+r.URL.Path)
		w.WriteHeader(http.StatusTemporaryRedirect)
		return true
	}), quick(), delivery.WithLogger(logTo(&log)))
	f.track(0, 10)
	f.client.Flush()
	await(t, "the failures", func() bool { return f.processor.Stats().Retries > 5 }) // enough for a refused key
	f.undelivered(f.processor.FlushContext(over()), 10, true, context.Canceled)
	if text := log.String(); strings.Contains(text, "refuses the SDK key") || !strings.Contains(text, "another host") {
		t.Errorf("logged %s", text)
	}
}

// The log has an excerpt of a failed response, without the SDK key and without data of the events.
func TestLoggedResponses(t *testing.T) {
	redirect := func(to string) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, key string) {
			w.Header().Set("Location", to+key)
			w.WriteHeader(http.StatusTemporaryRedirect)
		}
	}
	refuse := func(format string) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, key string) {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, strings.ReplaceAll(format, "KEY", key))
		}
	}
	for _, c := range []struct {
		name    string
		respond func(w http.ResponseWriter, key string)
		logged  string
	}{
		{"the body", refuse("Event proxy is not enabled"), "Event proxy is not enabled"},
		{"the key in the body", refuse("not you, KEY"), "not you, [SDK key]"},
		{"the key in an invalid Location", redirect("http://["), "[SDK key]"},
		{"the key in a Location", redirect("http://127.0.0.1:1/?key="), "[SDK key]"},
		{"data of an event in the body", refuse(`the value secret@example.com is not acceptable`), "not acceptable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log lines
			f := startWith(t, rarely(), hop(t, func(w http.ResponseWriter, r *http.Request, _ string) bool {
				c.respond(w, r.Header.Get("Authorization"))
				return true
			}), quick(), delivery.WithLogger(logTo(&log)))
			_ = f.client.TrackData("signup", sandy, ldvalue.String("secret@example.com"))
			f.client.Flush()
			await(t, "a line", func() bool { return strings.Contains(log.String(), c.logged) })
			err := f.processor.FlushContext(over())
			f.undelivered(err, 1, true, nil)
			if text := log.String() + err.Error(); strings.Contains(text, f.box.SDKKey()) || strings.Contains(text, "secret@") {
				t.Errorf("logged %s", text)
			}
		})
	}
}

func TestStalledRequestIsLoggedOnce(t *testing.T) {
	t.Parallel() // mostly waiting
	var log lines
	f := start(t, rarely(), delivery.WithLogger(logTo(&log)))
	f.box.DelayEvents(time.Hour)
	f.track(0, 1)
	f.client.Flush()
	await(t, "the line", func() bool { return log.count() > 0 })
	f.box.DelayEvents(0)
	f.flush()
	if text := log.String(); strings.Count(text, "has not answered") != 1 || strings.Count(text, "delivered again") != 1 {
		t.Errorf("logged %s", text)
	}
}

// The rate limit of the log defers losses, but does not omit them.
func TestLogCountsAllDroppedEvents(t *testing.T) {
	var log lines
	f := start(t, rarely(), quick(), delivery.WithMaxEvents(10), delivery.WithMaxWait(0), delivery.WithLogger(logTo(&log)))
	f.box.RefuseEvents(503)
	f.track(0, 10)
	f.client.Flush()
	await(t, "the failure", func() bool { return f.processor.Stats().Retries > 0 })
	f.track(10, 1_000)
	f.box.AcceptEvents()
	f.undelivered(f.processor.FlushContext(waiting(t)), 1_000, false, delivery.ErrQueueFull)
	lost := 0
	for line := range strings.Lines(strings.ReplaceAll(log.String(), " time=", "\ntime=")) {
		var n int
		if i := strings.Index(line, " events="); i >= 0 {
			_, _ = fmt.Sscanf(line[i:], " events=%d", &n)
			lost += n
		}
	}
	if lost != 1_000 || log.count() > 5 {
		t.Errorf("%d events are lost by %d lines: %s", lost, log.count(), &log)
	}
}

func TestIdentifiedContextHasNoIndexEvent(t *testing.T) {
	f := start(t, rarely())
	_ = f.client.Identify(sandy)
	_ = f.client.TrackEvent("purchase", sandy)
	f.flush()
	if n := f.box.EventCount(); n != 2 || f.box.EventCount(launchdarklytest.KindIndex) != 0 {
		t.Errorf("%d events, %s", n, f.box)
	}
}

func TestEachFlushIsOneRequestWithOneSummary(t *testing.T) {
	f := start(t, rarely())
	for round := range 3 {
		for i := range 20 {
			user := ldcontext.New(strconv.Itoa(i))
			_, _ = f.client.BoolVariation("flag", user, false)
			_ = f.client.TrackEvent("purchase", user)
		}
		f.flush()
		if n := len(f.box.Requests()); n != round+1 {
			t.Errorf("%d requests after %d flushes", n, round+1)
		}
		if n := f.box.EventCount(launchdarklytest.KindSummary); n != round+1 {
			t.Errorf("%d summaries after %d flushes", n, round+1)
		}
	}
	if n := f.box.EventCount(launchdarklytest.KindIndex); n != 20 {
		t.Errorf("%d index events", n)
	}
}

func TestRelayProxyWithoutMaxRateIsLogged(t *testing.T) {
	const relay = `{"environments": {"production": {"status": "connected"}}, "status": "healthy", "version": "8.16.0"}`
	for _, c := range []struct {
		name     string
		opts     []delivery.Option
		requests int // of the status page
	}{
		{"a Relay Proxy", nil, 1},
		{"a Relay Proxy with a maximum rate", []delivery.Option{delivery.WithMaxRate(900, time.Second)}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log lines
			var requests atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					requests.Add(1)
					_, _ = io.WriteString(w, relay)
				}
			}))
			t.Cleanup(server.Close)
			f := startWith(t, rarely(), func(_ *fixture, config *ld.Config) { config.ServiceEndpoints.Events = server.URL },
				append(c.opts, delivery.WithLogger(logTo(&log)))...)
			f.track(0, 1)
			f.flush()
			await(t, "the line", func() bool { return log.count() == c.requests })
			_ = f.processor.Close()
			if text := log.String(); strings.Contains(text, "EVENTS_CAPACITY") != (c.requests > 0) || int(requests.Load()) != c.requests {
				t.Errorf("%d requests, logged %s", requests.Load(), text)
			}
		})
	}
}

// A flush still waits for the index event of an event that is sampled out.
func TestSampledOutEventDoesNotEndAFlush(t *testing.T) {
	f := start(t, rarely(), quick())
	f.box.RefuseEvents(503)
	for n := range 4 {
		f.processor.RecordCustomEvent(ldevents.CustomEventData{
			BaseEvent: ldevents.BaseEvent{Context: ldevents.Context(sandy)}, Key: "p", SamplingRatio: ldvalue.NewOptionalInt(0),
		})
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- f.processor.FlushContext(ctx) }()
		await(t, "the event to be left out", func() bool { return f.processor.Stats().SampledOut == uint64(n)+1 })
		cancel()
		f.undelivered(<-result, 0, true, context.Canceled)
	}
	f.box.AcceptEvents()
	f.flush()
	if s := f.check(); s.SampledOut != 4 || s.EvaluationEvents.Waiting != 0 {
		t.Errorf("%+v", s)
	}
}
