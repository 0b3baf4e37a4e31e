package launchdarkly

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/open-feature/go-sdk/openfeature"
)

// endTimeout bounds Shutdown and Flush where their context has no deadline.
const endTimeout = 10 * time.Second

// InitWithContext waits until LaunchDarkly's SDK has flag data (OpenFeature requirement 2.4.1), the
// context ends, or the init timeout passes; the SDK goes on connecting in the background.
// OpenFeature calls it when the provider is registered.
//
// It returns a [openfeature.ProviderInitError] with PROVIDER_FATAL if the SDK gives up, as it does
// for an SDK key that LaunchDarkly refuses; newer versions of the SDK go on trying, and the init
// timeout passes. After the timeout, it returns an error that matches ld.ErrInitializationTimeout,
// and a READY event follows when the connection is made. With flag data from a persistent store, or
// from the first poll of a DataSystem, it returns nil after the timeout, and a STALE event follows.
// The evaluation context is not used: OpenFeature's SDK merges it into each evaluation.
//
// After a shutdown, it makes another client, so that a provider can be registered again.
// OpenFeature's SDK initializes providers in goroutines of their own, which can arrive after the
// shutdown of the same registration: InitWithContext returns an error that matches [ErrClosed]
// then.
//
// Register a provider again only after [openfeature.Shutdown] has ended it, or its own
// [Provider.ShutdownWithContext] where OpenFeature is not involved. When another provider takes its
// place, OpenFeature's SDK (as of 1.20.0) shuts it down at an unknown time, and that
// shutdown would end the new registration; make a new provider instead. Nor can a provider be
// registered in its own place: OpenFeature's SDK loses track of one that is registered twice, and
// its Shutdown does not return once that one is replaced.
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

// register returns the session for an initialization, a new one if the provider was shut down.
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

// tryRegister returns neither a session nor an error while it is in doubt whether the
// initialization registers the provider.
func (p *Provider) tryRegister(ctx context.Context, arrived time.Time, pauses int) (*session, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.session.Load()
	if err := ctx.Err(); err != nil && s == nil { // whoever wanted it has gone
		return nil, fmt.Errorf("launchdarkly: %w", err)
	}
	switch p.registrations.initialize(arrived, pauses, s != nil) {
	case refused:
		return nil, fmt.Errorf("launchdarkly: the provider was shut down before it was initialized: %w", ErrClosed)
	case doubtful:
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

// open starts a session. It is called with the lock held, or by a constructor.
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

// ShutdownWithContext delivers what is tracked, and ends everything that the provider has started
// (OpenFeature requirement 2.5.1); a client that the application made stays open. It blocks until
// the deadline of the context at the latest, or for 10s where that has none, and ignores the
// context's cancellation: OpenFeature calls it with the context of the registration that replaces
// the provider, which applications cancel when that is done.
//
// If it ends before everything is delivered, it returns an error that contains a
// delivery.UndeliveredError with the number of events. With a client of the provider's own, those
// are lost; they are counted, reported to the handler of [WithErrorHandler] and logged before it
// returns, for which it takes up to 200ms more. With a client of the application's, they are
// delivered later.
//
// While a shutdown is running, as that of a provider that was replaced, further calls wait for it;
// after it, they return nil. To deliver everything before a process exits, call it for each
// provider, replaced ones included. Each call takes 10ms at least, in which initializations arrive
// that were requested before, and are refused.
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

// Shutdown is [Provider.ShutdownWithContext] with a deadline of 10s. What it could not deliver is
// logged.
func (p *Provider) Shutdown() { _ = p.ShutdownWithContext(context.Background()) }

// unregister takes the session out of service, and returns it, or the last one if there is none.
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

// Flush blocks until every event that was tracked or evaluated before the call is delivered, and
// returns nil if all events since the last Flush are. Where nothing waits, it returns at once. Call
// it in functions and jobs that are about to freeze or exit. It ends with the context, or after 10s
// where that has no deadline, and then returns an error that contains a delivery.UndeliveredError
// with the number of events. Meanwhile, a failed request is retried within a second, unless the
// events service has asked for more with Retry-After, or delivery.WithBackoff for a longer shortest
// pause. Tracking may go on.
//
// With a client of the application's, Flush needs its delivery.Lossless, see
// [NewProviderWithClient]. Without that, it does what the SDK can: where there is nothing to flush,
// it waits until the context ends and returns an error, and a request that failed counts as
// delivered.
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
