// Package relayserver runs LaunchDarkly's Relay Proxy on loopback, for tests and examples.
package relayserver

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/openfeature-launchdarkly/go-provider/internal/localserver"
)

// timeout bounds one readiness check.
const timeout = 5 * time.Second

// Config is the configuration of a Relay Proxy.
type Config struct {
	// SDKKey is the SDK key of its only environment.
	SDKKey string
	// Upstream is the base URL of all LaunchDarkly services.
	Upstream string
	// Settings are additional environment variables, such as USE_EVENTS=true. See
	// https://github.com/launchdarkly/ld-relay/blob/v8/docs/configuration.md.
	Settings []string
}

// Server is a Relay Proxy. See [localserver.Server].
type Server struct{ *localserver.Server }

// Start runs the Relay Proxy on a free port and blocks until it has flag data. It listens on all
// interfaces, because the Relay Proxy has no setting for the address. The error is [ErrNotBuilt] if
// the Relay Proxy is not built.
func Start(ctx context.Context, config Config) (*Server, error) {
	program, err := Path()
	if err != nil {
		return nil, err
	}
	server, err := localserver.Start(ctx, localserver.Program{
		Name: "the Relay Proxy",
		Command: func(address, directory string) *exec.Cmd {
			command := exec.Command(program, "--from-env")
			command.Dir = directory
			command.Env = config.environment(address, directory)
			return command
		},
		Ready: func(ctx context.Context, address, directory string) bool {
			return connected(ctx, "http://"+address, environmentName(directory))
		},
	})
	if err != nil {
		return nil, err
	}
	return &Server{server}, nil
}

// URL returns the base URL for ldcomponents.RelayProxyEndpoints.
func (s *Server) URL() string { return "http://" + s.Address() }

// environment returns the environment variables of the process. It does not inherit others.
func (c Config) environment(address, directory string) []string {
	_, port, _ := net.SplitHostPort(address) // the address of a listener is valid
	return slices.Concat([]string{
		"PORT=" + port,
		"LD_ENV_" + environmentName(directory) + "=" + c.SDKKey,
		"STREAM_URI=" + c.Upstream,
		"BASE_URI=" + c.Upstream,
		"CLIENT_SIDE_BASE_URI=" + c.Upstream,
		"EVENTS_HOST=" + c.Upstream,
	}, c.Settings)
}

// environmentName returns the name of the environment, which is unique to the process with the
// directory.
func environmentName(directory string) string { return filepath.Base(directory) }

// connected reports whether the Relay Proxy at the URL has flag data for the environment.
func connected(ctx context.Context, url, environment string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/status", http.NoBody)
	if err != nil {
		return false
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: timeout}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	var status struct {
		Environments map[string]struct {
			Status string `json:"status"`
		} `json:"environments"`
	}
	return json.NewDecoder(response.Body).Decode(&status) == nil &&
		status.Environments[environment].Status == "connected"
}
