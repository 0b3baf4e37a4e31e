package launchdarklytest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// WaitForEvents waits until at least n accepted events satisfy match, and returns all that do, in
// the order of arrival. If match is nil, it waits for custom events, because the number of index
// and summary events depends on the SDK. match is called once for each event, in the caller's
// goroutine, and may use the Server.
//
// If ctx is done first or the server is closed, it returns the matching events so far and an error
// that wraps the cause ([context.Cause] or [http.ErrServerClosed]) and describes the received
// requests and events. There is no other timeout.
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
		if current != log { // initially and after ClearEvents
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

// WaitForEventCount waits until [Server.EventCount] of the kinds is at least n. Unlike
// [Server.WaitForEvents], it does not parse events, so it suits tests with very many. It returns
// the same errors.
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

// WaitForRequests waits until at least n requests satisfy match, and returns all that do, in the
// order of arrival. match is called for event requests, streams and polls. If match is nil, it
// waits for event requests. See [Server.WaitForEvents] for match, ctx and errors.
func (s *Server) WaitForRequests(ctx context.Context, n int, match func(Request) bool) ([]Request, error) {
	if match == nil {
		match = func(r Request) bool { return r.Path == EventsPath }
	}
	var found []Request
	seen := 0
	for {
		s.mu.Lock()
		requests, changed := s.requests, s.changed // elements are never modified
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

// Streams returns the number of connected streams, including those held by [Server.HoldStreams].
func (s *Server) Streams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.streams)
}

// WaitForStreams waits until at least n streams are connected or, if n <= 0, until none is. Flags
// set afterwards are sent to those streams. It returns the same errors as [Server.WaitForEvents].
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

// wait waits until done returns true. done is called with s.mu held.
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

// snapshot returns the current events, and a channel that is closed on the next change.
func (s *Server) snapshot() (*eventLog, []json.RawMessage, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log, s.log.raws, s.changed
}
