// Package redisserver runs a redis-server on loopback, for tests and examples. It does not use a
// Redis client, which would be a dependency of the root module.
package redisserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/openfeature-launchdarkly/go-provider/internal/localserver"
)

// ErrNotInstalled is returned by [Start] if there is no redis-server in the PATH.
var ErrNotInstalled = errors.New("there is no redis-server in the PATH (Debian: apt-get install redis-server)")

// timeout bounds one readiness check.
const timeout = 5 * time.Second

// Server is a redis-server. See [localserver.Server].
type Server struct{ *localserver.Server }

// Require skips a test if there is no redis-server in the PATH. If the environment variable CI is
// set, the test fails instead.
func Require(t localserver.T) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		localserver.Skip(t, ErrNotInstalled.Error())
	}
}

// Start runs a redis-server on a free port of 127.0.0.1 and blocks until it is ready.
func Start(ctx context.Context) (*Server, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, ErrNotInstalled
	}
	server, err := localserver.Start(ctx, localserver.Program{
		Name: "redis-server",
		Command: func(address, directory string) *exec.Cmd {
			host, port, _ := net.SplitHostPort(address) // an address of a listener
			//nolint:gosec // the program is the redis-server of this machine
			return exec.Command(path, "--bind", host, "--port", port, "--dir", directory,
				"--save", "", "--appendonly", "no", "--daemonize", "no")
		},
		Ready: hasDirectory,
	})
	if err != nil {
		return nil, err
	}
	return &Server{server}, nil
}

// URL returns the server's URL for Redis clients: redis://127.0.0.1 and a port.
func (s *Server) URL() string { return "redis://" + s.Address() }

// hasDirectory reports whether the server at the address stores its files in the directory.
func hasDirectory(ctx context.Context, address, directory string) bool {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	defer c.Close()
	deadline, _ := ctx.Deadline()
	if c.SetDeadline(deadline) != nil {
		return false
	}
	if _, err := fmt.Fprint(c, "CONFIG GET dir\r\n"); err != nil {
		return false
	}
	// The reply is an array of two strings, each on its own line after a line with its length.
	answer := bufio.NewScanner(c)
	for range 5 {
		if !answer.Scan() {
			return false
		}
	}
	return filepath.Base(strings.TrimSpace(answer.Text())) == filepath.Base(directory)
}
