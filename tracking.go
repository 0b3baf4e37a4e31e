package launchdarkly

import (
	"context"
	"math"
	"reflect"
	"sync/atomic"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/open-feature/go-sdk/openfeature"

	"github.com/openfeature-launchdarkly/go-provider/internal/jsonvalue"
)

// TrackingDataKey names the attribute of tracking details whose value is the whole data of LaunchDarkly's event, so
// that it can be of any shape that LaunchDarkly's SDKs send: a number, a string, true or false, an array.
//
//	openfeature.NewTrackingEventDetails(9.99).Add(launchdarkly.TrackingDataKey, "my value")
//
// Other attributes next to it have no place then; they are left out and reported.
const TrackingDataKey = "launchdarkly.data"

// trackingCounts are the calls of Track that never reach event delivery, or whose delivery is not ours.
type trackingCounts struct {
	emptyName      atomic.Uint64
	invalidContext atomic.Uint64
	eventsOff      atomic.Uint64
	closed         atomic.Uint64
	handedOver     atomic.Uint64
}

// Track records an event for LaunchDarkly's metrics and experiments (OpenFeature requirement 2.7.1): the table in the
// package documentation says what becomes of the details. It returns at once and sends nothing itself; at most it waits
// for room in a full queue that is being delivered (see the package delivery). Events arrive later, or with Flush.
//
// What can't be sent is reported to the handler of [WithErrorHandler], logged, and counted in [Stats]: an event without
// a name, with an unusable context, or after Shutdown. A context.Context that has ended does not stop it.
func (p *Provider) Track(
	ctx context.Context, trackingEventName string, evaluationContext openfeature.EvaluationContext,
	details openfeature.TrackingEventDetails,
) {
	s := p.session.Load()
	switch {
	case s == nil:
		p.tracked.closed.Add(1)
		p.reporter.notSent(ctx, trackingEventName, ErrClosed)
		return
	case trackingEventName == "":
		p.tracked.emptyName.Add(1)
		p.reporter.notSent(ctx, trackingEventName, ErrEmptyEventName)
		return
	case s.eventsOff:
		p.tracked.eventsOff.Add(1)
		return
	}
	name := jsonvalue.String(trackingEventName)
	var who ldcontext.Context
	warnings, err := p.contexts.toLaunchDarkly(&who, evaluationContext.TargetingKey(), evaluationContext.Attributes())
	if err != nil {
		p.tracked.invalidContext.Add(1)
		p.reporter.notSent(ctx, name, err)
		return
	}
	event, leftOut := eventOf(details)
	if warnings != nil || leftOut != nil {
		p.reporter.leftOut(ctx, name, warnings)
		p.reporter.leftOut(ctx, name, leftOut)
	}
	if s.processor == nil {
		p.tracked.handedOver.Add(1)
	}
	switch {
	case event.hasMetric:
		err = s.client.TrackMetricCtx(ctx, name, who, event.metric, event.data)
	case event.data.IsDefined():
		err = s.client.TrackDataCtx(ctx, name, who, event.data)
	default:
		err = s.client.TrackEventCtx(ctx, name, who)
	}
	if err != nil { // as of 7.15.4, the SDK always returns nil
		p.reporter.notSent(ctx, name, err)
	}
}

// trackedEvent is what LaunchDarkly gets of tracking details.
type trackedEvent struct {
	hasMetric bool
	metric    float64
	data      ldvalue.Value
}

// eventOf translates tracking details. leftOut says what of them LaunchDarkly won't get.
func eventOf(details openfeature.TrackingEventDetails) (event trackedEvent, leftOut problems) {
	attributes := details.Attributes()
	switch value := details.Value(); {
	case math.IsNaN(value): // the caller's way to say that there is none
	case math.IsInf(value, 0):
		leftOut.add(ErrMetricNotFinite)
	case value == 0 && len(attributes) == 0 && reflect.ValueOf(details).IsZero(): // not made with a value, of 0 or other
	default:
		event.hasMetric, event.metric = true, value
	}

	if whole, ok := attributes[TrackingDataKey]; ok {
		data, _, unsupported := jsonvalue.Convert(whole)
		event.data = data
		leftOut.addParts(unsupported, TrackingDataKey)
		for name := range attributes {
			if name != TrackingDataKey {
				leftOut.add(attributeError(ErrAttributeIgnored, []string{name}))
			}
		}
		return event, leftOut
	}
	if len(attributes) == 0 {
		return event, leftOut
	}
	data, problems := jsonvalue.Object(attributes)
	for _, p := range problems {
		leftOut.add(attributeError(p.Err, p.Path[:1], p.Path[1:]...))
	}
	event.data = data
	return event, leftOut
}
