package launchdarkly

import (
	"context"
	"log/slog"

	ld "github.com/launchdarkly/go-server-sdk/v7"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
)

// session is the state of a provider between its registration and its shutdown.
type session struct {
	client    *ld.LDClient
	processor *delivery.Processor // nil if events are off or use another processor
	eventsOff bool
	offline   bool // as configured, so defaults are not an error
	watcher   *watcher
	deliver   func(ctx context.Context) error // delivers all events, or returns when ctx is done
	release   func(ctx context.Context) error // ends the rest, or returns when ctx is done
	ended     chan struct{}                   // closed when end has returned
}

// newOwnedSession creates a client, which starts to connect.
func newOwnedSession(sdkKey string, p *Provider) (*session, error) {
	client, err := newOwnedClient(sdkKey, p.settings, p.reportDrop)
	if err != nil {
		return nil, err
	}
	config := p.settings.config
	s := &session{
		client:    client.LDClient,
		processor: client.processor,
		eventsOff: config.Offline || sendsNoEvents(config),
		offline:   config.Offline,
		watcher:   newWatcher(client.LDClient, p, client.silent),
		deliver:   func(context.Context) error { return nil }, // Close delivers
		ended:     make(chan struct{}),
	}
	s.release = func(ctx context.Context) error {
		err := s.watcher.wait(ctx)
		if endErr := client.end(ctx); endErr != nil {
			return endErr
		}
		return err
	}
	switch {
	case s.processor != nil:
		s.deliver = s.processor.Shutdown
	case !s.eventsOff && len(p.settings.delivery) > 0:
		p.log(slog.LevelWarn, "options of WithDelivery have no effect",
			"the Events configuration is neither LaunchDarkly's nor a delivery.Lossless")
	}
	return s, nil
}

// newBorrowedSession uses the application's client.
func newBorrowedSession(client *ld.LDClient, p *Provider) *session {
	config := p.settings.config
	s := &session{
		client:    client,
		eventsOff: client.IsOffline() || sendsNoEvents(config),
		offline:   client.IsOffline(),
		watcher:   newWatcher(client, p, false),
		deliver:   func(context.Context) error { return nil },
		ended:     make(chan struct{}),
	}
	s.release = func(ctx context.Context) error {
		_ = s.watcher.wait(ctx) // a listener of the application may block it
		return nil
	}
	if d, ok := config.Events.(*delivery.Configuration); ok {
		s.processor = d.Processor()
	}
	switch {
	case s.processor != nil:
		var logger *slog.Logger // the default is that of the delivery, too
		if p.settings.ownLogger {
			logger = p.settings.logger
		}
		unobserve := s.processor.Observe(logger, p.reportDrop)
		s.deliver = func(ctx context.Context) error {
			defer unobserve()
			return s.processor.FlushContext(ctx)
		}
	case s.eventsOff:
	default:
		s.deliver = func(context.Context) error {
			client.Flush() // the client delivers in the background
			return nil
		}
		p.log(slog.LevelWarn, "events of the application's client can be lost without notice",
			"its Events configuration is not a delivery.Lossless, or was not passed to WithConfig")
	}
	if len(p.settings.delivery) > 0 {
		p.log(slog.LevelWarn, "options of WithDelivery have no effect", "the client is the application's")
	}
	return s
}

// end delivers all events, and ends everything that the session has started except the watcher's
// loop, which must be stopped first. If ctx is done first, the rest continues in the background.
func (s *session) end(ctx context.Context) error {
	defer close(s.ended)
	err := s.deliver(ctx) // first, because the SDK can block the rest until ctx is done
	if releaseErr := s.release(ctx); err == nil {
		err = releaseErr
	}
	return err
}

// wait blocks until end has returned or ctx is done.
func (s *session) wait(ctx context.Context) error {
	select {
	case <-s.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reportDrop passes a dropped event to the application's error handler. The package delivery logs
// it.
func (p *Provider) reportDrop(err error) { p.reporter.handle(context.Background(), err) }

// log logs a problem with the configuration.
func (p *Provider) log(level slog.Level, message, problem string) {
	p.settings.logger.LogAttrs(context.Background(), level, message, slog.String("problem", problem))
}
