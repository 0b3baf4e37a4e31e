// The quickstart evaluates flags and tracks events with OpenFeature and LaunchDarkly, and prints
// the events that LaunchDarkly received.
//
// It needs no account and no network: a launchdarklytest server replaces LaunchDarkly. If the
// environment variable LAUNCHDARKLY_SDK_KEY is set, it uses LaunchDarkly.
//
// Start reading at app.go, the code of an application.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, os.Stdout, os.Getenv("LAUNCHDARKLY_SDK_KEY")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run registers the provider and runs the application. Without an SDK key, it starts a
// launchdarklytest server.
func run(ctx context.Context, out io.Writer, sdkKey string) error {
	options := []launchdarkly.Option{
		launchdarkly.WithErrorHandler(func(_ context.Context, err error) { fmt.Fprintln(out, "problem:", err) }),
	}
	show := func(out io.Writer) {
		fmt.Fprintln(out, "\nLaunchDarkly shows the events in the live events view of your project.")
	}
	if sdkKey == "" {
		server := startTestServer()
		defer server.Close()
		sdkKey, show = server.SDKKey(), server.show
		options = append(options, launchdarkly.WithConfig(server.Config()))
		fmt.Fprintln(out, "Using a launchdarklytest server. Set LAUNCHDARKLY_SDK_KEY to use LaunchDarkly.")
	} else {
		fmt.Fprintln(out, "Using LaunchDarkly with the SDK key LAUNCHDARKLY_SDK_KEY.")
	}

	provider, err := launchdarkly.NewProvider(sdkKey, options...)
	if err != nil {
		return err
	}
	defer openfeature.Shutdown()
	if err := openfeature.SetProviderWithContextAndWait(ctx, provider); err != nil {
		return err
	}
	client := openfeature.NewDefaultClient()

	evaluate(ctx, out, client)
	track(ctx, client)

	if err := provider.Flush(ctx); err != nil {
		return err
	}
	show(out)
	stats := provider.Stats()
	fmt.Fprintf(out, "\n%d events tracked, %d delivered\n", stats.Tracked, stats.Delivered)
	if stats.Delivered != stats.Tracked {
		return fmt.Errorf("%d events were not delivered", stats.Tracked-stats.Delivered)
	}
	return nil
}
