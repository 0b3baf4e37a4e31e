package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"time"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
)

// config is the configuration of the service. It holds the SDK key, so it must not be logged.
type config struct {
	listenAddress string
	logLevel      slog.Level
	sdkKey        string
	launchDarkly  ld.Config
	initTimeout   time.Duration
	spool         string // a directory, or empty
}

// loadConfig reads the configuration from environment variables. README.md describes them.
func loadConfig(getenv func(string) string) (config, error) {
	c := config{
		listenAddress: cmp.Or(getenv("LISTEN_ADDRESS"), "localhost:8080"),
		sdkKey:        getenv("LAUNCHDARKLY_SDK_KEY"),
		spool:         getenv("LAUNCHDARKLY_SPOOL"),
	}
	if err := c.logLevel.UnmarshalText([]byte(cmp.Or(getenv("LOG_LEVEL"), "info"))); err != nil {
		return config{}, fmt.Errorf("LOG_LEVEL: %w", err)
	}
	var err error
	if c.initTimeout, err = time.ParseDuration(cmp.Or(getenv("LAUNCHDARKLY_INIT_TIMEOUT"), "10s")); err != nil {
		return config{}, fmt.Errorf("LAUNCHDARKLY_INIT_TIMEOUT: %w", err)
	}
	if relay := getenv("LAUNCHDARKLY_RELAY_URL"); relay != "" {
		c.launchDarkly.ServiceEndpoints = ldcomponents.RelayProxyEndpoints(relay)
	}
	return c, nil
}
