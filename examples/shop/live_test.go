package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// stream is an open stream of /live.
type stream struct {
	t      *testing.T
	lines  *bufio.Scanner
	lastID string
}

func watch(t *testing.T, shop string, lastID string) *stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, shop+"/live/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		request.Header.Set("Last-Event-ID", lastID)
	}
	response, err := newHTTPVisitor(t, shop).client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s, %s", response.Status, response.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	return &stream{t: t, lines: lines}
}

// until reads updates until one satisfies the condition. It returns its state and all rows received
// so far.
func (s *stream) until(condition func(state) bool) (state, []row) {
	s.t.Helper()
	var rows []row
	var u update
	for s.lines.Scan() {
		if id, ok := strings.CutPrefix(s.lines.Text(), "id: "); ok {
			s.lastID = id
		}
		data, ok := strings.CutPrefix(s.lines.Text(), "data: ")
		if !ok {
			continue
		}
		u = update{}
		if err := json.Unmarshal([]byte(data), &u); err != nil {
			s.t.Fatal(err)
		}
		if rows = append(rows, u.Rows...); condition(u.State) {
			return u.State, rows
		}
	}
	s.t.Fatalf("the stream ended (%v) with %+v", s.lines.Err(), u.State)
	return state{}, nil
}

// buyMug buys a mug as a new visitor.
func buyMug(t *testing.T, shop string) {
	t.Helper()
	v := newHTTPVisitor(t, shop)
	v.post("/cart", "product", "mug", "change", "1")
	v.get("/checkout")
	v.post("/checkout")
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.ReplaceAll(text, ",", ""))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestStreamShowsReceivedEvents(t *testing.T) {
	shop := startShop(t, settings{})
	browser := watch(t, shop.url, "")
	s, rows := browser.until(func(state) bool { return true })
	if s.Tracked != "0" || !s.Up || len(rows) != 0 || s.Status != "Nothing is tracked yet." ||
		s.Nothing != "Nothing yet. Buy something, or send visitors." {
		t.Errorf("it begins with %+v, %v", s, rows)
	}

	buyMug(t, shop.url)
	s, rows = browser.until(func(s state) bool { return s.Arrived == "2" && s.Settled })
	if s.Tracked != "2" || s.Delivered != "2" || s.Waiting != "0" || s.Lost != "0" || s.Nothing != "" ||
		s.Status != "Everything that was tracked has arrived." {
		t.Errorf("it shows %+v", s)
	}
	if len(rows) != 2 || rows[0].Kind != "exposure" || rows[1].Kind != "checkout" || rows[1].Title != "Bought for €24.00" ||
		rows[1].Detail != "1 × mug" || rows[0].Letter == "" || rows[0].Letter != rows[1].Letter {
		t.Errorf("it lists %+v", rows)
	}
	if number(t, s.Sides[0].Visitors)+number(t, s.Sides[1].Visitors) != 1 {
		t.Errorf("the sides are %+v", s.Sides)
	}

	// A browser that reconnects receives the rows that it missed; one from an earlier run receives
	// all rows.
	if _, missed := watch(t, shop.url, "1").until(func(state) bool { return true }); len(missed) != 1 || missed[0].Number != 2 {
		t.Errorf("after the first event, it lists %+v", missed)
	}
	if _, all := watch(t, shop.url, "1000").until(func(state) bool { return true }); len(all) != 2 {
		t.Errorf("for a browser of an earlier run, it lists %+v", all)
	}
}

func TestDeliversEventsAfterAnOutage(t *testing.T) {
	shop := startShop(t, settings{})
	browser := watch(t, shop.url, "")
	v := newHTTPVisitor(t, shop.url)

	v.post("/live/service", "up", "false")
	browser.until(func(s state) bool { return !s.Up })
	for range 3 {
		buyMug(t, shop.url)
	}
	s, rows := browser.until(func(s state) bool { return s.Waiting == "6" })
	if s.Tracked != "6" || s.Arrived != "0" || s.Delivered != "0" || s.Settled || len(rows) != 0 ||
		s.Nothing != "Nothing arrives while the events service is down." {
		t.Errorf("in the outage, it shows %+v, %v", s, rows)
	}
	if _, page := v.get("/live"); !strings.Contains(page, `aria-checked="false"`) || !strings.Contains(page, "The events service is down.") {
		t.Error("the page does not show the outage")
	}

	v.post("/live/service", "up", "true")
	s, rows = browser.until(func(s state) bool { return s.Settled })
	if s.Tracked != "6" || s.Arrived != "6" || s.Delivered != "6" || s.Waiting != "0" || s.Lost != "0" || len(rows) != 6 {
		t.Errorf("after the outage, it shows %+v, %v", s, rows)
	}
}

func TestRunsOneSimulationAtATime(t *testing.T) {
	l := &live{starts: make(chan struct{}, 1)}
	start := func() {
		l.simulate(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/live/simulation", nil))
	}
	start()
	<-l.starts // running
	start()
	if len(l.starts) != 0 {
		t.Error("a second simulation is queued")
	}
}

func TestSimulation(t *testing.T) {
	shop := startShop(t, settings{pace: 1})
	browser := watch(t, shop.url, "")
	v := newHTTPVisitor(t, shop.url)
	v.post("/live/simulation")
	s, _ := browser.until(func(s state) bool { return !s.Running && s.Done == s.Total && s.Settled && s.Tracked != "0" })

	a, b := s.Sides[0], s.Sides[1]
	if got := number(t, a.Visitors) + number(t, b.Visitors); got != simulatedVisitors || got != s.Total {
		t.Errorf("%d visitors: %+v", got, s)
	}
	bought := number(t, a.Conversions) + number(t, b.Conversions)
	if bought == 0 || number(t, s.Arrived) != simulatedVisitors+bought {
		t.Errorf("%d bought, and %s events arrived", bought, s.Arrived)
	}
	if s.Progress != "200 visitors have been there" || a.Seen <= 0 || a.Seen > 100 || a.Bought <= 0 || a.Bought > a.Seen {
		t.Errorf("it shows %+v", s)
	}
}

func TestStreamsAreBounded(t *testing.T) {
	shop := startShop(t, settings{})
	for range maxStreams {
		watch(t, shop.url, "").until(func(state) bool { return true })
	}
	v := newHTTPVisitor(t, shop.url)
	response, _ := v.get("/live/events")
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
		t.Errorf("a stream above the limit: %s", response.Status)
	}
}

// TestStreamOutlivesTheTimeouts uses a server with a short write timeout, which must not end the
// stream.
func TestStreamOutlivesTheTimeouts(t *testing.T) {
	const patience = 500 * time.Millisecond
	shop := startShop(t, settings{})
	server := newServer(shop.app)
	server.ReadTimeout, server.WriteTimeout = patience, patience
	impatient := httptest.NewUnstartedServer(nil)
	impatient.Config = server
	impatient.Start()
	t.Cleanup(impatient.Close)

	browser := watch(t, impatient.URL, "")
	for tracked, begin := 0, time.Now(); time.Since(begin) < 3*patience; tracked += 2 {
		browser.until(func(s state) bool { return s.Settled && s.Arrived == count(tracked) })
		buyMug(t, shop.url)
	}
}

// boundless is a backend with more events than the page lists.
type boundless struct {
	backend
	events []event
}

func (b boundless) delivery() deliveryCounts { return deliveryCounts{} }
func (b boundless) accepts() bool            { return true }

func (b boundless) received(ctx context.Context, after int) ([]event, int, error) {
	if after < len(b.events) {
		return b.events[after:], len(b.events), nil
	}
	<-ctx.Done()
	return nil, 0, ctx.Err()
}

func TestHistoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 3*maxRows + 7
		app := newApplication(nil, boundless{events: make([]event, many)}, settings{})
		defer app.close()
		synctest.Wait()
		_, rows := app.live.snapshot(0)
		if len(rows) != maxRows || rows[0].Number != many-maxRows+1 || rows[maxRows-1].Number != many {
			t.Errorf("%d rows, from %d to %d", len(rows), rows[0].Number, rows[len(rows)-1].Number)
		}
		if _, rows := app.live.snapshot(many - 3); len(rows) != 3 || rows[0].Number != many-2 {
			t.Errorf("the newest are %+v", rows)
		}
		if _, rows := app.live.snapshot(many); len(rows) != 0 {
			t.Errorf("beyond the newest: %+v", rows)
		}
	})
}

func TestDescribe(t *testing.T) {
	for want, e := range map[string]event{
		"Saw the new checkout":     saw("ABCDEFGH", true),
		"Saw the classic checkout": saw("ABCDEFGH", false),
		"Bought for €12.50":        bought("ABCDEFGH", 12.5),
		"search":                   {Name: "search", Visitor: "ABCDEFGH"},
	} {
		if r := describe(e); r.Title != want || r.Visitor != "ABCDE" {
			t.Errorf("%+v is described as %+v", e, r)
		}
	}
	if got := purchased(map[string]any{"items": []any{1, "x", map[string]any{"product": "mug", "quantity": 2.0}}}); got != "2 × mug" {
		t.Errorf("%q", got)
	}
}
