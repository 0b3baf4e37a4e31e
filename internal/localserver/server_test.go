package localserver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/openfeature-launchdarkly/go-provider/internal/localserver"
)

// serveAt is the environment variable that makes the test binary a server on the address. It
// responds with the name of its directory.
const serveAt = "LOCALSERVER_TEST_ADDRESS"

func TestMain(m *testing.M) {
	if address := os.Getenv(serveAt); address != "" {
		fmt.Fprintln(os.Stderr, serve(address, os.Getenv("LOCALSERVER_TEST_DIRECTORY")))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func serve(address, directory string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	for {
		c, err := listener.Accept()
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintln(c, directory)
		_ = c.Close()
	}
}

func program(t *testing.T) localserver.Program {
	t.Helper()
	return localserver.Program{
		Name: "test server",
		Command: func(address, directory string) *exec.Cmd {
			command := exec.Command(os.Args[0])
			command.Env = []string{serveAt + "=" + address, "LOCALSERVER_TEST_DIRECTORY=" + directory}
			return command
		},
		Ready: func(_ context.Context, address, directory string) bool { return ask(address) == directory },
	}
}

// ask returns the directory of the server at the address, or "" if no server responds.
func ask(address string) string {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return ""
	}
	defer c.Close()
	line, _ := bufio.NewReader(c).ReadString('\n')
	return strings.TrimSpace(line)
}

func start(t *testing.T) *localserver.Server {
	t.Helper()
	server, err := localserver.Start(t.Context(), program(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	return server
}

func TestRestartsAtTheSameAddress(t *testing.T) {
	server := start(t)
	address, first := server.Address(), ask(server.Address())
	server.Stop()
	server.Stop()
	if ask(address) != "" {
		t.Error("the server responds after Stop")
	}
	if _, err := os.Stat(first); !os.IsNotExist(err) {
		t.Errorf("the directory exists after Stop: %v", err)
	}
	for range 2 {
		if err := server.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if second := ask(address); second == "" || second == first || server.Address() != address {
		t.Errorf("%s has %q after %q", server.Address(), second, first)
	}
}

func TestDetectsAnotherServerOnItsPort(t *testing.T) {
	server := start(t)
	server.Stop()
	listener, err := net.Listen("tcp", server.Address())
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan error, 1)
	go func() {
		defer listener.Close()
		for range 2 { // the address is in use for the first attempts only
			c, err := listener.Accept()
			if err != nil {
				accepted <- err
				return
			}
			_, _ = fmt.Fprintln(c, "another server")
			_ = c.Close()
		}
		accepted <- nil
	}()
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-accepted; err != nil {
		t.Fatal(err)
	}
	if ask(server.Address()) == "another server" {
		t.Error("the other server was taken for the started one")
	}
}

func TestReportsTheOutputOfAProgramThatExits(t *testing.T) {
	broken := program(t)
	broken.Command = func(string, string) *exec.Cmd {
		command := exec.Command(os.Args[0])
		command.Env = []string{serveAt + "=no address"}
		return command
	}
	_, err := localserver.Start(t.Context(), broken)
	if !errors.Is(err, localserver.ErrExited) || !strings.Contains(err.Error(), "no address") {
		t.Errorf("the error is %v", err)
	}
}

func TestReportsAProgramThatCannotStart(t *testing.T) {
	missing := program(t)
	missing.Command = func(string, string) *exec.Cmd { return exec.Command("/no/such/program") }
	if _, err := localserver.Start(t.Context(), missing); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the error is %v", err)
	}
}

func TestStartReturnsWhenTheContextIsCanceled(t *testing.T) {
	unready := program(t)
	ctx, cancel := context.WithCancel(t.Context())
	unready.Ready = func(context.Context, string, string) bool {
		cancel()
		return false
	}
	if _, err := localserver.Start(ctx, unready); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

func TestSkipsTestsOrFailsThemInCI(t *testing.T) {
	for ci, want := range map[string]string{"": "skipped: no server", "true": "failed: no server"} {
		t.Setenv("CI", ci)
		test := &recorder{}
		localserver.Skip(test, "no server")
		if test.outcome != want {
			t.Errorf("with CI=%q, the outcome is %q, want %q", ci, test.outcome, want)
		}
	}
}

// recorder records the first outcome of a test. Unlike in a real test, Skip and Fatal return.
type recorder struct{ outcome string }

func (*recorder) Helper()             {}
func (r *recorder) Skip(args ...any)  { r.end("skipped: " + fmt.Sprint(args...)) }
func (r *recorder) Fatal(args ...any) { r.end("failed: " + fmt.Sprint(args...)) }

func (r *recorder) end(outcome string) {
	if r.outcome == "" {
		r.outcome = outcome
	}
}
