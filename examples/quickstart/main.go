// The quickstart evaluates flags and tracks events through OpenFeature, with LaunchDarkly behind it, and shows what
// LaunchDarkly received.
//
// It needs no account and no network: LaunchDarkly in a box takes LaunchDarkly's place on this machine. With the
// environment variable LAUNCHDARKLY_SDK_KEY, it talks to LaunchDarkly itself.
//
// Start reading at app.go: it is what an application looks like.
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

// run wires LaunchDarkly to OpenFeature, and has the application do its work. Without an SDK key, it runs LaunchDarkly
// in a box.
func run(ctx context.Context, out io.Writer, sdkKey string) error {
	options := []launchdarkly.Option{
		launchdarkly.WithErrorHandler(func(_ context.Context, err error) { fmt.Fprintln(out, "problem:", err) }),
	}
	var box *boxedLaunchDarkly
	if sdkKey == "" {
		box = startBox()
		defer box.server.Close()
		sdkKey = box.server.SDKKey()
		options = append(options, launchdarkly.WithConfig(box.server.Config()))
		fmt.Fprintln(out, "LaunchDarkly in a box is running. Set LAUNCHDARKLY_SDK_KEY to use LaunchDarkly itself.")
	} else {
		fmt.Fprintln(out, "Using LaunchDarkly itself, with the SDK key of LAUNCHDARKLY_SDK_KEY.")
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
	if box != nil {
		box.show(out)
	} else {
		fmt.Fprintln(out, "\nThe events are in your project's live events view in LaunchDarkly.")
	}
	stats := provider.Stats()
	fmt.Fprintf(out, "\n%d events tracked, %d delivered\n", stats.Tracked, stats.Delivered)
	if stats.Delivered != stats.Tracked {
		return fmt.Errorf("%d events were not delivered", stats.Tracked-stats.Delivered)
	}
	return nil
}
