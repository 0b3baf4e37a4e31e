package httpstop_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/openfeature-launchdarkly/go-provider/internal/httpstop"
)

func TestStopCancelsAndRejectsRequests(t *testing.T) {
	defer goleak.VerifyNone(t)
	arrived := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			close(arrived)
			<-r.Context().Done()
			return
		}
		_, _ = io.WriteString(w, "served")
	}))
	defer server.Close()

	stopped, stop := context.WithCancel(t.Context())
	transport := &httpstop.Transport{Next: &http.Transport{}, Stopped: stopped, Status: http.StatusGone}
	client := &http.Client{Transport: transport}
	defer client.CloseIdleConnections()

	response, err := client.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(response.Body)
	if err := response.Body.Close(); err != nil || string(text) != "served" {
		t.Errorf("got %q, %v", text, err)
	}

	hanging := make(chan error, 1)
	go func() {
		_, err := client.Get(server.URL + "/hang")
		hanging <- err
	}()
	<-arrived
	stop()
	if err := <-hanging; !errors.Is(err, context.Canceled) {
		t.Errorf("the request in flight ended with %v", err)
	}

	response, err = client.Post(server.URL, "text/plain", strings.NewReader("late"))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusGone {
		t.Errorf("a late request got %s", response.Status)
	}
}
