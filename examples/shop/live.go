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
	maxStreams = 16  // browsers that can watch at the same time
	maxRows    = 100 // events that the page lists, the newest
	// refresh is how often a browser hears of changes, at most.
	refresh = 100 * time.Millisecond
	// keepAlive is how often it hears something where nothing changes.
	keepAlive = 15 * time.Second
	// patience is how long a browser may take to read what it is sent.
	patience = 10 * time.Second
)

// backend is what stands behind OpenFeature, as the live page sees it. Its methods are safe for concurrent use.
type backend interface {
	// delivery counts the tracked events, on this side.
	delivery() deliveryCounts
	// received waits for events beyond the first so many, and returns the tracked ones among them, with how many there
	// are now.
	received(ctx context.Context, after int) ([]event, int, error)
	// accepts says whether the events service is up; setAccepts takes it up or down.
	accepts() bool
	setAccepts(up bool)
}

// deliveryCounts say what has become of tracked events: Tracked is the sum of the others.
type deliveryCounts struct{ Tracked, Delivered, Waiting, Lost uint64 }

// live is the page that shows what was received on the other side. The figures remember every visitor, and the box every
// event, for as long as the shop runs, which is fine for a demonstration.
type live struct {
	app     *application
	behind  backend
	run     string // tells browsers that the shop was started anew
	pace    time.Duration
	streams chan struct{} // one element for each browser that watches
	starts  chan struct{} // of the simulation
	close   context.CancelFunc
	done    <-chan struct{}
	running sync.WaitGroup

	mu         sync.Mutex
	figures    figures
	received   int // tracked events
	rows       []row
	simulation progress
}

// row is an event in the page's list.
type row struct {
	Number  int    `json:"number"` // from 1 on
	Time    string `json:"time"`
	Kind    string `json:"kind"`
	Title   string `json:"title"`
	Detail  string `json:"detail"`
	Visitor string `json:"visitor"`
	Letter  string `json:"letter"` // of the visitor's side of the experiment
}

// state is everything that the page shows beside the list. It is text already, for the template and for the script.
type state struct {
	Run       string  `json:"run"`
	Up        bool    `json:"up"`
	Status    string  `json:"status"`
	Settled   bool    `json:"settled"`
	Tracked   string  `json:"tracked"`
	Arrived   string  `json:"arrived"` // as LaunchDarkly counts
	Delivered string  `json:"delivered"`
	Waiting   string  `json:"waiting"`
	Lost      string  `json:"lost"`
	Nothing   string  `json:"nothing"` // in place of the list, where that is empty
	Verdict   string  `json:"verdict"`
	Scale     string  `json:"scale"`
	Half      string  `json:"half"`
	Sides     [2]side `json:"sides"`
	Running   bool    `json:"running"` // the simulation
	Done      int     `json:"done"`
	Total     int     `json:"total"`
	Progress  string  `json:"progress"`
}

// side is what the page shows of one side of the experiment.
type side struct {
	Letter      string  `json:"letter"`
	Name        string  `json:"name"`
	Visitors    string  `json:"visitors"`
	Conversions string  `json:"conversions"`
	Revenue     string  `json:"revenue"`
	Rate        string  `json:"rate"`
	Text        string  `json:"text"` // the bar in words
	Seen        float64 `json:"seen"` // the length of the bar, in percent of the axis
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

// watch takes in what is received.
func (l *live) watch(ctx context.Context) {
	seen := 0
	for {
		events, now, err := l.behind.received(ctx, seen)
		if err != nil { // the end
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

// add is called with the mutex held.
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

// describe puts an event into words.
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

// purchased lists what a purchase's data says was bought.
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

// snapshot is how things are now, with the rows after the one with that number.
func (l *live) snapshot(after int) (state, []row) {
	// What is received has been tracked before, so that asking in this order never shows more received than tracked.
	l.mu.Lock()
	received, f, p := l.received, l.figures, l.simulation
	if after > received {
		after = 0 // of another run
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

// count writes a number with its thousands apart.
func count[T int | uint64](n T) string { return grouped(fmt.Sprint(n)) }

// grouped puts commas between the thousands of the first number in a text.
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

// page is /live as it is now; its script keeps it so.
func (l *live) page(w http.ResponseWriter, r *http.Request) {
	s, _ := l.snapshot(0)
	l.app.render(w, r, "live", page{Title: "Live", Section: "live", Content: s})
}

// update is what a browser hears.
type update struct {
	State state `json:"state"`
	Rows  []row `json:"rows"`
}

// stream sends updates for as long as the browser listens, as server-sent events. A browser that reads slowly gets fewer
// of them: none are kept for it.
func (l *live) stream(w http.ResponseWriter, r *http.Request) {
	select {
	case l.streams <- struct{}{}:
		defer func() { <-l.streams }()
	default:
		w.Header().Set("Retry-After", "5")
		http.Error(w, "Too many browsers are watching.", http.StatusServiceUnavailable)
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
			_ = out.SetWriteDeadline(quiet.Add(patience)) // where it can't be set, the server's holds
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

// switchService takes the events service up or down.
func (l *live) switchService(w http.ResponseWriter, r *http.Request) {
	up, err := strconv.ParseBool(r.PostFormValue("up"))
	if err != nil {
		http.Error(w, "up must be true or false.", http.StatusBadRequest)
		return
	}
	l.behind.setAccepts(up)
	http.Redirect(w, r, "/live", http.StatusSeeOther)
}

// simulate starts the simulation, unless it runs.
func (l *live) simulate(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	if !l.simulation.Running {
		l.simulation = progress{Running: true, Total: simulatedVisitors}
		l.starts <- struct{}{} // has room, since none is running
	}
	l.mu.Unlock()
	http.Redirect(w, r, "/live", http.StatusSeeOther)
}
