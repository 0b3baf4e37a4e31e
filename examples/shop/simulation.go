package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	simulatedVisitors = 200
	// pace is the interval between simulated visitors, slow enough to watch.
	pace = 20 * time.Millisecond
	// The probabilities that a simulated visitor buys, which the experiment estimates.
	appealOfClassic = 0.30
	appealOfNew     = 0.55
)

// settings are the settings that tests change.
type settings struct {
	pace time.Duration // default if 0
}

// progress is the progress of the simulation.
type progress struct {
	Running     bool
	Done, Total int
	Failed      bool
}

// String describes the progress for the page.
func (p progress) String() string {
	switch {
	case p.Failed:
		return fmt.Sprintf("Stopped after %d visitors: the log says why", p.Done)
	case p.Running:
		return fmt.Sprintf("%d of %d visitors", p.Done, p.Total)
	case p.Done > 0:
		return fmt.Sprintf("%d visitors have been there", p.Done)
	default:
		return "Nobody has been sent yet"
	}
}

// runSimulations runs one simulation for each start, one after the other, until the context is
// done.
func (l *live) runSimulations(ctx context.Context) {
	for {
		select {
		case <-l.starts:
		case <-ctx.Done():
			return
		}
		err := l.simulateVisitors(ctx)
		if err != nil && ctx.Err() == nil {
			slog.ErrorContext(ctx, "simulation failed", slog.Any("error", err))
		}
		l.mu.Lock()
		l.simulation.Running, l.simulation.Failed = false, err != nil
		l.mu.Unlock()
	}
}

func (l *live) simulateVisitors(ctx context.Context) error {
	between := l.pace
	if between <= 0 {
		between = pace
	}
	next := time.NewTicker(between)
	defer next.Stop()
	for range simulatedVisitors {
		select {
		case <-next.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		v := visitor{shop: l.app, cookies: map[string]string{}}
		if err := v.visit(ctx); err != nil {
			return err
		}
		l.mu.Lock()
		l.simulation.Done++
		l.mu.Unlock()
	}
	return nil
}

// visitor is a simulated visitor, who sends requests to the shop's handlers as a browser does.
type visitor struct {
	shop    http.Handler
	cookies map[string]string
}

// visit opens the shop, fills the cart, opens the checkout, and buys with a probability that
// depends on the checkout page.
func (v *visitor) visit(ctx context.Context) error {
	if _, err := v.request(ctx, http.MethodGet, "/", nil); err != nil {
		return err
	}
	for range 1 + rand.IntN(3) {
		p := catalogue[rand.IntN(len(catalogue))]
		if _, err := v.request(ctx, http.MethodPost, "/cart", url.Values{"product": {p.ID}, "change": {"1"}}); err != nil {
			return err
		}
	}
	checkout, err := v.request(ctx, http.MethodGet, "/checkout", nil)
	if err != nil {
		return err
	}
	appeal := appealOfClassic
	if strings.Contains(checkout, `data-checkout="new"`) {
		appeal = appealOfNew
	}
	if rand.Float64() >= appeal {
		return nil
	}
	_, err = v.request(ctx, http.MethodPost, "/checkout", url.Values{})
	return err
}

// request requests a page of the shop and returns its body. It does not follow redirects.
func (v *visitor) request(ctx context.Context, method, path string, form url.Values) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, path, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, value := range v.cookies {
		request.AddCookie(&http.Cookie{Name: name, Value: value}) //nolint:gosec // a request's cookies have no attributes
	}
	recorder := responseRecorder{header: http.Header{}, status: http.StatusOK}
	v.shop.ServeHTTP(&recorder, request)
	if recorder.status >= http.StatusBadRequest {
		return "", fmt.Errorf("%s %s: status %d", method, path, recorder.status)
	}
	for _, cookie := range (&http.Response{Header: recorder.header}).Cookies() {
		v.cookies[cookie.Name] = cookie.Value
	}
	return recorder.body.String(), nil
}

// responseRecorder is an in-memory http.ResponseWriter.
type responseRecorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *responseRecorder) Header() http.Header         { return r.header }
func (r *responseRecorder) Write(b []byte) (int, error) { return r.body.Write(b) }
func (r *responseRecorder) WriteHeader(status int)      { r.status = status }
