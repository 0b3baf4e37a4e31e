package launchdarkly

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/open-feature/go-sdk/openfeature"
)

// EventChannel returns the channel of provider events (OpenFeature requirement 5.1.1), which report
// changes of flags and of LaunchDarkly's data source status. It is the same channel for the life of
// the provider, and is never closed. If it is not read, only the keys of changed flags accumulate,
// up to a limit.
func (p *Provider) EventChannel() <-chan openfeature.Event {
	p.registrations.read()
	return p.events
}

// watcher translates SDK status and flag changes into provider events.
//
// One goroutine, the loop, owns the state. Other goroutines change the state by posting functions
// to the loop. The loop never blocks: SDK calls that can block are made by helper goroutines, which
// post the results.
type watcher struct {
	client *ld.LDClient
	events chan<- openfeature.Event
	onSent func() // called when an event was received
	silent bool   // see knownStatus

	inbox   chan func()    // functions for the loop to run; nil ends it
	stopped chan struct{}  // closed when the loop has ended
	done    chan struct{}  // closed when the helpers have ended, too
	helpers sync.WaitGroup // started only by newWatcher and the loop

	// The loop owns the fields below.
	sdk      sdkState
	statuses <-chan interfaces.DataSourceStatus // nil until the listener is added, and after the client is closed
	flags    <-chan interfaces.FlagChangeEvent  // nil until the listener is added
	changes  changeCollector
	states   stateTracker
	waiting  []chan<- error   // results of initializations, of which OpenFeature makes events
	settling <-chan time.Time // not nil until it should have made them
}

// newWatcher starts a watcher. silent reports whether nothing keeps the client's flag data up to
// date, see knownStatus.
func newWatcher(client *ld.LDClient, p *Provider, silent bool) *watcher {
	w := &watcher{
		client:  client,
		events:  p.events,
		onSent:  p.registrations.sent,
		silent:  silent,
		inbox:   make(chan func()),
		stopped: make(chan struct{}),
		done:    make(chan struct{}),
	}
	w.helpers.Go(w.subscribe)
	go w.run()
	return w
}

// stop ends the loop. No event is sent afterwards.
func (w *watcher) stop() {
	w.post(nil)
	<-w.stopped
}

// wait blocks until all goroutines of a stopped watcher have ended or ctx is done.
func (w *watcher) wait(ctx context.Context) error {
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// post makes the loop run f. It returns false if the loop has ended.
func (w *watcher) post(f func()) bool {
	select {
	case w.inbox <- f:
		return true
	case <-w.stopped:
		return false
	}
}

// run runs the loop and then cleans up.
func (w *watcher) run() {
	defer close(w.done)
	w.loop()
	w.changes.stop()
	w.answer(fmt.Errorf("launchdarkly: no flag data: %w", ErrClosed), w.waiting...)
	close(w.stopped)

	if w.statuses != nil {
		unsubscribe(w.statuses, w.client.GetDataSourceStatusProvider().RemoveStatusListener)
	}
	if w.flags != nil {
		unsubscribe(w.flags, w.client.GetFlagTracker().RemoveFlagChangeListener)
	}
	w.helpers.Wait()
}

func (w *watcher) loop() {
	dataCheck := time.NewTicker(dataCheckInterval)
	defer dataCheck.Stop()
	for {
		events, event, sent := w.next()
		select {
		case f := <-w.inbox:
			if f == nil {
				return
			}
			f()
		case status, ok := <-w.statuses:
			if !ok { // the client was closed
				w.statuses = nil
				continue
			}
			w.observe(status)
		case change, ok := <-w.flags:
			if !ok {
				w.flags = make(chan interfaces.FlagChangeEvent)
				continue
			}
			w.changes.add(change.Key)
		case <-w.changes.quiet():
			w.changes.collect()
		case <-w.settling:
			w.settling = nil
		case <-dataCheck.C:
			if w.checkAgain() {
				dataCheck.Stop()
			}
		case events <- event:
			sent()
			w.onSent()
		}
	}
}

// next returns the event to send and a function to call when it is sent. The channel is nil if
// there is no event.
func (w *watcher) next() (events chan<- openfeature.Event, event openfeature.Event, sent func()) {
	switch {
	case w.states.pending != nil && w.settling == nil:
		return w.events, *w.states.pending, w.states.sent
	case w.changes.due != nil:
		return w.events, *w.changes.due, w.changes.sent
	default:
		return nil, event, nil
	}
}

// subscribe adds the status listener in a helper. The SDK cannot add or remove a listener while
// another one is full, which may be one of the application's.
func (w *watcher) subscribe() {
	provider := w.client.GetDataSourceStatusProvider()
	statuses := provider.AddStatusListener()
	if !w.post(func() { w.statuses = statuses }) { // before GetStatus, which can block until it is read
		unsubscribe(statuses, provider.RemoveStatusListener)
		return
	}
	status := provider.GetStatus()
	w.post(func() { w.observe(status) })
}

// observe records a data source status. A status usually comes with flag data.
func (w *watcher) observe(status interfaces.DataSourceStatus) {
	if isOvertaken(status, w.sdk.status) {
		return
	}
	w.sdk.status = knownStatus(status, w.client.IsOffline(), w.silent)
	if !w.sdk.hasData {
		w.checkData()
	}
	w.update()
}

// checkData checks for flag data in a helper. If a check is running, another one follows it.
func (w *watcher) checkData() {
	w.sdk.checks++
	if w.sdk.checks > 1 {
		return
	}
	w.check(func() {
		again := w.sdk.checks > 1
		w.sdk.checks = 0
		if again && !w.sdk.hasData {
			w.checkData()
		}
		w.update()
	})
}

// check asks the SDK for flag data in a helper, because a persistent store can block it. The loop
// then runs then.
func (w *watcher) check(then func()) {
	w.helpers.Go(func() {
		hasData := w.client.Initialized()
		w.post(func() {
			if hasData && !w.sdk.hasData {
				w.sdk.hasData = true
				w.helpers.Go(w.listen)
			}
			then()
		})
	})
}

// listen adds the listener for flag changes in a helper. It is called once there is flag data,
// because the first data changes all flags.
func (w *watcher) listen() {
	tracker := w.client.GetFlagTracker()
	flags := tracker.AddFlagChangeListener()
	if !w.post(func() {
		w.flags = flags
		w.update()
	}) {
		unsubscribe(flags, tracker.RemoveFlagChangeListener)
	}
}

// checkAgain checks for changes that the SDK reports in no status. It returns true if there can be
// no more of them.
func (w *watcher) checkAgain() bool {
	switch {
	case !w.sdk.hasData:
		if w.sdk.checks == 0 {
			w.checkData()
		}
		return false
	case w.sdk.connecting(): // for some time, because data usually comes with a connection
		if len(w.waiting) == 0 {
			w.states.transition(w.sdk.unconnected())
		}
		return false
	default:
		return true
	}
}

// update acts on a change of the SDK's state: it answers the waiting initializations or, if there
// are none, reports the state to OpenFeature.
func (w *watcher) update() {
	event := w.sdk.event(w.flags != nil)
	switch {
	case len(w.waiting) == 0:
		w.states.transition(event)
	case event.ErrorCode == openfeature.ProviderFatalCode:
		w.states.setKnown(event)
		w.answer(&openfeature.ProviderInitError{ErrorCode: event.ErrorCode, Message: event.Message}, w.waiting...)
		w.waiting = nil
	case w.flags != nil && !w.sdk.connecting():
		w.answerReady(event, w.waiting...)
		w.waiting = nil
	}
}

// initialize waits for flag data. OpenFeature makes an event of its result.
func (w *watcher) initialize(ctx context.Context, timeout time.Duration) error {
	cause := fmt.Errorf("after %s: %w", timeout, ld.ErrInitializationTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, cause)
	defer cancel()
	result := make(chan error, 1)
	if !w.post(func() {
		w.waiting = append(w.waiting, result)
		w.update()
	}) {
		return fmt.Errorf("launchdarkly: no flag data: %w", ErrClosed)
	}
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	checked := make(chan struct{})
	w.post(func() { w.check(func() { close(checked) }) })
	select {
	case err := <-result:
		return err
	case <-checked:
	case <-time.After(dataCheckPatience):
	}
	w.post(func() { w.expire(result, context.Cause(ctx)) })
	return <-result
}

// expire answers an initialization that is still waiting: with success if there is flag data, else
// with an error.
func (w *watcher) expire(result chan<- error, cause error) {
	i := slices.Index(w.waiting, result)
	if i < 0 {
		return
	}
	w.waiting = slices.Delete(w.waiting, i, i+1)
	switch {
	case w.sdk.hasData && w.sdk.connecting():
		w.answerReady(w.sdk.unconnected(), result)
	case w.sdk.hasData: // the SDK is blocked by another listener
		w.answerReady(w.sdk.event(w.flags != nil), result)
	default:
		err := fmt.Errorf("launchdarkly: no flag data: %w", cause)
		if w.sdk.status.LastError.Kind != "" {
			err = fmt.Errorf("%w: %s", err, describe(w.sdk.status.LastError))
		}
		w.states.setKnown(openfeature.Event{EventType: openfeature.ProviderError})
		w.answer(err, result)
	}
}

// answerReady answers initializations with success, of which OpenFeature makes READY events. If the
// state is another one, its event follows.
func (w *watcher) answerReady(state openfeature.Event, results ...chan<- error) {
	w.states.setKnown(openfeature.Event{EventType: openfeature.ProviderReady})
	w.states.transition(state)
	w.answer(nil, results...)
}

// answer answers initializations.
func (w *watcher) answer(err error, results ...chan<- error) {
	for _, result := range results {
		result <- err
	}
	w.settling = time.After(settleTime)
}

// unsubscribe removes a listener, and reads it meanwhile, because the SDK cannot remove one that is
// full.
func unsubscribe[T any](listener <-chan T, remove func(<-chan T)) {
	removed := make(chan struct{})
	go func() {
		defer close(removed)
		remove(listener)
	}()
	for unread := listener; ; {
		select {
		case _, ok := <-unread:
			if !ok {
				unread = nil
			}
		case <-removed:
			return
		}
	}
}
