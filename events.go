package launchdarkly

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/open-feature/go-sdk/openfeature"
)

const (
	// quietTime is how long no flag must have changed before the changes are told.
	quietTime = 100 * time.Millisecond
	// maxQuietTime is how long changes are kept back while more of them come.
	maxQuietTime = time.Second
	// lookInterval is how often to look for flag data while there is none: it can come without a change of the data source's
	// status, when a persistent store that was down takes what was streamed long ago.
	lookInterval = 500 * time.Millisecond
	// lookPatience bounds how long the making of a provider, and an initialization, wait for a look at the SDK. It takes
	// longer only where a persistent store hangs, or where a listener of the application's is full.
	lookPatience = 100 * time.Millisecond
	// settleTime is how long changes of state are kept back after an initialization. OpenFeature's SDK 1.20.0 makes an event
	// of its result some time after it has returned: that would undo an event of ours that comes before.
	settleTime = 100 * time.Millisecond
	// maxChanges is how many changed flags one event names; more than that, and it names none.
	maxChanges = 10_000
)

// EventChannel returns the channel of provider events (OpenFeature requirement 5.1.1): changes of LaunchDarkly's data
// source status and of flags. It is the same for the life of the provider, and never closed. An application that does
// not read it costs nothing but the keys of the flags that have changed.
func (p *Provider) EventChannel() <-chan openfeature.Event { return p.events }

// watcher turns what LaunchDarkly's SDK tells about itself into provider events, from its creation to its end. It always
// reads what the SDK tells, because the SDK waits for its listeners.
type watcher struct {
	client *ld.LDClient
	events chan<- openfeature.Event
	silent bool            // see newWatcher
	ended  context.Context // done once it has to end
	cancel context.CancelFunc
	done   chan struct{}  // closed when nothing of it runs any more
	poke   chan struct{}  // has something in it when the loop has to look again
	asking sync.WaitGroup // goroutines that ask the SDK what can take it long to answer

	mu           sync.Mutex // guards what follows
	status       interfaces.DataSourceStatus
	hasData      bool          // whether there is flag data; from then on, there always is
	changed      chan struct{} // closed, and replaced, when the status has changed or flag data has come
	initializing int           // how many initializations wait; OpenFeature hears from their results
	settled      time.Time     // until then, OpenFeature may not have heard of the last one's result
	state        stateTracker
	listening    bool                              // whether flags is being added, or has been
	flags        <-chan interfaces.FlagChangeEvent // nil until there is flag data, and the SDK has added it
}

// newWatcher starts to watch. It returns when the client's present status is known, unless the client takes long to tell. A
// client that is silent has a DataSystem whose status says nothing when all is well: its data is as good as it gets, as soon
// as there is any.
func newWatcher(client *ld.LDClient, events chan<- openfeature.Event, silent bool) *watcher {
	w := &watcher{
		client:  client,
		events:  events,
		silent:  silent,
		done:    make(chan struct{}),
		poke:    make(chan struct{}, 1),
		status:  interfaces.DataSourceStatus{State: interfaces.DataSourceStateInitializing},
		changed: make(chan struct{}),
	}
	w.ended, w.cancel = context.WithCancel(context.Background())
	provider := client.GetDataSourceStatusProvider()
	observed := make(chan struct{})
	go func() {
		defer close(w.done)
		statuses := provider.AddStatusListener()
		w.observe(provider.GetStatus())
		close(observed)
		w.run(statuses)
		unsubscribe(statuses, provider.RemoveStatusListener)
		w.asking.Wait()
		if flags, _ := w.next(); flags != nil {
			unsubscribe(flags, client.GetFlagTracker().RemoveFlagChangeListener)
		}
	}()
	select {
	case <-observed:
	case <-time.After(lookPatience):
	}
	return w
}

// unsubscribe reads on until the listener is removed: the SDK can't remove one while it waits for one to be read.
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
				unread = nil // a closed channel would always have something to read
			}
		case <-removed:
			return
		}
	}
}

// stop has the watcher end. From then on, it asks the SDK for nothing more.
func (w *watcher) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cancel()
}

// wait returns when the watcher has ended, or when ctx ends: a listener of the application's that nobody reads can hold up
// the SDK.
func (w *watcher) wait(ctx context.Context) {
	select {
	case <-w.done:
	case <-ctx.Done():
	}
}

// run is the loop that reads from the SDK and writes to OpenFeature.
func (w *watcher) run(statuses <-chan interfaces.DataSourceStatus) {
	var changes changeCollector
	defer changes.stop()
	look := time.NewTicker(lookInterval)
	defer look.Stop()
	for {
		flags, stateEvent := w.next()
		event := stateEvent
		if event == nil {
			event = changes.due
		}
		var events chan<- openfeature.Event // a nil channel takes nothing
		var send openfeature.Event
		if event != nil {
			events, send = w.events, *event
		}
		select {
		case status, ok := <-statuses:
			if !ok { // the client was closed
				statuses = nil
				continue
			}
			w.observe(status)
		case change, ok := <-flags:
			if !ok {
				w.forgetFlags()
				continue
			}
			changes.add(change.Key)
		case <-changes.quiet():
			changes.collect()
		case events <- send:
			if stateEvent != nil {
				w.sent(stateEvent)
			} else {
				changes.due = nil
			}
		case <-look.C:
			if w.look() {
				look.Stop()
			}
		case <-w.poke:
		case <-w.ended.Done():
			return
		}
	}
}

// next tells what the loop has to read and to write.
func (w *watcher) next() (<-chan interfaces.FlagChangeEvent, *openfeature.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Now().Before(w.settled) {
		return w.flags, nil
	}
	return w.flags, w.state.pending
}

// forgetFlags is for a client that was closed: a closed channel would always have something to read.
func (w *watcher) forgetFlags() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flags = make(chan interfaces.FlagChangeEvent)
}

func (w *watcher) sent(event *openfeature.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.sent(event)
}

// observe takes in a status of the data source.
func (w *watcher) observe(status interfaces.DataSourceStatus) {
	hasData := w.client.Initialized() // before the lock, as in look
	w.mu.Lock()
	defer w.mu.Unlock()
	unknown := status.State == ""
	switch {
	case unknown && (w.silent || w.client.IsOffline()), w.silent && status.State == interfaces.DataSourceStateInitializing:
		status.State = interfaces.DataSourceStateValid
	case unknown: // a DataSystem that is about to start
		status.State = interfaces.DataSourceStateInitializing
	}
	w.status = status
	w.hasData = w.hasData || hasData
	w.listen()
	w.news()
}

// look reports whether there is flag data. Where it has come since the last look, that is news. To ask can take time, when
// there is a persistent store: that must not keep others from the lock.
func (w *watcher) look() bool {
	if !w.client.Initialized() {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.hasData {
		w.hasData = true
		w.listen()
		w.news()
	}
	return true
}

// glance is a look that does not wait for a store that hangs.
func (w *watcher) glance() {
	w.mu.Lock()
	if w.hasData || w.ended.Err() != nil {
		w.mu.Unlock()
		return
	}
	looked := make(chan struct{})
	w.asking.Go(func() {
		defer close(looked)
		w.look()
	})
	w.mu.Unlock()
	select {
	case <-looked:
	case <-time.After(lookPatience):
	}
}

// hasSeenData tells what the last look has found. It never waits for a store.
func (w *watcher) hasSeenData() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hasData
}

// news wakes the initializations, or tells OpenFeature where there is none. It is called with the lock held.
func (w *watcher) news() {
	close(w.changed)
	w.changed = make(chan struct{})
	if w.initializing == 0 {
		w.state.transition(w.eventOf(w.status))
	}
}

// listen starts to read flag changes once there is flag data. Before that, all flags are about to change. It is called with
// the lock held, and does not wait: the SDK adds no listener while another is full, which may be one of the application's.
func (w *watcher) listen() {
	if !w.hasData || w.listening || w.ended.Err() != nil {
		return
	}
	w.listening = true
	w.asking.Go(func() {
		flags := w.client.GetFlagTracker().AddFlagChangeListener()
		w.mu.Lock()
		defer w.mu.Unlock()
		w.flags = flags
		w.news()
		w.lookAgain()
	})
}

// eventOf gives the provider event of a status; that of one that says nothing new has no type.
func (w *watcher) eventOf(status interfaces.DataSourceStatus) openfeature.Event {
	event := openfeature.Event{ProviderName: providerName}
	switch status.State {
	case interfaces.DataSourceStateValid:
		if w.flags == nil { // a persistent store did not take what was streamed, or changes of it would not be heard yet
			return event
		}
		event.EventType = openfeature.ProviderReady
		event.Message = "LaunchDarkly's flag data is up to date"
	case interfaces.DataSourceStateInterrupted:
		event.EventType = openfeature.ProviderStale
		event.Message = "the connection to LaunchDarkly is interrupted: " + describe(status.LastError)
	case interfaces.DataSourceStateOff:
		event.EventType = openfeature.ProviderError
		event.ErrorCode = openfeature.GeneralCode
		event.Message = "the connection to LaunchDarkly has ended for good: " + describe(status.LastError)
		if !w.hasData {
			event.ErrorCode = openfeature.ProviderFatalCode
		}
	}
	return event
}

// describe says what the SDK says, without the time.
func describe(info interfaces.DataSourceErrorInfo) string {
	if info.Kind == "" {
		return "no reason given"
	}
	info.Time = time.Time{}
	return info.String()
}

// initialize waits for flag data. What it returns reaches OpenFeature as an event, so that the watcher tells only what
// happens afterwards.
func (w *watcher) initialize(ctx context.Context, timeout time.Duration) error {
	waiting, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("after %s: %w", timeout, ld.ErrInitializationTimeout))
	defer cancel()
	w.glance()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.initializing++
	defer func() {
		w.initializing--
		w.settled = time.Now().Add(settleTime)
		time.AfterFunc(settleTime, w.lookAgain)
	}()
	for {
		connecting := w.status.State == interfaces.DataSourceStateInitializing
		switch {
		case w.ended.Err() != nil:
			return fmt.Errorf("launchdarkly: no flag data: %w", ErrClosed)
		case w.status.State == interfaces.DataSourceStateOff && !w.hasData:
			event := w.eventOf(w.status)
			w.state.told(event)
			return &openfeature.ProviderInitError{ErrorCode: openfeature.ProviderFatalCode, Message: event.Message}
		case w.flags != nil && !connecting:
			return w.initialized(w.eventOf(w.status))
		}
		changed, err := w.await(waiting)
		switch {
		case changed:
		case w.hasData && !connecting: // the SDK still waits for another listener
			return w.initialized(w.eventOf(w.status))
		case w.hasData: // a persistent store has it
			return w.initialized(openfeature.Event{
				ProviderName: providerName,
				EventType:    openfeature.ProviderStale,
				ProviderEventDetails: openfeature.ProviderEventDetails{
					Message: "no connection to LaunchDarkly yet: evaluations use the flags that are known so far",
				},
			})
		default:
			w.state.told(openfeature.Event{EventType: openfeature.ProviderError})
			return err
		}
	}
}

// await waits for news, or says why none has come before ctx ended. It is called, and returns, with the lock held.
func (w *watcher) await(ctx context.Context) (changed bool, err error) {
	news := w.changed
	w.mu.Unlock()
	select {
	case <-news:
	case <-w.ended.Done():
	case <-ctx.Done():
		err = fmt.Errorf("launchdarkly: no flag data: %w", context.Cause(ctx))
		w.glance() // it may have come at the last moment
	}
	w.mu.Lock()
	return err == nil || w.changed != news, err
}

// initialized ends an initialization with flag data. OpenFeature makes a READY event of it; another state is told after
// that.
func (w *watcher) initialized(state openfeature.Event) error {
	w.state.told(openfeature.Event{EventType: openfeature.ProviderReady})
	w.state.transition(state)
	w.lookAgain()
	return nil
}

// lookAgain tells the loop that there is something else to read or to write.
func (w *watcher) lookAgain() {
	select {
	case w.poke <- struct{}{}:
	default:
	}
}

// stateTracker lets through what changes the provider's state, once. Before the first initialization, nothing does.
type stateTracker struct {
	known   providerState      // what OpenFeature was told last
	pending *openfeature.Event // what it has to be told
}

// providerState is what an event says of the provider's state: a fatal error is another than one that may pass.
type providerState struct {
	event openfeature.EventType
	code  openfeature.ErrorCode
}

func stateOf(event openfeature.Event) providerState {
	return providerState{event: event.EventType, code: event.ErrorCode}
}

// told notes what OpenFeature knows without an event of ours.
func (s *stateTracker) told(event openfeature.Event) { s.known, s.pending = stateOf(event), nil }

// transition takes in an event that says what state the provider is in. It replaces one that was not sent yet.
func (s *stateTracker) transition(event openfeature.Event) {
	switch {
	case event.EventType == "" || s.known.event == "":
	case stateOf(event) == s.known:
		s.pending = nil
	default:
		s.pending = &event
	}
}

// sent notes that the event was sent. Another may have taken its place meanwhile.
func (s *stateTracker) sent(event *openfeature.Event) {
	s.known = stateOf(*event)
	if s.pending == event || s.pending != nil && stateOf(*s.pending) == s.known {
		s.pending = nil
	}
}

// changeCollector makes one event of all flag changes that come together. Its zero value is ready.
type changeCollector struct {
	due   *openfeature.Event // what has to be sent, if anything
	keys  map[string]struct{}
	many  bool // more than it keeps
	timer *time.Timer
	first time.Time // of the changes since the last collect
}

// add notes that a flag has changed.
func (c *changeCollector) add(key string) {
	now := time.Now()
	if c.timer == nil {
		c.first = now
		c.timer = time.NewTimer(quietTime)
	} else {
		c.timer.Reset(min(quietTime, max(c.first.Add(maxQuietTime).Sub(now), 0)))
	}
	if c.many {
		return
	}
	if c.keys == nil {
		c.keys = make(map[string]struct{})
	}
	c.keys[key] = struct{}{}
	if len(c.keys) > maxChanges {
		c.many, c.keys = true, nil
	}
}

// quiet has something to read when it is time to collect.
func (c *changeCollector) quiet() <-chan time.Time {
	if c.timer == nil {
		return nil
	}
	return c.timer.C
}

// collect makes the event that has to be sent, together with the changes of one that was not sent yet.
func (c *changeCollector) collect() {
	c.stop()
	if c.due != nil && c.due.FlagChanges == nil {
		c.many = true
	}
	if c.due != nil && !c.many {
		for _, key := range c.due.FlagChanges {
			c.keys[key] = struct{}{}
		}
	}
	event := openfeature.Event{ProviderName: providerName, EventType: openfeature.ProviderConfigChange}
	if c.many || len(c.keys) > maxChanges {
		event.Message = fmt.Sprintf("more than %d flags have changed", maxChanges)
	} else {
		event.FlagChanges = slices.Sorted(maps.Keys(c.keys))
		event.Message = "flags have changed"
	}
	c.due = &event
	c.keys, c.many = nil, false
}

func (c *changeCollector) stop() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
}
