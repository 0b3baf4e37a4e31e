package launchdarkly

import (
	"time"

	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/open-feature/go-sdk/openfeature"
)

// sdkState is the known state of LaunchDarkly's SDK.
type sdkState struct {
	status  interfaces.DataSourceStatus // its state is empty until the SDK has returned one
	hasData bool                        // whether there is flag data, which is never lost again
	checks  int                         // pending checks for flag data; the first is running
}

// connecting reports whether the data source has not reported a result of connecting yet.
func (s *sdkState) connecting() bool {
	return s.status.State == "" || s.status.State == interfaces.DataSourceStateInitializing
}

// event returns the provider event for the state, or an event without a type if there is none.
// listening reports whether flag changes are being received.
//
// Without flag data, the only event is a fatal error. An interrupted connection is then one that
// has never been established. As of go-server-sdk 7.17, that is also the state after LaunchDarkly
// has refused the SDK key.
func (s *sdkState) event(listening bool) openfeature.Event {
	event := openfeature.Event{ProviderName: providerName}
	switch s.status.State {
	case interfaces.DataSourceStateValid:
		if listening { // otherwise changes could be missed after READY
			event.EventType = openfeature.ProviderReady
			event.Message = "LaunchDarkly's flag data is up to date"
		}
	case interfaces.DataSourceStateInterrupted:
		if s.hasData {
			event.EventType = openfeature.ProviderStale
			event.Message = "the connection to LaunchDarkly is interrupted: " + describe(s.status.LastError)
		}
	case interfaces.DataSourceStateOff:
		event.Message = "the connection to LaunchDarkly has ended for good: " + describe(s.status.LastError)
		switch {
		case s.hasData:
			event.EventType = openfeature.ProviderError
			event.ErrorCode = openfeature.GeneralCode
		case s.checks == 0: // otherwise the next check decides
			event.EventType = openfeature.ProviderError
			event.ErrorCode = openfeature.ProviderFatalCode
		}
	}
	return event
}

// unconnected returns the provider event for flag data without a connection: data from a persistent
// store, or from the first poll of a DataSystem.
func (s *sdkState) unconnected() openfeature.Event {
	event := openfeature.Event{ProviderName: providerName, EventType: openfeature.ProviderStale}
	event.Message = "no connection to LaunchDarkly yet: evaluations use the flags that are known so far"
	return event
}

// describe formats an error of the SDK without its time.
func describe(info interfaces.DataSourceErrorInfo) string {
	if info.Kind == "" {
		return "no reason given"
	}
	info.Time = time.Time{}
	return info.String()
}

// stateTracker selects the events that change the provider's state. It returns each once, and none
// before the first initialization.
type stateTracker struct {
	known   providerState      // OpenFeature's state of the provider
	pending *openfeature.Event // to be sent, if not nil
}

// providerState is the provider's state after an event. FATAL and ERROR differ in the code only.
type providerState struct {
	event openfeature.EventType
	code  openfeature.ErrorCode
}

func stateOf(event openfeature.Event) providerState {
	return providerState{event: event.EventType, code: event.ErrorCode}
}

// setKnown records a state that OpenFeature derives without an event of the provider.
func (s *stateTracker) setKnown(event openfeature.Event) { s.known, s.pending = stateOf(event), nil }

// transition records the event for the current state. It replaces a pending one.
func (s *stateTracker) transition(event openfeature.Event) {
	switch {
	case event.EventType == "" || s.known.event == "":
	case stateOf(event) == s.known:
		s.pending = nil
	default:
		s.pending = &event
	}
}

// sent records that the pending event was sent.
func (s *stateTracker) sent() { s.setKnown(*s.pending) }
