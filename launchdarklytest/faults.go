package launchdarklytest

import "time"

// faults is what is wrong with the server now. The zero value is nothing.
type faults struct {
	keyRefused  bool
	streams     refusal
	holdStreams bool
	events      refusal
	maxEvents   int           // no limit when 0
	maxBytes    int           // no limit when 0
	resets      int           // how many requests still; negative when there is no end to it
	delay       time.Duration // none when 0
	delayOver   chan struct{} // closed when the delay is changed; nil when there is none
}

// takeReset reports whether the connection of this request is to be reset.
func (f *faults) takeReset() bool {
	if f.resets > 0 {
		f.resets--
		return true
	}
	return f.resets < 0
}

// RefuseEvents answers requests with events with the status, and takes nothing from them, until
// [Server.AcceptEvents]. A status outside of 400 to 599 is no refusal: 503 is answered then. A second
// call replaces the first.
//
//	box.RefuseEvents(503, launchdarklytest.Times(2))
//	box.RefuseEvents(429, launchdarklytest.RetryAfter(time.Second))
func (s *Server) RefuseEvents(status int, opts ...RefuseOption) {
	s.fault(func(f *faults) { f.events = newRefusal(status, opts) })
}

// AcceptEvents undoes [Server.RefuseEvents], and no other fault.
func (s *Server) AcceptEvents() {
	s.fault(func(f *faults) { f.events = refusal{} })
}

// LimitEvents answers a request that carries more than n events with 413, and takes none of them. With
// n of 0 or less there is no limit.
func (s *Server) LimitEvents(n int) {
	s.fault(func(f *faults) { f.maxEvents = max(n, 0) })
}

// LimitEventBytes answers a request whose JSON is longer than n bytes, counted after decompression,
// with 413, and takes nothing from it. With n of 0 or less there is no limit.
func (s *Server) LimitEventBytes(n int) {
	s.fault(func(f *faults) { f.maxBytes = max(n, 0) })
}

// ResetEvents takes the next requests with events as if nothing were wrong, then resets the connection
// instead of answering. The client sees a network error though its events have arrived, and only the
// payload id tells that what it sends again is the same. It does so n times; for ever, until the next
// call, when n is negative; with 0 it stops.
func (s *Server) ResetEvents(n int) {
	s.fault(func(f *faults) { f.resets = n })
}

// DelayEvents answers requests with events late: what they bring is decided and recorded on arrival,
// the answer follows after d. A delay ends early when the client hangs up or the server is closed, and
// with the next call of DelayEvents, which answers those that wait. With d of 0 or less there is none.
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

// RefuseStreams answers new streams with the status until [Server.AcceptStreams]; polls too, which ask
// for the same data. A status outside of 400 to 599 is no refusal: 503 is answered then. Streams that
// are connected stay so; [Server.DropStreams] cuts them.
func (s *Server) RefuseStreams(status int, opts ...RefuseOption) {
	s.fault(func(f *faults) { f.streams = newRefusal(status, opts) })
}

// AcceptStreams undoes [Server.RefuseStreams], and no other fault.
func (s *Server) AcceptStreams() {
	s.fault(func(f *faults) { f.streams = refusal{} })
}

// HoldStreams lets streams connect from now on and then sends them neither flag data nor changes, only
// heartbeats, until [Server.ReleaseStreams]. Streams that have their data go on, and polls are answered.
func (s *Server) HoldStreams() {
	s.fault(func(f *faults) { f.holdStreams = true })
}

// ReleaseStreams undoes [Server.HoldStreams]: the streams that were held get the data as it is now.
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

// DropStreams cuts the streams that are connected now. Clients may come back at once, and are served
// unless another fault says otherwise. When it returns, none of those streams counts as connected.
func (s *Server) DropStreams() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for st := range s.streams {
		close(st.dropped)
		delete(s.streams, st)
	}
	s.notify()
}

// RefuseSDKKey answers every request with 401, as for a key that was revoked, until
// [Server.AcceptSDKKey]. Streams that are connected stay so; [Server.DropStreams] cuts them.
func (s *Server) RefuseSDKKey() {
	s.fault(func(f *faults) { f.keyRefused = true })
}

// AcceptSDKKey undoes [Server.RefuseSDKKey]. What an SDK client does
// that has seen a 401 depends on its version: it never comes back, or only after some minutes.
func (s *Server) AcceptSDKKey() {
	s.fault(func(f *faults) { f.keyRefused = false })
}

func (s *Server) fault(set func(*faults)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set(&s.faults)
}
