package main

import (
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
)

func TestConfigHasDefaults(t *testing.T) {
	t.Parallel()
	c, err := loadConfig(func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	want := config{listenAddress: "localhost:8080", logLevel: slog.LevelInfo, initTimeout: 10 * time.Second}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v", c)
	}
}

func TestConfigIsReadFromTheEnvironment(t *testing.T) {
	t.Parallel()
	c, err := loadConfig(environment{
		"LISTEN_ADDRESS":            ":9000",
		"LOG_LEVEL":                 "debug",
		"LAUNCHDARKLY_SDK_KEY":      "sdk-1",
		"LAUNCHDARKLY_INIT_TIMEOUT": "3s",
		"LAUNCHDARKLY_RELAY_URL":    "http://relay:8030",
		"LAUNCHDARKLY_SPOOL":        "/var/spool/shop",
	}.get)
	if err != nil {
		t.Fatal(err)
	}
	want := config{
		listenAddress: ":9000",
		logLevel:      slog.LevelDebug,
		sdkKey:        "sdk-1",
		launchDarkly:  ld.Config{ServiceEndpoints: ldcomponents.RelayProxyEndpoints("http://relay:8030")},
		initTimeout:   3 * time.Second,
		spool:         "/var/spool/shop",
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v", c)
	}
}

func TestConfigNamesTheVariableThatIsWrong(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"LOG_LEVEL", "LAUNCHDARKLY_INIT_TIMEOUT"} {
		if _, err := loadConfig(environment{name: "much"}.get); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// environment has environment variables by name.
type environment map[string]string

func (e environment) get(name string) string { return e[name] }
