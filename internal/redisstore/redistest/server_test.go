package redistest

import (
	"context"
	"errors"
	"testing"

	"github.com/gomodule/redigo/redis"
)

// TestOutage stops a server and starts it again.
func TestOutage(t *testing.T) {
	Need(t)
	server, err := Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	url := server.URL()
	if _, err := do(url, "SET", "key", "value"); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	server.Stop() // again, without harm
	if _, err := do(url, "PING"); err == nil {
		t.Error("it still answers")
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := server.Start(t.Context()); err != nil {
		t.Errorf("a server that runs does not start: %v", err)
	}
	if server.URL() != url {
		t.Errorf("it has moved to %s", server.URL())
	}
	if there, err := redis.Bool(do(url, "EXISTS", "key")); err != nil || there {
		t.Errorf("it has kept the key: %t, %v", there, err)
	}
}

// TestTakenPort has another server at the address of one that is stopped.
func TestTakenPort(t *testing.T) {
	Need(t)
	server, err := Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	server.Stop()
	other := &Server{address: server.address}
	if err := other.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer other.Stop()
	if err := server.try(t.Context()); !errors.Is(err, errEnded) {
		t.Errorf("it takes the other for itself: %v", err)
	}
	if _, err := do(other.URL(), "PING"); err != nil {
		t.Errorf("the other is gone: %v", err)
	}
	other.Stop()
	if err := server.Start(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestNotInstalled has an empty PATH.
func TestNotInstalled(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := Start(t.Context()); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("the error is %v", err)
	}
	for ci, want := range map[string]string{"": "skipped", "true": "failed"} {
		t.Setenv("CI", ci)
		test := &recorder{}
		Need(test)
		if test.outcome != want {
			t.Errorf("with CI=%q, a test has %q, want %q", ci, test.outcome, want)
		}
	}
}

// TestEndedContext has nobody who waits.
func TestEndedContext(t *testing.T) {
	Need(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

func do(url, command string, arguments ...any) (any, error) {
	c, err := redis.DialURL(url)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Do(command, arguments...)
}

// recorder is a test that goes on after it has ended.
type recorder struct{ outcome string }

func (*recorder) Helper()        {}
func (r *recorder) Skip(...any)  { r.outcome = "skipped" }
func (r *recorder) Fatal(...any) { r.outcome = "failed" }
