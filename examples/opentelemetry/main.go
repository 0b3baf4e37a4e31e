// The OpenTelemetry example evaluates flags within a span and reports each evaluation three times: as
// a log record, as an event of the span, and in a metric. It prints what OpenTelemetry exports.
//
//	go run ./examples/opentelemetry
//
// It needs no account and no network: LaunchDarkly in a box takes LaunchDarkly's place on this
// machine.
//
// Start reading at run, which is the wiring of a service. A service differs in its exporters
// (telemetry.go), which send to a collector.
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

// run connects LaunchDarkly and OpenTelemetry to OpenFeature, serves one request, and shuts everything
// down.
func run(ctx context.Context, out io.Writer) (err error) {
	box := launchdarklytest.NewServer()
	defer box.Close()
	box.SetValue("new-checkout", true)
	box.SetValue("headline", "Welcome back")

	telemetry := startTelemetry(out)
	// Deferred first, so that it runs last, when nothing evaluates any more.
	defer func() { err = errors.Join(err, telemetry.shutdown(context.WithoutCancel(ctx))) }()

	// One hook, three sinks. An application can have any of them.
	evaluations := hooks.NewEvaluationHook(hooks.NewMultiSink(
		otelhooks.NewLogSink(telemetry.loggers),
		otelhooks.NewSpanSink(), // adds to the active span
		otelhooks.NewMetricSink(telemetry.meters),
	))

	provider, err := launchdarkly.NewProvider(box.SDKKey(),
		launchdarkly.WithConfig(box.Config()),
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

// serve handles one request. The application evaluates flags and does not know about the hook.
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
