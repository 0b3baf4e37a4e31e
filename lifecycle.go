package launchdarkly

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/open-feature/go-sdk/openfeature"
)

// endTimeout bounds Shutdown and Flush if their context has no deadline.
const endTimeout = 10 * time.Second

// InitWithContext waits for flag data (OpenFeature requirement 2.4.1), until ctx is done or the
// init timeout passes. OpenFeature calls it when the provider is registered. The evaluation context
// is not used: OpenFeature's SDK merges it into each evaluation.
//
// It returns an [*openfeature.ProviderInitError] with PROVIDER_FATAL if LaunchDarkly's SDK stops
// connecting, as versions before 7.17.0 do when LaunchDarkly refuses the SDK key. After the
// timeout, it returns an error that matches ld.ErrInitializationTimeout; the SDK continues to
// connect, and a READY event follows once it is connected. With flag data from a persistent store,
// or from the first poll of a DataSystem, it returns nil after the timeout, and a STALE event
// follows.
//
// After a shutdown, it creates another client, so a provider can be registered again. OpenFeature's
// SDK initializes providers in separate goroutines, which can run after the shutdown of the same
// registration; InitWithContext then returns an error that matches [ErrClosed].
//
// Register a provider again only after [openfeature.Shutdown] or, without OpenFeature, after
// [Provider.ShutdownWithContext]. A provider that was replaced by another one is shut down by
// OpenFeature's SDK (as of 1.20.0) at an unknown time, which would end the new registration: create
// a new provider instead. Do not replace a provider by itself: OpenFeature's SDK then loses track
// of it, and its Shutdown does not return after the next replacement.
func (p *Provider) InitWithContext(ctx context.Context, _ openfeature.EvaluationContext) error {
	s, err := p.register(ctx)
	if err != nil {
		return err
	}
	return s.watcher.initialize(ctx, p.settings.initTimeout)
}

// Init is [Provider.InitWithContext] without a context.
func (p *Provider) Init(evaluationContext openfeature.EvaluationContext) error {
	return p.InitWithContext(context.Background(), evaluationContext)
}

// register returns the session for an initialization. It opens a new one if the provider is shut
// down.
func (p *Provider) register(ctx context.Context) (*session, error) {
	arrived := time.Now()
	for pauses := 0; ; pauses++ {
		s, err := p.tryRegister(ctx, arrived, pauses)
		if s != nil || err != nil {
			return s, err
		}
		time.Sleep(arrivalPause)
	}
}

// tryRegister returns neither a session nor an error while it is undecided whether the
// initialization registers the provider.
func (p *Provider) tryRegister(ctx context.Context, arrived time.Time, pauses int) (*session, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.session.Load()
	if err := ctx.Err(); err != nil && s == nil { // the caller no longer waits
		return nil, fmt.Errorf("launchdarkly: %w", err)
	}
	switch p.registrations.initialize(arrived, pauses, s != nil) {
	case refused:
		return nil, fmt.Errorf("launchdarkly: the provider was shut down before it was initialized: %w", ErrClosed)
	case undecided:
		return nil, nil
	case admitted:
	}
	if s == nil {
		if err := p.open(); err != nil {
			return nil, &openfeature.ProviderInitError{ErrorCode: openfeature.ProviderFatalCode, Message: err.Error()}
		}
	}
	return p.session.Load(), nil
}

// open starts a session. The caller must hold p.mu, or be a constructor.
func (p *Provider) open() error {
	s, err := p.newSession()
	if err != nil {
		return fmt.Errorf("launchdarkly: %w", err)
	}
	p.accounts.add(s.processor)
	p.latest.Store(s)
	p.session.Store(s)
	return nil
}

// ShutdownWithContext delivers all events and ends everything that the provider has started
// (OpenFeature requirement 2.5.1). A client that the application created stays open.
//
// It blocks until the deadline of ctx at most, or for 10 seconds if there is none. It ignores
// cancellation: OpenFeature passes it the context of the registration that replaces the provider,
// which applications may cancel as soon as that registration is done.
//
// If the deadline passes before all events are delivered, it returns an error that wraps a
// *delivery.UndeliveredError with the number of events. If the provider owns the client, those
// events are lost; they are counted, passed to the handler of [WithErrorHandler] and logged before
// it returns, which takes up to 200ms longer. Otherwise, the client continues to deliver them.
//
// A call while the provider is being shut down, for example because it was replaced, waits for that
// shutdown. Later calls return nil. To deliver everything before a process exits, call it for each
// provider, including those that were replaced. Each call takes at least 10ms, so that
// initializations that were requested before it can run and be refused.
func (p *Provider) ShutdownWithContext(ctx context.Context) error {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(endTimeout)
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	defer cancel()
	s, active := p.unregister()
	var others sync.WaitGroup
	others.Go(p.registrations.await)
	var err error
	if active {
		err = s.end(ctx)
	} else {
		err = s.wait(ctx)
	}
	others.Wait()
	if err != nil {
		return fmt.Errorf("launchdarkly: shutdown: %w", err)
	}
	return nil
}

// Shutdown is [Provider.ShutdownWithContext] with a deadline of 10 seconds. Events that it cannot
// deliver are logged.
func (p *Provider) Shutdown() { _ = p.ShutdownWithContext(context.Background()) }

// unregister ends the current session for evaluations and tracking, and returns it. If there is
// none, it returns the last one.
func (p *Provider) unregister() (s *session, active bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.registrations.shutDown()
	s = p.session.Swap(nil)
	if s == nil {
		return p.latest.Load(), false
	}
	s.watcher.stop()
	return s, true
}

// Flush blocks until all events recorded before the call are delivered. It returns nil if no event
// recorded since the last Flush was lost, and returns at once if the queue is empty. Call it in
// functions and jobs that are about to be frozen or to exit. It is safe to track during a Flush.
//
// If ctx is done first, or after 10 seconds if ctx has no deadline, it returns an error that wraps
// a *delivery.UndeliveredError with the number of events. Meanwhile, failed requests are retried
// within a second, unless Retry-After or delivery.WithBackoff requires a longer pause.
//
// With [NewProviderWithClient], Flush requires a delivery.Lossless. Without one, it does what
// LaunchDarkly's SDK can do: if the queue is empty, it blocks until ctx is done and returns an
// error, and events of failed requests count as delivered.
func (p *Provider) Flush(ctx context.Context) error {
	s := p.session.Load()
	if s == nil || s.eventsOff {
		return nil
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, endTimeout)
		defer cancel()
	}
	var err error
	if s.processor != nil {
		err = s.processor.FlushContext(ctx)
	} else {
		err = flushSDK(ctx, s.client)
	}
	if err != nil {
		return fmt.Errorf("launchdarkly: flush: %w", err)
	}
	return nil
}
