package delivery

import (
	"context"
	"log/slog"
	"net/http"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
)

// A provider keeps the processors that it has had, for their counters.
func TestEndedProcessorKeepsNoBatch(t *testing.T) {
	for name, test := range map[string]struct {
		status    int
		delivered uint64
	}{
		"delivered": {http.StatusAccepted, 1},
		"cancelled": {http.StatusServiceUnavailable, 0},
	} {
		t.Run(name, func(t *testing.T) {
			asked := make(chan struct{}, 1)
			client := &http.Client{Transport: trip(func(r *http.Request) (*http.Response, error) {
				signal(asked)
				return answer(r, test.status, nil), nil
			})}
			config := Lossless(nil, WithLogger(slog.New(slog.DiscardHandler)))
			if _, err := config.Build(subsystems.BasicClientContext{
				SDKKey:           "key",
				HTTP:             subsystems.HTTPConfiguration{CreateHTTPClient: func() *http.Client { return client }},
				ServiceEndpoints: interfaces.ServiceEndpoints{Events: "http://127.0.0.1"},
			}); err != nil {
				t.Fatal(err)
			}
			p := config.Processor()
			p.RecordCustomEvent(ldevents.CustomEventData{
				BaseEvent: ldevents.BaseEvent{Context: ldevents.Context(ldcontext.New("sandy"))},
				Key:       "purchase",
			})
			p.Flush()
			<-asked // the batch is under way

			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if test.delivered == 0 {
				cancel()
			}
			if err := p.Shutdown(ctx); (err == nil) != (test.delivered == 1) {
				t.Error(err)
			}
			<-p.closed
			if n := cap(p.custom.batch) + cap(p.custom.cancelled); n > 0 {
				t.Errorf("there is room for %d events", n)
			}
			if s := p.Stats(); s.Delivered != test.delivered || s.Dropped.Closed != 1-test.delivered {
				t.Errorf("%+v", s)
			}
		})
	}
}
