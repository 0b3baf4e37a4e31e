package launchdarklytest

import "time"

// faults holds the active faults. The zero value has none.
type faults struct {
	keyRefused  bool
	streams     refusal
	holdStreams bool
	events      refusal
	maxEvents   int           // no limit when 0
	maxBytes    int           // no limit when 0
	resets      int           // remaining requests; unlimited when negative
	delay       time.Duration // none when 0
	delayOver   chan struct{} // closed when the delay is changed; nil without a delay
}

// takeReset reports whether to reset the connection of this request.
func (f *faults) takeReset() bool {
	if f.resets > 0 {
		f.resets--
		return true
	}
	return f.resets < 0
}

// RefuseEvents makes event requests fail with the status until [Server.AcceptEvents] is called.
// Their events are discarded. A status outside the range 400 to 599 is replaced by 503. A second
// call replaces the first.
//
//	server.RefuseEvents(503, launchdarklytest.Times(2))
//	server.RefuseEvents(429, launchdarklytest.RetryAfter(time.Second))
func (s *Server) RefuseEvents(status int, opts ...RefuseOption) {
	s.fault(func(f *faults) { f.events = newRefusal(status, opts) })
}

// AcceptEvents clears the fault set by [Server.RefuseEvents].
func (s *Server) AcceptEvents() {
	s.fault(func(f *faults) { f.events = refusal{} })
}

// LimitEvents makes requests with more than n events fail with 413. Their events are discarded. If
// n <= 0, there is no limit.
func (s *Server) LimitEvents(n int) {
	s.fault(func(f *faults) { f.maxEvents = max(n, 0) })
}

// LimitEventBytes makes event requests with a body of more than n bytes, after decompression, fail
// with 413. Their events are discarded. If n <= 0, there is no limit.
func (s *Server) LimitEventBytes(n int) {
	s.fault(func(f *faults) { f.maxBytes = max(n, 0) })
}

// ResetEvents makes the server process the next n event requests normally but reset the connection
// instead of responding. The client gets a network error although its events were accepted, and
// repeats them with the same payload ID. If n < 0, there is no limit; 0 clears the fault.
func (s *Server) ResetEvents(n int) {
	s.fault(func(f *faults) { f.resets = n })
}

// DelayEvents delays responses to event requests by d. Requests are processed and recorded on
// arrival. A delay ends early if the client disconnects, if the server is closed, or if DelayEvents
// is called again, which sends the delayed responses. If d <= 0, there is no delay.
func (s *Server) DelayEvents(d time.Duration) {
	s.fault(func(f *faults) {
		if f.delayOver != nil {
			close(f.delayOver)
			f.delayOver = nil
		}
		if f.delay = max(d, 0); f.delay > 0 {
			f.delayOver = make(chan struct{})
		}
	})
}

// RefuseStreams makes new streams and polls fail with the status until [Server.AcceptStreams] is
// called. A status outside the range 400 to 599 is replaced by 503. Connected streams are not
// affected; [Server.DropStreams] disconnects them.
func (s *Server) RefuseStreams(status int, opts ...RefuseOption) {
	s.fault(func(f *faults) { f.streams = newRefusal(status, opts) })
}

// AcceptStreams clears the fault set by [Server.RefuseStreams].
func (s *Server) AcceptStreams() {
	s.fault(func(f *faults) { f.streams = refusal{} })
}

// HoldStreams makes new streams connect but receive neither flag data nor changes, only heartbeats,
// until [Server.ReleaseStreams] is called. Streams that are already connected and polls are not
// affected.
func (s *Server) HoldStreams() {
	s.fault(func(f *faults) { f.holdStreams = true })
}

// ReleaseStreams clears the fault set by [Server.HoldStreams]. It sends the current flag data to
// the held streams.
func (s *Server) ReleaseStreams() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.holdStreams = false
	for st := range s.streams {
		if st.held {
			st.held = false
			st.send(st.protocol.start(&s.data, st.basis))
		}
	}
}

// DropStreams disconnects the connected streams. Clients may reconnect at once, unless another
// fault prevents it. After it returns, [Server.Streams] does not count the dropped streams.
func (s *Server) DropStreams() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for st := range s.streams {
		close(st.dropped)
		delete(s.streams, st)
	}
	s.notify()
}

// RefuseSDKKey makes all requests fail with 401, as for a revoked key, until [Server.AcceptSDKKey]
// is called. Connected streams are not affected; [Server.DropStreams] disconnects them.
func (s *Server) RefuseSDKKey() {
	s.fault(func(f *faults) { f.keyRefused = true })
}

// AcceptSDKKey clears the fault set by [Server.RefuseSDKKey]. An SDK client that has received a 401
// may never reconnect, or only after some minutes, depending on its version.
func (s *Server) AcceptSDKKey() {
	s.fault(func(f *faults) { f.keyRefused = false })
}

func (s *Server) fault(set func(*faults)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set(&s.faults)
}
