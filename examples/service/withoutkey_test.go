package main

import (
	"net/http"
	"os"
	"strings"
	"testing"
)

func TestServiceRunsWithoutAnAccount(t *testing.T) {
	t.Parallel()
	p := startProcess(t, "LAUNCHDARKLY_SDK_KEY=")
	status := p.order(strings.NewReader(`{"items":[{"sku":"mug","quantity":1}]}`))
	if status != http.StatusCreated {
		t.Errorf("the response has status %d", status)
	}
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
	received := p.logs.with(t, "LaunchDarkly test server: events received")
	if len(received) != 1 || received[0]["purchases"] != 1.0 || received[0]["revenue"] != 28.9 {
		t.Errorf("logged %s", p.logs)
	}
}
