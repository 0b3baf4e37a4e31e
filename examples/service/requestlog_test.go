package main

import (
	"net/http"
	"reflect"
	"testing"
)

func TestRequestIsLoggedWithItsFlags(t *testing.T) {
	t.Parallel()
	testServer := newTestServer(t)
	testServer.SetValue("free-shipping-from", 30)
	testServer.DeleteFlags("accept-orders")
	s := start(t, testServer)
	s.order(user{id: "sandy"}, "mug", 1)
	s.request(user{}, http.MethodGet, "/products", "")
	s.request(user{}, http.MethodGet, "/metrics", "")

	logged := s.logs.with(t, "request")
	if len(logged) != 2 {
		t.Fatalf("logged %v", logged)
	}
	for i, want := range []map[string]any{
		{
			"level": "INFO", "route": "POST /orders", "status": 201.0,
			"flags": map[string]any{
				"accept-orders":      map[string]any{"value": true, "error": "FLAG_NOT_FOUND"},
				"free-shipping-from": map[string]any{"value": 30.0, "variant": "0"},
			},
		},
		{"level": "INFO", "route": "GET /products", "status": 401.0},
	} {
		got := logged[i]
		if duration, ok := got["duration"].(float64); !ok || duration <= 0 {
			t.Errorf("the duration is %v", got["duration"])
		}
		for _, key := range []string{"time", "msg", "duration"} {
			delete(got, key)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("logged %v, want %v", got, want)
		}
	}
}

func TestServerErrorIsLoggedAsError(t *testing.T) {
	t.Parallel()
	testServer := newTestServer(t)
	testServer.SetValue("accept-orders", false)
	s := start(t, testServer)
	s.request(user{id: "sandy"}, http.MethodPost, "/orders", "{}")
	if logged := s.logs.with(t, "request"); len(logged) != 1 || logged[0]["level"] != "ERROR" {
		t.Errorf("logged %v", logged)
	}
}
