package delivery

import (
	"net/http"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
)

// A provider keeps the processors that it has had, for their counters.
func TestEndedProcessorKeepsNoBatch(t *testing.T) {
	client := &http.Client{Transport: trip(func(r *http.Request) (*http.Response, error) {
		return answer(r, http.StatusAccepted, nil), nil
	})}
	config := Lossless(nil)
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
	if err := p.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := cap(p.custom.batch); n > 0 {
		t.Errorf("there is room for %d events", n)
	}
	if s := p.Stats(); s.Delivered != 1 {
		t.Errorf("%+v", s)
	}
}
