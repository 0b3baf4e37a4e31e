package main

import (
	"net/http"
	"sync"
	"testing"

	"github.com/open-feature/go-sdk/openfeature"
)

func TestFlagKeepsItsValueDuringARequest(t *testing.T) {
	t.Parallel()
	testServer := newTestServer(t)
	testServer.SetValue("banner", "before")
	s := start(t, testServer)
	ctx := openfeature.WithTransactionContext(t.Context(), openfeature.NewEvaluationContext("sandy", nil))
	request := &flagTable{client: s.client}
	if got := request.banner(ctx); got != "before" {
		t.Errorf("the first value is %q", got)
	}
	testServer.SetValue("banner", "after")
	eventually(t, func() bool { return (&flagTable{client: s.client}).banner(ctx) == "after" }) // in other requests
	if got := request.banner(ctx); got != "before" {
		t.Errorf("the value has become %q", got)
	}
}

func TestFlagIsEvaluatedOncePerRequest(t *testing.T) {
	t.Parallel()
	s := start(t, newTestServer(t))
	ctx := openfeature.WithTransactionContext(t.Context(), openfeature.NewEvaluationContext("sandy", nil))
	request := &flagTable{client: s.client}
	var goroutines sync.WaitGroup
	for range 8 {
		goroutines.Go(func() {
			request.freeShippingFrom(ctx)
			request.acceptOrders(ctx)
		})
	}
	goroutines.Wait()
	if n := s.provider.Stats().Evaluations; n != 2 {
		t.Errorf("%d evaluations, want 2", n)
	}
	if n := len(request.evaluated()); n != 2 {
		t.Errorf("the table has %d flags, want 2", n)
	}
}

// TestDefaultsApplyWithoutFlags has a LaunchDarkly that answers nothing.
func TestDefaultsApplyWithoutFlags(t *testing.T) {
	t.Parallel()
	testServer := newTestServer(t)
	testServer.HoldStreams()
	s := startUnready(t, testServer, config{sdkKey: testServer.SDKKey()})
	if p := s.products(user{id: "sandy"}); p.FreeShippingFrom != 50_00 || p.Banner != "" {
		t.Errorf("got %+v", p)
	}
	s.order(user{id: "sandy"}, "mug", 1)
	testServer.ReleaseStreams()
	s.waitForStatus("/readyz", http.StatusOK)
	s.flush()
	if n := len(testServer.CustomEvents(purchaseEvent)); n != 1 {
		t.Errorf("%d purchases have arrived, want the one from before there were flags", n)
	}
}
