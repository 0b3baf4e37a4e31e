package redisserver_test

import (
	"errors"
	"testing"

	"github.com/openfeature-launchdarkly/go-provider/internal/redisserver"
)

func TestRestartsAtTheSameURL(t *testing.T) {
	redisserver.Require(t)
	server, err := redisserver.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	url := server.URL()
	server.Stop()
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if server.URL() != url {
		t.Errorf("the URL changed from %s to %s", url, server.URL())
	}
}

func TestReportsWhenRedisIsNotInstalled(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := redisserver.Start(t.Context()); !errors.Is(err, redisserver.ErrNotInstalled) {
		t.Errorf("the error is %v", err)
	}
}
