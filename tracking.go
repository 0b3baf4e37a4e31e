package launchdarkly

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"sync/atomic"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/open-feature/go-sdk/openfeature"

	"github.com/openfeature-launchdarkly/go-provider/internal/jsonvalue"
)

// TrackingDataKey is the key of the attribute of tracking details whose value becomes the event's
// data as a whole, for data that is not an object: a number, a string, a bool, or an array.
//
//	openfeature.NewTrackingEventDetails(9.99).Add(launchdarkly.TrackingDataKey, "my value")
//
// Other attributes are then omitted with a warning.
const TrackingDataKey = "launchdarkly.data"

// trackingCounts counts calls of Track whose event does not reach the event processor, or reaches
// that of another package.
type trackingCounts struct {
	badName        atomic.Uint64
	invalidContext atomic.Uint64
	eventsOff      atomic.Uint64
	closed         atomic.Uint64
	handedOver     atomic.Uint64
}

// Track records an event for LaunchDarkly's metrics and experiments (OpenFeature requirement
// 2.7.1). The package documentation describes the conversion of the details. Track does no I/O and
// returns at once, except that it waits briefly for room if the queue is full and being delivered
// (see delivery.WithMaxWait). The event is delivered in the background, or by [Provider.Flush].
//
// An event is not sent if its name is empty or longer than 64 KiB, if its context is invalid, or
// after a shutdown. The error is passed to the handler of [WithErrorHandler], logged, and counted
// in [Stats]. The event is sent even if ctx is done.
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
		p.tracked.badName.Add(1)
		p.reporter.notSent(ctx, trackingEventName, ErrEmptyEventName)
		return
	case len(trackingEventName) > maxKeyBytes:
		p.tracked.badName.Add(1)
		p.reporter.notSent(ctx, trackingEventName, errLongEventName)
		return
	case s.eventsOff:
		p.tracked.eventsOff.Add(1)
		return
	}
	name := jsonvalue.String(trackingEventName)
	var who ldcontext.Context
	warnings, err := p.contexts.toLaunchDarkly(&who, evaluationContext.TargetingKey(), false,
		evaluationContext.Attributes())
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
	if err != nil { // as of 7.15.5, the SDK always returns nil
		p.reporter.notSent(ctx, name, err)
	}
}

var errLongEventName = fmt.Errorf("%w: the event name", ErrTooLarge)

// trackedEvent is the content of an event.
type trackedEvent struct {
	hasMetric bool
	metric    float64
	data      ldvalue.Value
}

// eventOf converts tracking details. leftOut reports what was omitted or changed.
func eventOf(details openfeature.TrackingEventDetails) (event trackedEvent, leftOut problems) {
	attributes := details.Attributes()
	switch value := details.Value(); {
	case math.IsNaN(value): // no metric
	case math.IsInf(value, 0):
		leftOut.add(ErrMetricNotFinite)
	case value == 0 && len(attributes) == 0 && reflect.ValueOf(details).IsZero(): // not made with a value of 0
	default:
		event.hasMetric, event.metric = true, value
	}
	if whole, ok := attributes[TrackingDataKey]; ok {
		data, _, problems := jsonvalue.Convert(whole)
		event.data = data
		leftOut.addParts(problems, TrackingDataKey)
		for name := range attributes {
			if name != TrackingDataKey && len(leftOut) < maxProblems {
				leftOut.add(attributeError(ErrAttributeIgnored, []string{name}))
			}
		}
		return event, leftOut
	}
	if len(attributes) == 0 {
		return event, leftOut
	}
	if len(attributes) > maxAttributes {
		attributes = firstAttributes(attributes, maxAttributes)
		leftOut.add(errTooManyAttributes)
	}
	data, problems := jsonvalue.Object(attributes)
	event.data = data
	for _, p := range problems {
		leftOut.add(attributeError(p.Err, p.Path[:1], p.Path[1:]...))
	}
	return event, leftOut
}
