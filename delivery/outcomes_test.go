package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// hop puts a handler between the SDK and the box's events endpoint. It answers by itself, or
// returns false to pass the request on.
func hop(t *testing.T, handle func(w http.ResponseWriter, r *http.Request, body string) bool) func(*fixture, *ld.Config) {
	return func(f *fixture, config *ld.Config) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if handle(w, r, string(body)) {
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

// purchases is how many of the tracked events arrived.
func (f *fixture) purchases() int { return len(f.box.CustomEvents("purchase")) }

func TestRefusedKeyIsARetry(t *testing.T) {
	for _, status := range []int{401, 403} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			var log lines
			f := start(t, rarely(), delivery.WithBackoff(time.Millisecond, 20*time.Millisecond), delivery.WithLogger(logTo(&log)))
			f.box.RefuseEvents(status)
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
				t.Errorf("the log says %s", text)
			}
		})
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

// One word of one visitor's costs nobody else anything, and a flush does not wait for it.
func TestOneContentIsRefused(t *testing.T) {
	for name, refuse := range map[string]func(w http.ResponseWriter, r *http.Request){
		"400":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) },
		"403":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"406":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotAcceptable) },
		"422":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnprocessableEntity) },
		"502":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"a hang": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			toHop := hop(t, func(w http.ResponseWriter, r *http.Request, body string) bool {
				if !strings.Contains(body, "DROP TABLE") {
					return false
				}
				refuse(w, r)
				return true
			})
			timeout := time.Minute
			if name == "a hang" {
				timeout = 50 * time.Millisecond
			}
			f := startWith(t, rarely(), func(f *fixture, config *ld.Config) {
				toHop(f, config)
				config.HTTP = ldcomponents.HTTPConfiguration().ConnectTimeout(timeout) // the least of request timeouts
			}, quick(), delivery.WithRequestTimeout(timeout), delivery.WithRequestEvents(500))
			f.track(0, 1_000)
			_ = f.client.TrackData("bad", sandy, ldvalue.String("'; DROP TABLE users"))
			f.track(1_001, 3_000)
			f.undelivered(f.processor.FlushContext(waiting(t)), 1, false, delivery.ErrRefused)
			s := f.check()
			if s.Waiting != 1 || s.Dropped.Total() != 0 || name[0] == '4' && s.Repeated != 0 {
				t.Errorf("%+v", s)
			}
			arrived := make(map[float64]bool)
			for _, e := range f.box.CustomEvents("purchase") {
				arrived[*e.MetricValue] = true
			}
			if twice := f.purchases() - len(arrived); len(arrived) != 4_000 || twice > int(s.Repeated) {
				t.Errorf("%d of 4000 others arrived, %d of them twice, %+v", len(arrived), twice, s)
			}
		})
	}
}

func TestOutageStatusesAreRetried(t *testing.T) {
	for _, status := range []int{404, 407, 408, 429, 500, 502, 503} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			f := start(t, rarely(), quick())
			f.box.RefuseEvents(status, launchdarklytest.Times(1))
			f.track(0, 2_000)
			f.flush()
			f.arrived(2_000)
			if s := f.check(); s.Retries != 1 || s.Dropped.Total() != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestLoginPageIsRetried(t *testing.T) {
	for name, header := range map[string]string{"by its type": "text/html; charset=utf-8", "by its text": ""} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			f := startWith(t, rarely(), hop(t, func(w http.ResponseWriter, _ *http.Request, _ string) bool {
				if asked.Add(1) > 3 {
					return false
				}
				if header != "" {
					w.Header().Set("Content-Type", header)
				}
				_, _ = w.Write([]byte("<html>Please log in</html>"))
				return true
			}), quick())
			f.track(0, 10)
			f.flush()
			f.arrived(10)
			if s := f.check(); s.Retries < 2 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestKeyIsNotToBlameAfterARedirectToAnotherHost(t *testing.T) {
	var log lines
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized) // Go's client does not send the key there
	}))
	t.Cleanup(elsewhere.Close)
	away := strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1)
	f := startWith(t, rarely(), hop(t, func(w http.ResponseWriter, r *http.Request, _ string) bool {
		w.Header().Set("Location", away+r.URL.Path)
		w.WriteHeader(http.StatusTemporaryRedirect)
		return true
	}), quick(), delivery.WithLogger(logTo(&log)))
	f.track(0, 10)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- f.processor.FlushContext(ctx) }()
	await(t, "the failures", func() bool { return f.processor.Stats().Retries > 5 }) // more than say that it is the key
	cancel()
	f.undelivered(<-result, 10, true, context.Canceled)
	if text := log.String(); strings.Contains(text, "refuses the SDK key") || !strings.Contains(text, "another host") {
		t.Errorf("the log says %s", text)
	}
}

// A server may send back what it got, in whatever place.
func TestKeyIsNeverLogged(t *testing.T) {
	for name, echo := range map[string]func(w http.ResponseWriter, key string){
		"Location": func(w http.ResponseWriter, key string) {
			w.Header().Set("Location", "http://["+key)
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
		"body": func(w http.ResponseWriter, key string) {
			w.WriteHeader(http.StatusTeapot)
			_, _ = fmt.Fprintf(w, "not you, %s", key)
		},
		"query": func(w http.ResponseWriter, key string) {
			w.Header().Set("Location", "http://127.0.0.1:1/?key="+key)
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var log lines
			f := startWith(t, rarely(), hop(t, func(w http.ResponseWriter, r *http.Request, _ string) bool {
				echo(w, r.Header.Get("Authorization"))
				return true
			}), quick(), delivery.WithLogger(logTo(&log)))
			f.track(0, 1)
			f.client.Flush()
			await(t, "a line", func() bool { return log.count() > 0 })
			err := f.processor.FlushContext(over())
			f.undelivered(err, 1, true, nil)
			if text := log.String() + err.Error(); strings.Contains(text, f.box.SDKKey()) {
				t.Errorf("the log says %s", text)
			}
		})
	}
}

// A Relay Proxy says in the body of its refusal what is wrong.
func TestRefusalIsQuoted(t *testing.T) {
	var log lines
	f := startWith(t, rarely(), hop(t, func(w http.ResponseWriter, _ *http.Request, _ string) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("Event proxy is not enabled"))
		return true
	}), quick(), delivery.WithLogger(logTo(&log)))
	f.track(0, 1)
	f.client.Flush()
	await(t, "the line", func() bool { return strings.Contains(log.String(), "Event proxy is not enabled") })
}

// Requests that can't be written in time become smaller.
func TestSlowLink(t *testing.T) {
	t.Parallel() // it mostly waits
	const perSecond = 4 << 20
	f := startWith(t, rarely(), func(f *fixture, config *ld.Config) {
		config.ServiceEndpoints.Events = slowLink(t, strings.TrimPrefix(f.box.URL(), "http://"), perSecond)
		config.HTTP = ldcomponents.HTTPConfiguration().ConnectTimeout(50 * time.Millisecond)
	}, quick(), delivery.WithRequestTimeout(100*time.Millisecond))
	large := ldvalue.String(strings.Repeat("x", 4_000))
	const events = 250 // about a quarter of a second
	for i := range events {
		_ = f.client.TrackMetric("purchase", sandy, float64(i), large)
	}
	f.flush()
	arrived := make(map[float64]bool)
	for _, e := range f.box.CustomEvents("purchase") {
		arrived[*e.MetricValue] = true
	}
	if len(arrived) != events {
		t.Errorf("%d of %d events arrived", len(arrived), events)
	}
	if twice := f.purchases() - events; twice > int(f.check().Repeated) {
		t.Errorf("%d arrived twice, %d are counted", twice, f.check().Repeated)
	}
}

// slowLink forwards connections at so many bytes a second in one direction.
func slowLink(t *testing.T, to string, perSecond int) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			_ = from.(*net.TCPConn).SetReadBuffer(16 << 10)
			onward, err := net.Dial("tcp", to)
			if err != nil {
				_ = from.Close()
				continue
			}
			go func() {
				defer onward.Close()
				buffer := make([]byte, perSecond/100)
				tick := time.NewTicker(10 * time.Millisecond)
				defer tick.Stop()
				for range tick.C {
					n, err := from.Read(buffer)
					if err != nil {
						return
					}
					if _, err := onward.Write(buffer[:n]); err != nil {
						return
					}
				}
			}()
			go func() {
				defer from.Close()
				_, _ = io.Copy(from, onward)
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}

func TestStalledRequestIsLoggedOnce(t *testing.T) {
	t.Parallel() // it mostly waits
	var log lines
	f := start(t, rarely(), delivery.WithLogger(logTo(&log)))
	f.box.DelayEvents(time.Hour)
	f.track(0, 1)
	f.client.Flush()
	await(t, "the line", func() bool { return log.count() > 0 })
	f.box.DelayEvents(0)
	f.flush()
	if text := log.String(); strings.Count(text, "has not answered") != 1 || strings.Count(text, "delivered again") != 1 {
		t.Errorf("the log says %s", text)
	}
}

// The lines are few, and their numbers are those of all events.
func TestLostEventsAreCountedInTheLog(t *testing.T) {
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

func TestIdentifyDescribesTheContext(t *testing.T) {
	f := start(t, rarely())
	_ = f.client.Identify(sandy)
	_ = f.client.TrackEvent("purchase", sandy)
	f.flush()
	if n := f.box.EventCount(); n != 2 || f.box.EventCount(launchdarklytest.KindIndex) != 0 {
		t.Errorf("%d events, %s", n, f.box)
	}
}

// As many requests as the bare SDK, and each context is described once.
func TestRequestsAreAsFewAsTheSDKs(t *testing.T) {
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

// Only a Relay Proxy is warned of, and only where nothing has been done about it.
func TestRelayProxyIsWarnedOf(t *testing.T) {
	const relay = `{"environments": {"production": {"status": "connected"}}, "status": "healthy", "version": "8.16.0"}`
	for name, c := range map[string]struct {
		page string
		opts []delivery.Option
		warn bool
	}{
		"a Relay Proxy":               {relay, nil, true},
		"a Relay Proxy that is paced": {relay, []delivery.Option{delivery.WithMaxRate(900, time.Second)}, false},
		"something else":              {`{"status": "ok"}`, nil, false},
		"a page":                      {`<html>`, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			var log lines
			asked := make(chan http.Header, 10)
			f := startWith(t, rarely(), hop(t, func(w http.ResponseWriter, r *http.Request, _ string) bool {
				if r.Method != http.MethodGet {
					return false
				}
				asked <- r.Header
				_, _ = w.Write([]byte(c.page))
				return true
			}), append(c.opts, delivery.WithLogger(logTo(&log)))...)
			if c.opts == nil {
				if header := <-asked; header.Get("Authorization") != "" {
					t.Error("the SDK key was sent")
				}
			}
			f.track(0, 1)
			f.flush()
			if c.warn {
				await(t, "the warning", func() bool { return log.count() > 0 })
			}
			_ = f.processor.Close()
			if text := log.String(); strings.Contains(text, "EVENTS_CAPACITY") != c.warn || len(asked) > 0 {
				t.Errorf("the log says %s, asked %d times more", text, len(asked))
			}
		})
	}
}

func TestDropErrorNamesTheCause(t *testing.T) {
	err := error(&delivery.DropError{Cause: fmt.Errorf("%w: status 422", delivery.ErrRefused), Events: 2})
	if !errors.Is(err, delivery.ErrRefused) || err.Error() != "2 tracked events dropped: "+delivery.ErrRefused.Error()+": status 422" {
		t.Error(err)
	}
}

func TestSampledOutEventsEndNoFlush(t *testing.T) {
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

// What is not formatted yet is part of a flush, also while one event is refused by itself.
func TestRefusedEventHoldsUpNobody(t *testing.T) {
	f := startWith(t, rarely(), hop(t, func(w http.ResponseWriter, _ *http.Request, body string) bool {
		if strings.Contains(body, "DROP TABLE") {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	}), quick())
	_ = f.client.TrackData("bad", sandy, ldvalue.String("'; DROP TABLE users"))
	for round := range 20 {
		f.track(round*500, 500)
		f.undelivered(f.processor.FlushContext(waiting(t)), 1, false, delivery.ErrRefused)
		if n := f.purchases(); n != (round+1)*500 {
			t.Fatalf("%d of %d others arrived", n, (round+1)*500)
		}
	}
	f.track(10_000, 500)
	f.undelivered(f.processor.Shutdown(waiting(t)), 1, false, delivery.ErrRefused)
	f.arrived(10_500)
}

func TestSwitchedProtocolIsAFailure(t *testing.T) {
	var asked atomic.Int32
	f := startWith(t, rarely(), hop(t, func(w http.ResponseWriter, _ *http.Request, _ string) bool {
		if asked.Add(1) > 3 {
			return false
		}
		connection, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return true
		}
		t.Cleanup(func() { _ = connection.Close() })
		_, _ = io.WriteString(connection, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
		return true
	}), quick())
	f.track(0, 10)
	f.flush()
	f.arrived(10)
}

func TestEmptyPageIsAccepted(t *testing.T) {
	f := startWith(t, rarely(), hop(t, func(w http.ResponseWriter, r *http.Request, _ string) bool {
		if r.Method != http.MethodPost {
			return false
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusAccepted)
		return true
	}))
	f.track(0, 10)
	f.flush()
	if s := f.check(); s.Delivered != 10 || s.Retries != 0 {
		t.Errorf("%+v", s)
	}
}

func TestRefusalDoesNotEchoEventsIntoTheLog(t *testing.T) {
	var log lines
	f := startWith(t, rarely(), hop(t, func(w http.ResponseWriter, r *http.Request, _ string) bool {
		if r.Method != http.MethodPost {
			return false
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = fmt.Fprint(w, `the value secret@example.com of "email" is not acceptable`)
		return true
	}), quick(), delivery.WithLogger(logTo(&log)))
	_ = f.client.TrackData("signup", sandy, ldvalue.String("secret@example.com"))
	f.client.Flush()
	await(t, "the line", func() bool { return strings.Contains(log.String(), "not acceptable") })
	if text := log.String(); strings.Contains(text, "secret@") {
		t.Errorf("the log says %s", text)
	}
}

// Each of several flushes that began before a loss was reported reports it.
func TestLossIsReportedByEveryOpenFlush(t *testing.T) {
	f := start(t, rarely(), quick(), delivery.WithMaxEvents(10), delivery.WithMaxWait(0))
	f.box.RefuseEvents(503)
	f.track(0, 10)
	f.client.Flush()
	await(t, "the failure", func() bool { return f.processor.Stats().Retries > 0 })
	f.track(10, 5)
	results := make(chan error, 20)
	var begun sync.WaitGroup
	for range cap(results) {
		begun.Add(1)
		go func() {
			begun.Done()
			results <- f.processor.FlushContext(waiting(t))
		}()
	}
	begun.Wait()
	f.box.AcceptEvents()
	for range cap(results) {
		<-results
	}
	if err := f.processor.FlushContext(waiting(t)); err != nil {
		t.Errorf("the loss is reported again: %v", err)
	}
}
