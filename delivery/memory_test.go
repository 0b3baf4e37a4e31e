package delivery

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
)

// inMemory makes a processor whose events service is a function.
func inMemory(t *testing.T, service trip) *Processor {
	t.Helper()
	config := Lossless(nil, WithLogger(slog.New(slog.DiscardHandler)))
	if _, err := config.Build(subsystems.BasicClientContext{
		SDKKey: "key",
		HTTP: subsystems.HTTPConfiguration{
			CreateHTTPClient: func() *http.Client { return &http.Client{Transport: service} },
		},
		ServiceEndpoints: interfaces.ServiceEndpoints{Events: "http://127.0.0.1"},
	}); err != nil {
		t.Fatal(err)
	}
	return config.Processor()
}

func purchase() ldevents.CustomEventData {
	return ldevents.CustomEventData{
		BaseEvent: ldevents.BaseEvent{Context: ldevents.Context(ldcontext.New("sandy"))},
		Key:       "purchase",
	}
}

// After a long outage, the next attempt may be later than the deadline of a flush or of a shutdown.
func TestServiceIsBackBeforeTheNextAttempt(t *testing.T) {
	for name, deliver := range map[string]func(*Processor, context.Context) error{
		"flush":    (*Processor).FlushContext,
		"shutdown": (*Processor).Shutdown,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const outage = 30 // failures: the pause has grown by then
				failures, over := 0, make(chan struct{})
				p := inMemory(t, func(r *http.Request) (*http.Response, error) {
					if failures == outage {
						return answer(r, http.StatusAccepted, nil), nil
					}
					if failures++; failures == outage {
						close(over)
					}
					return answer(r, http.StatusServiceUnavailable, nil), nil
				})
				p.RecordCustomEvent(purchase())
				p.Flush()
				<-over
				ctx, cancel := context.WithTimeout(t.Context(), watchedBackoff)
				defer cancel()
				if err := deliver(p, ctx); err != nil {
					t.Error(err)
				}
				if s := p.Stats(); s.Delivered != 1 || s.Waiting != 0 || s.Dropped.Total() != 0 {
					t.Errorf("%+v", s)
				}
				_ = p.Close()
			})
		})
	}
}

// LaunchDarkly's sender sleeps for a second before its retry, which no deadline ends: what is given up is told before that.
func TestShutdownReportsWhileTheSenderSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, func(r *http.Request) (*http.Response, error) {
			return answer(r, http.StatusServiceUnavailable, nil), nil
		})
		p.RecordCustomEvent(purchase())
		p.RecordIdentifyEvent(ldevents.IdentifyEventData{BaseEvent: purchase().BaseEvent})
		p.Flush()
		synctest.Wait() // the first attempts have failed
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if err := p.Shutdown(over); err == nil {
			t.Error("everything is said to be delivered")
		}
		if p.Ended() {
			t.Error("the sender did not sleep")
		}
		if s := p.Stats(); s.Dropped.Closed != 1 || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
		_ = p.Close()
	})
}

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
			service := func(r *http.Request) (*http.Response, error) {
				signal(asked)
				return answer(r, test.status, nil), nil
			}
			p := inMemory(t, service)
			p.RecordCustomEvent(purchase())
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
