// The OpenTelemetry example evaluates flags within a span and reports each evaluation three times:
// as a log record, as an event of the span, and in a metric. It prints what OpenTelemetry exports.
//
//	go run ./examples/opentelemetry
//
// It needs no account and no network: a launchdarklytest server replaces LaunchDarkly.
//
// Start reading at run, the setup of a service. A service has other exporters than those in
// telemetry.go, which send to a collector.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/open-feature/go-sdk/openfeature"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/hooks"
	"github.com/openfeature-launchdarkly/go-provider/hooks/otelhooks"
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

// run sets up the provider and OpenTelemetry, serves one request, and shuts both down.
func run(ctx context.Context, out io.Writer) (err error) {
	testServer := launchdarklytest.NewServer()
	defer testServer.Close()
	testServer.SetValue("new-checkout", true)
	testServer.SetValue("headline", "Welcome back")

	telemetry := startTelemetry(out)
	// Deferred first, so that it runs last, after all evaluations.
	defer func() { err = errors.Join(err, telemetry.shutdown(context.WithoutCancel(ctx))) }()

	// One hook with three sinks. An application can use any of them.
	evaluations := hooks.NewEvaluationHook(hooks.NewMultiSink(
		otelhooks.NewLogSink(telemetry.loggers),
		otelhooks.NewSpanSink(), // adds events to the active span
		otelhooks.NewMetricSink(telemetry.meters),
	))

	provider, err := launchdarkly.NewProvider(testServer.SDKKey(),
		launchdarkly.WithConfig(testServer.Config()),
		launchdarkly.WithHooks(evaluations),
	)
	if err != nil {
		return err
	}
	defer openfeature.Shutdown()
	if err := openfeature.SetProviderWithContextAndWait(ctx, provider); err != nil {
		return err
	}

	serve(ctx, telemetry.tracers.Tracer("shop"), openfeature.NewDefaultClient())
	return nil
}

// serve handles one request. The code that evaluates flags does not depend on the hook.
func serve(ctx context.Context, tracer trace.Tracer, client *openfeature.Client) {
	ctx, span := tracer.Start(ctx, "GET /checkout",
		trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("http.request.method", "GET")))
	defer span.End()

	user := openfeature.NewEvaluationContext("user-42", map[string]any{"plan": "gold"})
	if client.Boolean(ctx, "new-checkout", false, user) {
		client.String(ctx, "headline", "Welcome", user)
	}
	client.Int(ctx, "upload-limit", 10, user) // does not exist: the caller gets 10
}
