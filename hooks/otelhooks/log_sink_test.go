package otelhooks_test

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/log/logtest"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/openfeature-launchdarkly/go-provider/hooks"
	"github.com/openfeature-launchdarkly/go-provider/hooks/otelhooks"
)

// records is an in-memory exporter for log records.
type records struct{ got []sdklog.Record }

func (r *records) Export(_ context.Context, batch []sdklog.Record) error {
	for _, record := range batch {
		r.got = append(r.got, record.Clone())
	}
	return nil
}
func (*records) Shutdown(context.Context) error   { return nil }
func (*records) ForceFlush(context.Context) error { return nil }

func TestLogSink(t *testing.T) {
	t.Parallel()
	for _, tt := range evaluations() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var exported records
			loggers := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewSimpleProcessor(&exported)))
			client := newClient(t, hooks.NewEvaluationHook(otelhooks.NewLogSink(loggers), hooks.WithValues()))
			ctx, span := trace.NewTracerProvider().Tracer("test").Start(context.Background(), "request")
			tt.evaluate(ctx, client)
			span.End()

			if len(exported.got) != 1 {
				t.Fatalf("got %d records", len(exported.got))
			}
			record := exported.got[0]
			if record.EventName() != "feature_flag.evaluation" {
				t.Errorf("got event name %q", record.EventName())
			}
			if record.Severity() != log.SeverityInfo || record.SeverityText() != "INFO" {
				t.Errorf("got severity %v %q", record.Severity(), record.SeverityText())
			}
			if age := time.Since(record.Timestamp()); age < 0 || age > time.Minute {
				t.Errorf("got timestamp %v", record.Timestamp())
			}
			if record.TraceID() != span.SpanContext().TraceID() || record.SpanID() != span.SpanContext().SpanID() {
				t.Error("not correlated with the span")
			}
			if scope := record.InstrumentationScope().Name; scope != "github.com/openfeature-launchdarkly/go-provider/hooks/otelhooks" {
				t.Errorf("got scope %q", scope)
			}
			var got []attribute.KeyValue
			record.WalkAttributes(func(kv attribute.KeyValue) bool {
				got = append(got, kv)
				return true
			})
			if !same(got, tt.want) {
				t.Errorf("got  %v\nwant %v", got, tt.want)
			}
		})
	}
}

func TestLogSinkAsksTheLogger(t *testing.T) {
	t.Parallel()
	var asked []log.EnabledParameters
	recorder := logtest.NewRecorder(logtest.WithEnabledFunc(func(_ context.Context, p log.EnabledParameters) bool {
		asked = append(asked, p)
		return false
	}))
	client := newClient(t, hooks.NewEvaluationHook(otelhooks.NewLogSink(recorder)))
	evaluations()[0].evaluate(context.Background(), client)
	if len(asked) != 1 || asked[0] != (log.EnabledParameters{Severity: log.SeverityInfo, EventName: "feature_flag.evaluation"}) {
		t.Errorf("asked %+v", asked)
	}
	for scope, emitted := range recorder.Result() {
		if len(emitted) > 0 {
			t.Errorf("%s: got %v", scope.Name, emitted)
		}
	}
}

func TestLogSinkWithoutProvider(t *testing.T) {
	t.Parallel()
	var none *otelhooks.LogSink
	for name, sink := range map[string]*otelhooks.LogSink{"nil": none, "zero": {}} {
		if sink.Enabled(context.Background()) {
			t.Errorf("%s: enabled", name)
		}
		sink.Emit(context.Background(), hooks.Event{})
	}
	if otelhooks.NewLogSink(nil).Enabled(context.Background()) {
		t.Error("enabled although no global provider is set")
	}
}
