// The shop sells tableware with one of two checkout pages: a LaunchDarkly experiment decides which one a visitor sees, and
// what visitors buy is tracked as its metric. Everything runs in this process, with no account and no network:
// LaunchDarkly in a box takes LaunchDarkly's place. The page /live shows what it receives.
//
// Start reading at shop.go: it is what an application looks like, and it knows OpenFeature only. All that knows of
// LaunchDarkly is in wiring.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/open-feature/go-sdk/openfeature"
)

const (
	defaultPort = 8080
	// goodbye is how long the requests that are being answered, and then the events that wait for delivery, have to
	// finish in the end.
	goodbye = 5 * time.Second
)

func main() {
	port := flag.Int("port", defaultPort, "the port to listen on, on this machine only; 0 takes a free one")
	flag.Parse()
	chosen := false
	flag.Visit(func(*flag.Flag) { chosen = true })

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // so that a second interrupt ends it at once
	if err := run(ctx, os.Stdout, *port, chosen); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves until the context ends, and then delivers what is tracked.
func run(ctx context.Context, out io.Writer, port int, insist bool) error {
	listener, err := listen(ctx, port, insist)
	if err != nil {
		return err
	}
	defer listener.Close()

	behind, err := connectLaunchDarkly(slog.Default())
	if err != nil {
		return err
	}
	// From here on, LaunchDarkly has to be shut down, whatever happens.
	err = serve(ctx, out, listener, behind)
	ending, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	err = errors.Join(err, behind.shutdown(ending))
	d := behind.delivery()
	fmt.Fprintf(out, "%d events tracked, %d delivered\n", d.Tracked, d.Delivered)
	return err
}

// serve answers requests until the context ends.
func serve(ctx context.Context, out io.Writer, listener net.Listener, behind *launchDarkly) error {
	app := newApplication(openfeature.NewDefaultClient(), behind, settings{})
	defer app.close()
	server := newServer(app)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	fmt.Fprintf(out, "The shop is at http://%s, and what LaunchDarkly receives at http://%[1]s/live (Ctrl+C to end)\n",
		listener.Addr())

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	err := server.Shutdown(ending)
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// newServer is an HTTP server that nobody can keep busy by being slow. The stream of /live, which is meant to last, moves
// its own deadline on.
func newServer(app *application) *http.Server {
	server := &http.Server{
		Handler:           app,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	server.RegisterOnShutdown(app.live.close)
	return server
}

// listen opens a port on this machine: another one than asked for where that is taken, unless the caller insists.
func listen(ctx context.Context, port int, insist bool) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil && !insist {
		return config.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	return listener, err
}
