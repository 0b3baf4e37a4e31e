package hooks_test

import (
	"context"
	"log/slog"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldhooks"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	apitrace "go.opentelemetry.io/otel/trace"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
)

// tracing is a hook of LaunchDarkly's SDK that works as LaunchDarkly's tracing hook does: it adds
// an event to the span that it finds in the context.
type tracing struct{ ldhooks.Unimplemented }

func (tracing) Metadata() ldhooks.Metadata { return ldhooks.NewMetadata("tracing") }

func (tracing) BeforeEvaluation(
	ctx context.Context, series ldhooks.EvaluationSeriesContext, data ldhooks.EvaluationSeriesData,
) (ldhooks.EvaluationSeriesData, error) {
	addEvent(ctx, "before "+series.FlagKey())
	return data, nil
}

func (tracing) AfterEvaluation(
	ctx context.Context, series ldhooks.EvaluationSeriesContext, data ldhooks.EvaluationSeriesData,
	_ ldreason.EvaluationDetail,
) (ldhooks.EvaluationSeriesData, error) {
	addEvent(ctx, "after "+series.FlagKey(), attribute.String("context", series.Context().FullyQualifiedKey()))
	return data, nil
}

func (tracing) AfterTrack(ctx context.Context, series ldhooks.TrackSeriesContext) error {
	addEvent(ctx, "track "+series.Key(), attribute.String("context", series.Context().FullyQualifiedKey()))
	return nil
}

func addEvent(ctx context.Context, name string, attributes ...attribute.KeyValue) {
	apitrace.SpanFromContext(ctx).AddEvent(name, apitrace.WithAttributes(attributes...))
}

var _ = Describe("A hook of LaunchDarkly's SDK", func() {
	// request evaluates and tracks within a span, and returns the names of the span's events.
	request := func(ctx context.Context, client *openfeature.Client) []string {
		spans := tracetest.NewSpanRecorder()
		tracer := trace.NewTracerProvider(trace.WithSpanProcessor(spans)).Tracer("shop")
		ctx, span := tracer.Start(ctx, "GET /checkout")
		client.Boolean(ctx, "bool", false, sandy)
		client.String(ctx, "string", "", sandy)
		client.Int(ctx, "int", 0, sandy)
		client.Float(ctx, "float", 0, sandy)
		client.Object(ctx, "object", nil, sandy)
		client.Track(ctx, "visit", sandy, openfeature.TrackingEventDetails{})
		client.Track(ctx, "revenue", sandy, openfeature.NewTrackingEventDetails(9.99))
		client.Track(ctx, "search", sandy, openfeature.NewTrackingEventDetails(0).Add("terms", 3))
		span.End()

		var names []string
		for _, event := range spans.Ended()[0].Events() {
			names = append(names, event.Name)
			for _, attr := range event.Attributes {
				Expect(attr.Value.AsString()).To(Equal("sandy"))
			}
		}
		return names
	}
	expected := []string{
		"before bool", "after bool", "before string", "after string", "before int", "after int",
		"before float", "after float", "before object", "after object",
		"track visit", "track revenue", "track search",
	}

	It("receives the caller's span in evaluations and in Track", func(ctx SpecContext) {
		box := newBox()
		box.SetValue("bool", ldvalue.Bool(true))
		config := box.Config()
		config.Hooks = []ldhooks.Hook{tracing{}}
		provider := connect(box, launchdarkly.WithConfig(config))
		_, client := register(ctx, provider)
		Expect(request(ctx, client)).To(Equal(expected))
	})

	It("receives the caller's span with a client that the application made", func(ctx SpecContext) {
		box := newBox()
		config := box.Config()
		config.Hooks = []ldhooks.Hook{tracing{}}
		borrowed, err := ld.MakeCustomClient(box.SDKKey(), config, 0)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(borrowed.Close)
		provider, err := launchdarkly.NewProviderWithClient(borrowed,
			launchdarkly.WithLogger(slog.New(slog.DiscardHandler)))
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(provider.Shutdown)
		_, client := register(ctx, provider)
		Expect(request(ctx, client)).To(Equal(expected))
	})
})
