// The shop example is a web shop with an experiment: a LaunchDarkly flag selects one of two
// checkout pages for each visitor, and purchases are tracked as the metric. It needs no account and
// no network: a launchdarklytest server in the same process replaces LaunchDarkly. The page /live
// shows the events that it receives.
//
// Start reading at shop.go, the code of an application, which depends on OpenFeature only. All code
// that depends on LaunchDarkly is in wiring.go.
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
	// shutdownTimeout bounds the end of active requests and, after that, the delivery of waiting
	// events.
	shutdownTimeout = 5 * time.Second
)

func main() {
	port := flag.Int("port", defaultPort, "loopback `port` to listen on; 0 selects a free one")
	flag.Parse()
	chosen := false
	flag.Visit(func(*flag.Flag) { chosen = true })

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second interrupt exits at once
	if err := run(ctx, os.Stdout, *port, chosen); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves until the context is done, and then delivers the tracked events.
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
	// From here on, the provider must be shut down on all paths.
	err = serve(ctx, out, listener, behind)
	ending, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	err = errors.Join(err, behind.shutdown(ending))
	d := behind.delivery()
	fmt.Fprintf(out, "%d events tracked, %d delivered\n", d.Tracked, d.Delivered)
	return err
}

// serve serves requests until the context is done.
func serve(ctx context.Context, out io.Writer, listener net.Listener, behind *launchDarkly) error {
	app := newApplication(openfeature.NewDefaultClient(), behind, settings{})
	defer app.close()
	server := newServer(app)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	fmt.Fprintf(out, "The shop is at http://%s, and the events that LaunchDarkly receives at http://%[1]s/live (press Ctrl+C to exit)\n",
		listener.Addr())

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	err := server.Shutdown(ending)
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// newServer returns an HTTP server with timeouts. The long-lived stream of /live extends its own
// write deadline.
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

// listen listens on a loopback port. If the port is in use, it selects a free one, unless insist is
// true.
func listen(ctx context.Context, port int, insist bool) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil && !insist {
		return config.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	return listener, err
}
