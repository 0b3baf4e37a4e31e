package launchdarklytest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// WaitForEvents waits until at least n events have arrived for which match returns true, and returns
// all of them, in the order of arrival. A nil match stands for the custom events: index and summary
// events come when the SDK sees fit, and are seldom what a test counts. match is called once for each
// event, from the caller's goroutine, and may use the Server.
//
// When ctx ends first, or the server is closed, it returns those that have arrived and an error that
// wraps the cause ([context.Cause], or [http.ErrServerClosed]) and says what had arrived. A ctx that
// never ends waits for ever.
func (s *Server) WaitForEvents(ctx context.Context, n int, match func(Event) bool) ([]Event, error) {
	if match == nil {
		match = func(e Event) bool { return e.Kind == KindCustom }
	}
	var (
		log   *eventLog
		seen  int
		found []Event
	)
	for {
		current, raws, changed := s.snapshot()
		if current != log { // the first time, and after ClearEvents
			log, seen, found = current, 0, nil
		}
		for _, event := range log.parse(raws, seen) {
			if match(event) {
				found = append(found, event)
			}
		}
		seen = len(raws)
		if len(found) >= n {
			return found, nil
		}
		if err := s.waitForChange(ctx, changed); err != nil {
			return found, fmt.Errorf("launchdarklytest: waited for %d matching events, got %d: %w; %s",
				n, len(found), err, s)
		}
	}
}

// WaitForEventCount waits until at least n events of these kinds have arrived, of all kinds when none
// is given, as [Server.EventCount] counts them. It is [Server.WaitForEvents] for a great many events: it
// parses none. Its errors are the same.
func (s *Server) WaitForEventCount(ctx context.Context, n int, kinds ...string) error {
	count := 0
	err := s.wait(ctx, func() bool {
		count = s.log.count(kinds)
		return count >= n
	})
	if err != nil {
		return fmt.Errorf("launchdarklytest: waited for %d events, got %d: %w; %s", n, count, err, s)
	}
	return nil
}

// WaitForRequests waits until at least n requests have arrived for which match returns true, and
// returns all of them, in the order of arrival: requests with events, streams and polls alike. A nil
// match stands for the requests with events. For match, ctx and errors, see [Server.WaitForEvents].
func (s *Server) WaitForRequests(ctx context.Context, n int, match func(Request) bool) ([]Request, error) {
	if match == nil {
		match = func(r Request) bool { return r.Path == EventsPath }
	}
	var found []Request
	seen := 0
	for {
		s.mu.Lock()
		requests, changed := s.requests, s.changed // what is in requests never changes
		s.mu.Unlock()
		for ; seen < len(requests); seen++ {
			if match(requests[seen]) {
				found = append(found, requests[seen])
			}
		}
		if len(found) >= n {
			return found, nil
		}
		if err := s.waitForChange(ctx, changed); err != nil {
			return found, fmt.Errorf("launchdarklytest: waited for %d matching requests, got %d: %w; %s",
				n, len(found), err, s)
		}
	}
}

// Streams returns how many streams are connected, those that [Server.HoldStreams] keeps waiting
// included.
func (s *Server) Streams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.streams)
}

// WaitForStreams waits until at least n streams are connected; with n of 0 or less, until none is.
// Whatever is set from then on reaches those clients. Errors are those of [Server.WaitForEvents].
func (s *Server) WaitForStreams(ctx context.Context, n int) error {
	err := s.wait(ctx, func() bool {
		if n <= 0 {
			return len(s.streams) == 0
		}
		return len(s.streams) >= n
	})
	if err != nil {
		return fmt.Errorf("launchdarklytest: waited for %d connected streams: %w; %s", max(n, 0), err, s)
	}
	return nil
}

// wait returns nil once done does, which is called with s.mu held.
func (s *Server) wait(ctx context.Context, done func() bool) error {
	for {
		s.mu.Lock()
		ok, changed := done(), s.changed
		s.mu.Unlock()
		if ok {
			return nil
		}
		if err := s.waitForChange(ctx, changed); err != nil {
			return err
		}
	}
}

func (s *Server) waitForChange(ctx context.Context, changed <-chan struct{}) error {
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.done:
		return http.ErrServerClosed
	}
}

// snapshot returns the events as they are now, and what is closed when that changes.
func (s *Server) snapshot() (*eventLog, []json.RawMessage, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log, s.log.raws, s.changed
}
