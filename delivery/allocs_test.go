package delivery

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"

	"github.com/openfeature-launchdarkly/go-provider/internal/race"
)

// TestRecordingAllocatesNoMoreThanTheSDK compares the allocations of recording an event with those
// of LaunchDarkly's own processor. Neither processes the events meanwhile, because that allocates,
// too.
func TestRecordingAllocatesNoMoreThanTheSDK(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	const events = 1_000
	user := ldevents.Context(ldcontext.NewBuilder("sandy").SetString("plan", "gold").Build())
	factory := ldevents.NewEventFactory(false, nil)
	custom := factory.NewCustomEventData("purchase", user, ldvalue.String("EUR"), true, 9.99, ldvalue.OptionalInt{})
	evaluation := ldevents.EvaluationData{BaseEvent: custom.BaseEvent, Key: "flag", Value: ldvalue.Bool(true)}
	for name, record := range map[string]func(ldevents.EventProcessor){
		"RecordCustomEvent": func(p ldevents.EventProcessor) { p.RecordCustomEvent(custom) },
		"RecordEvaluation":  func(p ldevents.EventProcessor) { p.RecordEvaluation(evaluation) },
	} {
		t.Run(name, func(t *testing.T) {
			var theirs float64
			synctest.Test(t, func(t *testing.T) {
				sdk := heldUp(t, 2*events)
				theirs = testing.AllocsPerRun(events, func() { record(sdk) })
			})
			p := &Processor{queue: newQueued().queue}
			ours := testing.AllocsPerRun(events, func() { record(p) })
			if ours > theirs {
				t.Errorf("%v allocations, the SDK has %v", ours, theirs)
			}
			t.Logf("%v allocations, the SDK has %v", ours, theirs)
		})
	}
}

// heldUp returns LaunchDarkly's processor in a state in which it does not process recorded events.
// It must be called in a synctest bubble.
func heldUp(t *testing.T, capacity int) ldevents.EventProcessor {
	t.Helper()
	ctx, release := context.WithCancel(context.Background())
	p := build(t, ldcomponents.SendEvents().FlushInterval(never).Capacity(capacity),
		roundTripper(func(*http.Request) (*http.Response, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}))
	p.RecordRawEvent([]byte(`{}`))
	p.Flush()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = p.Close() // waits for the request; nothing is processed meanwhile
	}()
	synctest.Wait()
	t.Cleanup(func() {
		release()
		<-closed
	})
	return p
}
