// Package localserver runs server programs on loopback, for tests and examples. A server can be
// stopped and restarted at the same address, to simulate an outage.
package localserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"
)

const (
	ports    = 3                      // ports to try: another process may take a port that was free
	attempts = 20                     // to restart at the same port
	pause    = 100 * time.Millisecond // between these attempts
	poll     = 5 * time.Millisecond   // between readiness checks
)

// ErrExited is returned if a server exits before it is ready. The text of the wrapping error has
// the server's output.
var ErrExited = errors.New("the server exited")

// Program is what a [Server] runs.
type Program struct {
	// Name is the program's name in errors.
	Name string
	// Command returns the command that listens on the address, a host and a port, and stores its
	// files in the directory, whose name is unique. It is called for each start.
	Command func(address, directory string) *exec.Cmd
	// Ready reports whether the server at the address responds and was started with the directory.
	// If not, another process may have taken the port.
	Ready func(ctx context.Context, address, directory string) bool
}

// Server is a running or stopped program. Its files are deleted when it stops. It is not safe for
// concurrent use.
type Server struct {
	program   Program
	address   string
	directory string
	process   *exec.Cmd     // nil while the server is stopped
	exited    chan struct{} // closed when the process has exited
}

// Start runs the program on a free port of 127.0.0.1 and blocks until it is ready. It returns an
// error if ctx is done first. The server runs until it is stopped, even if ctx is canceled.
func Start(ctx context.Context, program Program) (*Server, error) {
	var err error
	for range ports {
		s := &Server{program: program}
		if s.address, err = freeAddress(ctx); err != nil {
			return nil, err
		}
		if err = s.try(ctx); err == nil {
			return s, nil
		}
		if !errors.Is(err, ErrExited) {
			return nil, err
		}
	}
	return nil, err
}

// Address returns the host and the port, which do not change when the server is restarted.
func (s *Server) Address() string { return s.address }

// Start restarts a stopped server with an empty directory and blocks until it is ready. It returns
// an error if ctx is done first. It has no effect while the server runs.
func (s *Server) Start(ctx context.Context) error {
	if s.process != nil {
		return nil
	}
	var err error
	for range attempts {
		if err = s.try(ctx); !errors.Is(err, ErrExited) {
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

// Stop kills the process, which closes its connections, and blocks until it has exited. It has no
// effect while the server is stopped.
func (s *Server) Stop() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Kill() // fails if the process has exited
	<-s.exited
	_ = os.RemoveAll(s.directory)
	s.process = nil
}

// try starts the process once. No process is left if it returns an error.
func (s *Server) try(ctx context.Context) error {
	var err error
	if s.directory, err = os.MkdirTemp("", "localserver"); err != nil {
		return err
	}
	var output bytes.Buffer
	process := s.program.Command(s.address, s.directory)
	process.Stdout, process.Stderr = &output, &output
	if err := process.Start(); err != nil {
		_ = os.RemoveAll(s.directory)
		return fmt.Errorf("%s: %w", s.program.Name, err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = process.Wait() // the error is the kill signal
	}()
	s.process, s.exited = process, exited
	for !s.program.Ready(ctx, s.address, s.directory) {
		select {
		case <-exited:
			s.Stop()
			return fmt.Errorf("%s: %w:\n%s", s.program.Name, ErrExited, output.Bytes())
		case <-ctx.Done():
			s.Stop()
			return fmt.Errorf("%s is not ready: %w", s.program.Name, ctx.Err())
		case <-time.After(poll):
		}
	}
	return nil
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

// T is the part of [testing.TB] that [Skip] uses.
type T interface {
	Helper()
	Skip(args ...any)
	Fatal(args ...any)
}

// Skip skips a test that needs a program that is not installed. If the environment variable CI is
// set, the test fails instead, because CI has all programs.
func Skip(t T, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}
