package launchdarkly

import (
	"context"
	"errors"
	"fmt"
	"time"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/open-feature/go-sdk/openfeature"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
)

// endTimeout is how long Shutdown and Flush take at most where their context sets no deadline.
const endTimeout = 10 * time.Second

// session is the time between a registration of the provider and its shutdown.
type session struct {
	client    *ld.LDClient
	processor *delivery.Processor // nil where events take another way than ours
	eventsOff bool
	watcher   *watcher
	end       func(ctx context.Context) error
}

// newOwnedSession makes a client, which starts to connect.
func newOwnedSession(sdkKey string, p *Provider) (*session, error) {
	config := newSDKConfig(p.settings, func(err error) { p.reporter.handle(context.Background(), err) })
	client, err := ld.MakeCustomClient(sdkKey, config.Config, 0)
	if err != nil {
		config.requests.stop()
		return nil, err
	}
	s := &session{
		client:    client,
		eventsOff: config.Offline || sendsNoEvents(config.Config),
		watcher:   newWatcher(client, p.events, config.system != nil && config.system.silent),
	}
	if config.delivery != nil {
		s.processor = config.delivery.Processor()
	}
	s.end = func(ctx context.Context) error {
		s.watcher.stop()
		var err error
		if s.processor != nil {
			err = s.processor.Shutdown(ctx)
		}
		s.watcher.wait(ctx) // after the delivery, which must not go without time because the SDK is held up
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			_ = client.Close() // as of 7.15.4, it always returns nil
		}()
		select {
		case <-closed:
			if !s.watcher.hasSeenData() {
				config.requests.stop()
			}
		case <-ctx.Done():
			config.requests.stop() // it won't take much longer then
			if err == nil {
				err = ctx.Err()
			}
		}
		config.requests.closeIdle()
		if config.logs != nil {
			config.logs.off.Store(true)
		}
		return err
	}
	return s, nil
}

// newBorrowedSession uses the application's client.
func newBorrowedSession(client *ld.LDClient, p *Provider) *session {
	config := p.settings.config
	s := &session{
		client:    client,
		eventsOff: client.IsOffline() || sendsNoEvents(config),
		watcher:   newWatcher(client, p.events, false),
	}
	if d, ok := config.Events.(*delivery.Configuration); ok {
		s.processor = d.Processor()
	}
	s.end = func(ctx context.Context) error {
		s.watcher.stop()
		defer s.watcher.wait(ctx)
		if s.processor != nil {
			return s.processor.FlushContext(ctx)
		}
		client.Flush() // the client goes on delivering
		return nil
	}
	return s
}

// sendsNoEvents asks as the SDK does, which has no word for it in its public API.
func sendsNoEvents(config ld.Config) bool {
	null, ok := config.Events.(interface{ IsNullEventProcessorFactory() bool })
	return ok && null.IsNullEventProcessorFactory()
}

// begin makes a session, unless there is one.
func (p *Provider) begin(ctx context.Context) (*session, error) {
	if err := p.lock(ctx); err != nil {
		return nil, err
	}
	defer p.unlock()
	if s := p.session.Load(); s != nil {
		return s, nil
	}
	if err := ctx.Err(); err != nil { // whoever wanted it has gone, perhaps after shutting the provider down
		return nil, fmt.Errorf("launchdarkly: %w", err)
	}
	s, err := p.newSession()
	if err != nil {
		return nil, fmt.Errorf("launchdarkly: %w", err)
	}
	p.accounts.add(s.processor)
	p.latest.Store(s)
	p.session.Store(s)
	return s, nil
}

// lock waits until nobody else begins or ends a session, or until ctx ends. Where nobody does, it succeeds also with a
// context that has ended.
func (p *Provider) lock(ctx context.Context) error {
	select {
	case p.lifecycle <- struct{}{}:
		return nil
	default:
	}
	select {
	case p.lifecycle <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("launchdarkly: %w", ctx.Err())
	}
}

func (p *Provider) unlock() { <-p.lifecycle }

// InitWithContext waits until LaunchDarkly's SDK has flag data (OpenFeature requirement 2.4.1), the context ends, or
// the init timeout is over; the SDK goes on trying to connect. OpenFeature calls it when the provider is registered.
//
// When the SDK key turns out to be invalid, it returns a [openfeature.ProviderInitError] with PROVIDER_FATAL. After the
// timeout, it returns an error that matches ld.ErrInitializationTimeout, and a READY event follows when the connection
// comes; flag data from a persistent store, or from the first poll of a DataSystem, makes it return nil then, followed by
// a STALE event. The evaluation context is not used: OpenFeature's SDK merges it into each evaluation.
//
// After a shutdown, it makes another client, unless the context has ended. OpenFeature's SetProvider, which does not wait,
// initializes in a goroutine of its own; when its Shutdown overtakes that, what it shut down begins once more. Register
// with a function that waits where a shutdown may follow at once.
func (p *Provider) InitWithContext(ctx context.Context, _ openfeature.EvaluationContext) error {
	s, err := p.begin(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		return &openfeature.ProviderInitError{ErrorCode: openfeature.ProviderFatalCode, Message: err.Error()}
	}
	return s.watcher.initialize(ctx, p.settings.initTimeout)
}

// Init is [Provider.InitWithContext] without a context.
func (p *Provider) Init(evaluationContext openfeature.EvaluationContext) error {
	return p.InitWithContext(context.Background(), evaluationContext)
}

// ShutdownWithContext delivers what was tracked, and ends everything that the provider started (OpenFeature requirement
// 2.5.1); a client that the application made stays open. It takes until the context ends at most, or 10s where that has
// no deadline. When that is too short, it returns an error that says how many events were not delivered, a
// delivery.UndeliveredError; with a client of its own, it counts and reports them before that, for which it stays up to
// 200ms longer. Further calls, until the provider is registered again, do nothing.
//
// When another provider takes its place, OpenFeature calls it with the context of that registration.
//
// To register the provider again with the same OpenFeature API, register another one before, such as
// [openfeature.NoopProvider]: OpenFeature's SDK 1.20.0 loses track of a provider that is registered in its own place, and
// its Shutdown never returns once that one is replaced.
func (p *Provider) ShutdownWithContext(ctx context.Context) error {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	if err := p.lock(ctx); err != nil {
		return err
	}
	defer p.unlock()
	s := p.session.Swap(nil)
	if s == nil {
		return nil
	}
	if err := s.end(ctx); err != nil {
		return fmt.Errorf("launchdarkly: shutdown: %w", err)
	}
	return nil
}

// Shutdown is [Provider.ShutdownWithContext] with a deadline of 10s. It logs what could not be delivered.
func (p *Provider) Shutdown() { _ = p.ShutdownWithContext(context.Background()) }

// errUnconfirmed is a flush by an event processor of LaunchDarkly's, which does not tell more.
var errUnconfirmed = errors.New("the event processor did not confirm that everything is delivered")

// Flush returns nil once every event that was accepted before the call is delivered, which is at once where nothing
// waits. Call it in functions and jobs that are about to freeze or exit. It takes until the context ends at most, or 10s
// where that has no deadline, and returns a delivery.UndeliveredError then. Meanwhile, a request that failed is tried again
// within a second, unless the events service has asked for more with Retry-After, or delivery.WithBackoff for a longer
// shortest pause. Tracking may go on.
//
// With a client of the application's, Flush needs to know its delivery.Lossless from [WithConfig]. Without that, it does
// what the SDK can: where there is nothing to flush, it waits until the context ends and returns an error, and a request
// that failed counts as delivered.
func (p *Provider) Flush(ctx context.Context) error {
	s := p.session.Load()
	if s == nil || s.eventsOff {
		return nil
	}
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	if s.processor != nil {
		if err := s.processor.FlushContext(ctx); err != nil {
			return fmt.Errorf("launchdarkly: flush: %w", err)
		}
		return nil
	}
	confirmed := make(chan struct{})
	go func() {
		const slice = time.Second // nothing ends a FlushAndWait sooner
		next := time.NewTicker(slice)
		defer next.Stop()
		for ctx.Err() == nil {
			if s.client.FlushAndWait(slice) {
				close(confirmed)
				return
			}
			select { // an event processor of the application's may say no at once
			case <-next.C:
			case <-ctx.Done():
			}
		}
	}()
	select {
	case <-confirmed:
		return nil
	case <-ctx.Done():
	}
	return fmt.Errorf("launchdarkly: flush: %w", errUnconfirmed)
}

// withDeadline sets a deadline where there is none.
func withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, endTimeout)
}
