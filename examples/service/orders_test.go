package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

func TestOrderTracksRevenue(t *testing.T) {
	t.Parallel()
	testServer := newTestServer(t)
	testServer.SetValue("free-shipping-from", 50)
	s := start(t, testServer)
	sandy := user{id: "sandy", plan: "gold", email: "sandy@example.com"}
	if r := s.order(sandy, "mug", 2); r.Total != 52_90 || r.Shipping != shippingFee {
		t.Errorf("two mugs cost %+v", r)
	}
	if r := s.order(sandy, "teapot", 1); r.Total != 64_00 || r.Shipping != 0 {
		t.Errorf("a teapot costs %+v", r)
	}
	s.flush()

	purchases := testServer.CustomEvents(purchaseEvent)
	if len(purchases) != 2 {
		t.Fatalf("received %v", purchases)
	}
	for i, want := range []struct {
		revenue float64
		data    string
	}{
		{52.90, `{"currency":"EUR","items":[{"quantity":2,"sku":"mug"}]}`},
		{64.00, `{"currency":"EUR","items":[{"quantity":1,"sku":"teapot"}]}`},
	} {
		p := purchases[i]
		if p.ContextKeys()["user"] != "sandy" || p.MetricValue == nil || *p.MetricValue != want.revenue ||
			!p.Data.Equal(ldvalue.Parse([]byte(want.data))) {
			t.Errorf("received %s, want %v", p, want)
		}
	}
}

// TestExperimentAttributesRevenue compares what LaunchDarkly computes an experiment from: exposures
// and conversions of the same users.
func TestExperimentAttributesRevenue(t *testing.T) {
	t.Parallel()
	s := start(t, newTestServer(t))
	want := map[string]float64{} // by what users saw
	for i := range 40 {
		u := user{id: fmt.Sprintf("user-%d", i)}
		group := fmt.Sprint(s.products(u).FreeShippingFrom / 100)
		want[group] += s.order(u, "bowl", 1).Total.euros()
	}
	s.flush()

	groups := map[string]string{} // of users, by the exposures
	for _, event := range s.testServer.Events() {
		if event.Kind == launchdarklytest.KindFeature && event.Key == "free-shipping-from" && event.Reason.IsInExperiment() {
			groups[event.ContextKeys()["user"]] = event.Value.String()
		}
	}
	got := map[string]float64{}
	for _, purchase := range s.testServer.CustomEvents(purchaseEvent) {
		got[groups[purchase.ContextKeys()["user"]]] += *purchase.MetricValue
	}
	if len(want) != 2 || !maps.Equal(got, want) {
		t.Errorf("LaunchDarkly gets the revenue %v, want %v", got, want)
	}
}

func TestEmailAddressStaysInTheProcess(t *testing.T) {
	t.Parallel()
	s := start(t, newTestServer(t))
	sandy := user{id: "sandy", plan: "gold", email: "sandy@example.com"}
	s.products(sandy)
	s.order(sandy, "mug", 1)
	s.flush()
	contexts := 0
	for _, event := range s.testServer.Events() {
		if strings.Contains(event.String(), "sandy@example.com") {
			t.Errorf("received %s", event)
		}
		if event.Context.GetByKey("plan").StringValue() == "gold" {
			contexts++
		}
	}
	if contexts == 0 {
		t.Error("LaunchDarkly has not received the plan")
	}
	if strings.Contains(s.logs.String(), "sandy") {
		t.Errorf("logged %s", s.logs)
	}
}

func TestOrdersThatAreRefused(t *testing.T) {
	t.Parallel()
	s := start(t, newTestServer(t))
	for name, test := range map[string]struct {
		body   string
		status int
	}{
		"not JSON":           {`{"items":`, http.StatusBadRequest},
		"too long":           {`{"items":"` + strings.Repeat("x", maxBodyBytes) + `"}`, http.StatusBadRequest},
		"no items":           {`{}`, http.StatusUnprocessableEntity},
		"an unknown product": {`{"items":[{"sku":"piano","quantity":1}]}`, http.StatusUnprocessableEntity},
		"none of a product":  {`{"items":[{"sku":"mug"}]}`, http.StatusUnprocessableEntity},
		"too many":           {`{"items":[{"sku":"mug","quantity":101}]}`, http.StatusUnprocessableEntity},
	} {
		if status, body := s.request(user{id: "sandy"}, http.MethodPost, "/orders", test.body); status != test.status {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if n := s.provider.Stats().Tracked; n != 0 {
		t.Errorf("%d purchases were tracked", n)
	}
}

func TestOrdersCanBeStopped(t *testing.T) {
	t.Parallel()
	testServer := newTestServer(t)
	s := start(t, testServer)
	s.order(user{id: "sandy"}, "mug", 1)
	testServer.SetValue("accept-orders", false)
	eventually(t, func() bool {
		status, _ := s.request(user{id: "sandy"}, http.MethodPost, "/orders", `{"items":[{"sku":"mug","quantity":1}]}`)
		return status == http.StatusServiceUnavailable
	})
}

// TestOrdersAreTrackedDuringAnOutage has an events service that fails for a while.
func TestOrdersAreTrackedDuringAnOutage(t *testing.T) {
	t.Parallel()
	testServer := newTestServer(t)
	s := start(t, testServer)
	testServer.RefuseEvents(http.StatusServiceUnavailable)
	for range 10 {
		s.order(user{id: "sandy"}, "mug", 1)
	}
	eventually(t, func() bool { return s.provider.Stats().Retries > 0 })
	if n := len(testServer.CustomEvents()); n != 0 {
		t.Errorf("%d events have arrived", n)
	}
	testServer.AcceptEvents()
	s.flush()
	if n := len(testServer.CustomEvents(purchaseEvent)); n != 10 {
		t.Errorf("%d purchases have arrived, want 10", n)
	}
}

// TestOrdersSurviveTheProcess stops a service while the events service fails. The next one with the
// same spool delivers its events.
func TestOrdersSurviveTheProcess(t *testing.T) {
	t.Parallel()
	testServer := newTestServer(t)
	c := config{sdkKey: testServer.SDKKey(), spool: t.TempDir()}
	first := startUnready(t, testServer, c)
	first.waitForStatus("/readyz", http.StatusOK)
	testServer.RefuseEvents(http.StatusServiceUnavailable)
	first.order(user{id: "sandy"}, "mug", 1)
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_ = first.api.Shutdown(short)
	if stats := first.provider.Stats(); stats.OnDisk != 1 || len(testServer.CustomEvents()) != 0 {
		t.Errorf("%d events are on disk, received %v", stats.OnDisk, testServer.CustomEvents())
	}

	testServer.AcceptEvents()
	startUnready(t, testServer, c)
	eventually(t, func() bool { return len(testServer.CustomEvents(purchaseEvent)) == 1 })
}
