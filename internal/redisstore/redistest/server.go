// Package redistest runs a real redis-server on loopback, for specs and examples.
package redistest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/gomodule/redigo/redis"
)

// ErrNotInstalled says that there is no redis-server in the PATH.
var ErrNotInstalled = errors.New("redis-server is not installed here")

const (
	attempts = 20                     // to start: somebody else can have taken the port that was free
	pause    = 100 * time.Millisecond // before the same port is tried again
	poll     = 5 * time.Millisecond   // between two looks at a server that starts
	answer   = 5 * time.Second        // bounds a connection attempt, each read and each write
)

// T is the part of [testing.T] that [Need] uses, which Ginkgo's GinkgoT() has, too.
type T interface {
	Helper()
	Skip(args ...any)
	Fatal(args ...any)
}

// Need skips a test where there is no redis-server in the PATH. Where the environment variable CI is set, the test fails.
func Need(t T) {
	t.Helper()
	const message = "needs redis-server in the PATH (Debian: apt-get install redis-server)"
	switch _, err := exec.LookPath("redis-server"); {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatal(message)
	default:
		t.Skip(message)
	}
}

// Server is a redis-server that can be stopped and started again, at the same address: an outage. It keeps nothing when it
// stops. It is not safe for concurrent use.
type Server struct {
	address   string
	directory string
	process   *exec.Cmd     // nil while it is stopped
	ended     chan struct{} // closed when the process has ended
}

// Start runs a redis-server at a free port of 127.0.0.1, and waits until it answers, or ctx ends. It runs until it is
// stopped, whatever becomes of ctx. The error is [ErrNotInstalled] where there is none to run.
func Start(ctx context.Context) (*Server, error) {
	var err error
	for range attempts {
		var address string
		if address, err = freeAddress(ctx); err != nil {
			return nil, err
		}
		s := &Server{address: address}
		switch err = s.try(ctx); {
		case err == nil:
			return s, nil
		case !errors.Is(err, errEnded):
			return nil, err
		}
	}
	return nil, err
}

// URL is where the server is, or was before it stopped: redis://127.0.0.1 and a port.
func (s *Server) URL() string { return "redis://" + s.address }

// Start runs the server again, empty, and waits until it answers, or ctx ends. While it runs, nothing happens.
func (s *Server) Start(ctx context.Context) error {
	if s.process != nil {
		return nil
	}
	var err error
	for range attempts {
		if err = s.try(ctx); !errors.Is(err, errEnded) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
	return err
}

// Stop cuts all connections, and waits until the server has ended. While it is stopped, nothing happens.
func (s *Server) Stop() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Kill() // it may have ended by itself
	<-s.ended
	_ = os.RemoveAll(s.directory)
	s.process = nil
}

// errEnded says that the process did not stay: most likely, the port is not free.
var errEnded = errors.New("redis-server does not start")

// try runs the process. With an error, there is none.
func (s *Server) try(ctx context.Context) error {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return ErrNotInstalled
	}
	host, port, err := net.SplitHostPort(s.address)
	if err != nil {
		return err
	}
	if s.directory, err = os.MkdirTemp("", "redis-"); err != nil {
		return err
	}
	var output bytes.Buffer
	//nolint:gosec // the program is the redis-server of this machine
	process := exec.Command(program, "--bind", host, "--port", port, "--dir", s.directory,
		"--save", "", "--appendonly", "no", "--daemonize", "no")
	process.Stdout, process.Stderr = &output, &output
	if err := process.Start(); err != nil {
		_ = os.RemoveAll(s.directory)
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = process.Wait() // killed, as a rule
	}()
	s.process, s.ended = process, ended
	for !s.answers(ctx) {
		select {
		case <-ended:
			s.Stop()
			return fmt.Errorf("%w:\n%s", errEnded, output.Bytes())
		case <-ctx.Done():
			s.Stop()
			return fmt.Errorf("redis-server does not answer: %w", ctx.Err())
		case <-time.After(poll):
		}
	}
	return nil
}

// answers asks what is at the address, which may be somebody else's server, whether its directory is ours.
func (s *Server) answers(ctx context.Context) bool {
	c, err := redis.DialURLContext(ctx, s.URL(),
		redis.DialConnectTimeout(answer), redis.DialReadTimeout(answer), redis.DialWriteTimeout(answer))
	if err != nil {
		return false
	}
	defer c.Close()
	settings, err := redis.StringMap(c.Do("CONFIG", "GET", "dir"))
	return err == nil && filepath.Base(settings["dir"]) == filepath.Base(s.directory)
}

func freeAddress(ctx context.Context) (string, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
