package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxStreams = 16  // maximum number of concurrent event streams
	maxRows    = 100 // maximum number of events on the page
	// refresh is the minimum interval between updates of a stream.
	refresh = 100 * time.Millisecond
	// keepAlive is the interval of comments on an idle stream.
	keepAlive = 15 * time.Second
	// writeTimeout bounds each write to a stream.
	writeTimeout = 10 * time.Second
)

// backend is the live page's view of the provider and of LaunchDarkly. Its methods are safe for
// concurrent use.
type backend interface {
	// delivery returns the provider's counts of tracked events.
	delivery() deliveryCounts
	// received waits until more than after events have been received. It returns the tracked events
	// among the new ones, and the number of all events.
	received(ctx context.Context, after int) ([]event, int, error)
	// accepts reports whether the events service is up. setAccepts sets it.
	accepts() bool
	setAccepts(up bool)
}

// deliveryCounts holds counts of tracked events. Tracked is the sum of the others.
type deliveryCounts struct{ Tracked, Delivered, Waiting, Lost uint64 }

// live is the page that shows the events received by LaunchDarkly. The memory of the figures and of
// the test server grows with each visitor and event, which is acceptable for a demonstration.
type live struct {
	app     *application
	behind  backend
	run     string // changes when the shop is restarted
	pace    time.Duration
	streams chan struct{} // one element per open stream
	starts  chan struct{} // requests to start the simulation
	close   context.CancelFunc
	done    <-chan struct{}
	running sync.WaitGroup

	mu         sync.Mutex
	figures    figures
	received   int // tracked events
	rows       []row
	simulation progress
}

// row is an event in the list of the page.
type row struct {
	Number  int    `json:"number"` // starts at 1
	Time    string `json:"time"`
	Kind    string `json:"kind"`
	Title   string `json:"title"`
	Detail  string `json:"detail"`
	Visitor string `json:"visitor"`
	Letter  string `json:"letter"` // of the visitor's arm
}

// state is the content of the page except the list, formatted for the template and the script.
type state struct {
	Run       string  `json:"run"`
	Up        bool    `json:"up"`
	Status    string  `json:"status"`
	Settled   bool    `json:"settled"`
	Tracked   string  `json:"tracked"`
	Arrived   string  `json:"arrived"` // received by LaunchDarkly
	Delivered string  `json:"delivered"`
	Waiting   string  `json:"waiting"`
	Lost      string  `json:"lost"`
	Nothing   string  `json:"nothing"` // replaces an empty list
	Verdict   string  `json:"verdict"`
	Scale     string  `json:"scale"`
	Half      string  `json:"half"`
	Sides     [2]side `json:"sides"`
	Running   bool    `json:"running"` // whether the simulation is running
	Done      int     `json:"done"`
	Total     int     `json:"total"`
	Progress  string  `json:"progress"`
}

// side is the content of the page for one arm of the experiment.
type side struct {
	Letter      string  `json:"letter"`
	Name        string  `json:"name"`
	Visitors    string  `json:"visitors"`
	Conversions string  `json:"conversions"`
	Revenue     string  `json:"revenue"`
	Rate        string  `json:"rate"`
	Text        string  `json:"text"` // text alternative of the bar
	Seen        float64 `json:"seen"` // length of the bar in percent of the axis
	Bought      float64 `json:"bought"`
}

func newLive(app *application, behind backend, s settings) *live {
	ctx, cancel := context.WithCancel(context.Background())
	l := &live{
		app:        app,
		behind:     behind,
		run:        rand.Text(),
		pace:       s.pace,
		streams:    make(chan struct{}, maxStreams),
		starts:     make(chan struct{}, 1),
		close:      cancel,
		done:       ctx.Done(),
		simulation: progress{Total: simulatedVisitors},
	}
	l.running.Go(func() { l.watch(ctx) })
	l.running.Go(func() { l.runSimulations(ctx) })
	return l
}

// watch adds received events until ctx is done.
func (l *live) watch(ctx context.Context) {
	seen := 0
	for {
		events, now, err := l.behind.received(ctx, seen)
		if err != nil { // ctx is done
			return
		}
		seen = now
		l.mu.Lock()
		for _, e := range events {
			l.add(e)
		}
		l.mu.Unlock()
	}
}

// add adds an event. The caller must hold l.mu.
func (l *live) add(e event) {
	l.received++
	side := l.figures.add(e)
	r := describe(e)
	r.Number = l.received
	switch side {
	case nil:
	case &l.figures.classic:
		r.Letter = "A"
	default:
		r.Letter = "B"
	}
	if len(l.rows) == maxRows {
		l.rows = l.rows[:copy(l.rows, l.rows[1:])]
	}
	l.rows = append(l.rows, r)
}

// describe returns the row of an event.
func describe(e event) row {
	r := row{
		Time:    e.Time.Local().Format(time.TimeOnly),
		Kind:    "other",
		Title:   e.Name,
		Visitor: e.Visitor[:min(len(e.Visitor), 5)],
	}
	if isNew, ok := e.exposure(); ok {
		r.Kind, r.Title, r.Detail = "exposure", "Saw the classic checkout", exposureEvent
		if isNew {
			r.Title = "Saw the new checkout"
		}
	}
	if revenue, ok := e.purchase(); ok {
		r.Kind, r.Title, r.Detail = "checkout", "Bought for "+revenue.String(), purchased(e.Data)
	}
	return r
}

// purchased formats the items in the data of a purchase.
func purchased(data map[string]any) string {
	items, _ := data["items"].([]any)
	var words []string
	for _, item := range items {
		if item, ok := item.(map[string]any); ok {
			words = append(words, fmt.Sprintf("%v × %v", item["quantity"], item["product"]))
		}
	}
	return strings.Join(words, ", ")
}

// snapshot returns the current state, and the rows with numbers greater than after.
func (l *live) snapshot(after int) (state, []row) {
	// Events are tracked before they are received, so reading in this order never shows more
	// received than tracked.
	l.mu.Lock()
	received, f, p := l.received, l.figures, l.simulation
	if after > received {
		after = 0 // from another run
	}
	rows := slices.Clone(l.rows[len(l.rows)-min(len(l.rows), received-after):])
	l.mu.Unlock()
	d := l.behind.delivery()

	scale := f.scale()
	s := state{
		Run:       l.run,
		Up:        l.behind.accepts(),
		Settled:   d.Waiting == 0 && uint64(received) == d.Delivered,
		Tracked:   count(d.Tracked),
		Arrived:   count(received),
		Delivered: count(d.Delivered),
		Waiting:   count(d.Waiting),
		Lost:      count(d.Lost),
		Verdict:   f.verdict(),
		Scale:     count(scale),
		Half:      count(scale / 2),
		Sides:     [2]side{newSide("A", "Classic checkout", f.classic, scale), newSide("B", "New checkout", f.express, scale)},
		Running:   p.Running,
		Done:      p.Done,
		Total:     p.Total,
		Progress:  p.String(),
	}
	switch {
	case received > 0:
	case !s.Up:
		s.Nothing = "Nothing arrives while the events service is down."
	default:
		s.Nothing = "Nothing yet. Buy something, or send visitors."
	}
	switch {
	case !s.Up:
		s.Status = "The events service is down. What is tracked waits, and is tried again."
	case !s.Settled:
		s.Status = "Events are on their way."
	case d.Tracked == 0:
		s.Status = "Nothing is tracked yet."
	case d.Lost > 0:
		s.Status = "Some events are lost."
	default:
		s.Status = "Everything that was tracked has arrived."
	}
	return s, rows
}

func newSide(letter, name string, a arm, scale int) side {
	rate := "–"
	if a.Visitors > 0 {
		rate = fmt.Sprintf("%.1f%%", 100*a.rate())
	}
	return side{
		Letter:      letter,
		Name:        name,
		Visitors:    count(a.Visitors),
		Conversions: count(a.Conversions),
		Revenue:     grouped(a.Revenue.String()),
		Rate:        rate,
		Text:        fmt.Sprintf("%s: %d of %d visitors bought", name, a.Conversions, a.Visitors),
		Seen:        100 * float64(a.Visitors) / float64(scale),
		Bought:      100 * float64(a.Conversions) / float64(scale),
	}
}

// count formats a number with thousands separators.
func count[T int | uint64](n T) string { return grouped(fmt.Sprint(n)) }

// grouped inserts thousands separators into the first number of a text.
func grouped(text string) string {
	start := strings.IndexAny(text, "0123456789")
	if start < 0 {
		return text
	}
	end := start
	for end < len(text) && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	for i := end - 3; i > start; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// page serves /live. The page's script keeps it up to date.
func (l *live) page(w http.ResponseWriter, r *http.Request) {
	s, _ := l.snapshot(0)
	l.app.render(w, r, "live", page{Title: "Live", Section: "live", Content: s})
}

// update is a message of a stream.
type update struct {
	State state `json:"state"`
	Rows  []row `json:"rows"`
}

// stream sends updates as server-sent events until the browser disconnects. Updates are not queued,
// so a slow browser receives fewer.
func (l *live) stream(w http.ResponseWriter, r *http.Request) {
	select {
	case l.streams <- struct{}{}:
		defer func() { <-l.streams }()
	default:
		w.Header().Set("Retry-After", "5")
		http.Error(w, "Too many open streams.", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	last, _ := strconv.Atoi(r.Header.Get("Last-Event-ID"))

	out := http.NewResponseController(w)
	ticks := time.NewTicker(refresh)
	defer ticks.Stop()
	var sent []byte
	quiet := time.Now()
	for {
		s, rows := l.snapshot(last)
		data, err := json.Marshal(update{s, rows})
		if err != nil {
			return
		}
		var message []byte
		switch {
		case !bytes.Equal(data, sent):
			if len(rows) > 0 {
				last = rows[len(rows)-1].Number
			}
			message = fmt.Appendf(nil, "id: %d\ndata: %s\n\n", last, data)
		case time.Since(quiet) >= keepAlive:
			message = []byte(":\n\n")
		}
		if message != nil {
			sent, quiet = data, time.Now()
			_ = out.SetWriteDeadline(quiet.Add(writeTimeout)) // on failure, the server's deadline applies
			if _, err := w.Write(message); err != nil {
				return
			}
			if err := out.Flush(); err != nil {
				return
			}
		}
		select {
		case <-ticks.C:
		case <-r.Context().Done():
			return
		case <-l.done:
			return
		}
	}
}

// switchService starts or stops the events service.
func (l *live) switchService(w http.ResponseWriter, r *http.Request) {
	up, err := strconv.ParseBool(r.PostFormValue("up"))
	if err != nil {
		http.Error(w, "up must be true or false.", http.StatusBadRequest)
		return
	}
	l.behind.setAccepts(up)
	http.Redirect(w, r, "/live", http.StatusSeeOther)
}

// simulate starts the simulation, unless it is running.
func (l *live) simulate(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	if !l.simulation.Running {
		l.simulation = progress{Running: true, Total: simulatedVisitors}
		l.starts <- struct{}{} // does not block, because none is running
	}
	l.mu.Unlock()
	http.Redirect(w, r, "/live", http.StatusSeeOther)
}
