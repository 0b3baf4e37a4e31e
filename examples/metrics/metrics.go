package main

import (
	"net/http"

	"github.com/open-feature/go-sdk/openfeature"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/otlptranslator"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/hooks"
	"github.com/openfeature-launchdarkly/go-provider/hooks/otelhooks"
)

// metrics exports metrics to Prometheus.
type metrics struct {
	meters      *metric.MeterProvider
	evaluations openfeature.Hook // counts evaluations
	handler     http.Handler     // of /metrics
}

// newMetrics exports OpenTelemetry metrics to Prometheus.
func newMetrics() (*metrics, error) {
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(
		otelprometheus.WithRegisterer(registry),
		// launchdarkly.events.delivered becomes launchdarkly_events_delivered_total.
		otelprometheus.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes),
		otelprometheus.WithoutScopeInfo(),
	)
	if err != nil {
		return nil, err
	}
	meters := metric.NewMeterProvider(metric.WithReader(exporter))
	return &metrics{
		meters:      meters,
		evaluations: hooks.NewEvaluationHook(otelhooks.NewMetricSink(meters)),
		handler:     promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
	}, nil
}

// export adds the delivery metrics of a provider. They need no hook.
func (m *metrics) export(provider *launchdarkly.Provider) error {
	_, err := otelhooks.RegisterDeliveryMetrics(provider, otelhooks.WithMeterProvider(m.meters))
	return err
}
