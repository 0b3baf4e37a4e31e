package launchdarkly

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/open-feature/go-sdk/openfeature"
)

// OpenFeature's SDK emits the event for an initialization after it has returned: later events must
// follow that one.
func TestStateWaitsForOpenFeature(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, source := borrowing(t)
		if err := p.InitWithContext(t.Context(), openfeature.EvaluationContext{}); err != nil {
			t.Fatal(err)
		}
		initialized := time.Now()
		source.UpdateStatus(interfaces.DataSourceStateInterrupted, interfaces.DataSourceErrorInfo{})
		event := <-p.EventChannel()
		if waited := time.Since(initialized); event.EventType != openfeature.ProviderStale || waited != settleTime {
			t.Errorf("%v after %s", event, waited)
		}
		source.UpdateStatus(interfaces.DataSourceStateValid, interfaces.DataSourceErrorInfo{})
		event = <-p.EventChannel()
		if waited := time.Since(initialized); event.EventType != openfeature.ProviderReady || waited != settleTime {
			t.Errorf("%v after %s", event, waited)
		}
	})
}

// The SDK changes the status before it calls the listeners, so that another change can overtake it.
func TestStatusThatIsOvertakenIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, source := borrowing(t)
		if err := p.InitWithContext(t.Context(), openfeature.EvaluationContext{}); err != nil {
			t.Fatal(err)
		}
		w := p.session.Load().watcher
		valid := w.client.GetDataSourceStatusProvider().GetStatus()
		time.Sleep(time.Second)
		source.UpdateStatus(interfaces.DataSourceStateInterrupted, interfaces.DataSourceErrorInfo{})
		if event := <-p.EventChannel(); event.EventType != openfeature.ProviderStale {
			t.Fatalf("%v", event)
		}
		w.post(func() { w.observe(valid) })
		select {
		case event := <-p.EventChannel():
			t.Errorf("%v", event)
		case <-time.After(time.Minute):
		}
	})
}
