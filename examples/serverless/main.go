// The serverless example is a function that a platform freezes after each response. It delivers
// tracked events before it returns, within the remaining time of the invocation, and logs events
// that it could not deliver.
//
//	go run ./examples/serverless
//
// It needs no account and no network: a launchdarklytest server replaces LaunchDarkly.
//
// Start reading at function.go, the code of the function. This file simulates the platform.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/open-feature/go-sdk/openfeature"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run simulates the platform: it starts a process of the function, and invokes it three times.
func run(ctx context.Context, out io.Writer) error {
	testServer := launchdarklytest.NewServer()
	defer testServer.Close()
	testServer.SetValue("discount", 0.25)

	function, err := NewFunction(ctx, testServer.SDKKey(), testServer.Config(), plainLogger(out))
	if err != nil {
		return err
	}
	defer openfeature.Shutdown()

	p := platform{out: out, testServer: testServer, function: function}
	p.invoke(ctx, "the first purchase", Event{UserID: "user-42", Total: 80}, 10*time.Second)

	testServer.RefuseEvents(http.StatusServiceUnavailable)
	p.invoke(ctx, "a purchase while LaunchDarkly rejects events", Event{UserID: "user-43", Total: 40}, time.Second)
	testServer.AcceptEvents()

	p.invoke(ctx, "a purchase after that", Event{UserID: "user-44", Total: 20}, 10*time.Second)

	stats := function.provider.Stats()
	fmt.Fprintf(out, "\n%d events tracked, %d delivered\n", stats.Tracked, stats.Delivered)
	if stats.Delivered != stats.Tracked {
		return fmt.Errorf("%d events were not delivered", stats.Tracked-stats.Delivered)
	}
	return nil
}

// platform invokes a function, and freezes it after each response.
type platform struct {
	out        io.Writer
	testServer *launchdarklytest.Server
	function   *Function
}

// invoke invokes the function with a time limit, and prints the events that LaunchDarkly has
// received when the process freezes.
func (p platform) invoke(ctx context.Context, what string, event Event, limit time.Duration) {
	fmt.Fprintf(p.out, "\nInvocation: %s\n", what)
	p.testServer.ClearEvents()
	ctx, cancel := context.WithTimeout(ctx, limit)
	response, err := p.function.Handle(ctx, event)
	cancel()
	fmt.Fprintf(p.out, "  response: discount %v, error: %v\n", response.Discount, err)

	// The process is frozen until the next invocation. No goroutine runs.
	arrived := p.testServer.CustomEvents("purchase")
	fmt.Fprintf(p.out, "  frozen; LaunchDarkly has received %d of its events\n", len(arrived))
	for _, purchase := range arrived {
		fmt.Fprintf(p.out, "    %s of %v by %s\n", purchase.Key, *purchase.MetricValue, purchase.ContextKeys()["user"])
	}
}

// plainLogger returns a logger that prints errors without the time.
func plainLogger(out io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{
		Level: slog.LevelError,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey && len(groups) == 0 {
				return slog.Attr{}
			}
			return a
		},
	}))
}
