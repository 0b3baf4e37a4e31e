package launchdarkly

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRegistrations has readers of the event channel start (R), initializations begin (B) and end (E), and shutdowns (S),
// in every order that matters. An underscore is a pause after which nothing that was overtaken is expected any more.
func TestRegistrations(t *testing.T) {
	for order, want := range map[string]bool{ // whether the provider runs in the end
		"":           true, // NewProvider starts to connect
		"RB":         true,
		"RBE":        true,
		"RBES":       false,
		"RBSE":       false, // shut down while it is initialized
		"S":          false, // never registered
		"RSB":        false, // the shutdown came first
		"SRB":        false,
		"SBR":        false,
		"RSBB":       false, // and the same place was registered twice, or one domain of two was left before
		"RBSEB":      false, // the same, in another order
		"RBESRBE":    true,  // registered again
		"RBESBR":     true,
		"RBESRBES":   false,
		"RBEBESS":    false, // two domains
		"RBEBESSRBE": true,  // and registered again
		"RBESSB":     false, // the second domain's initialization came late
		"RSSBB":      false,
		"RBSESB":     false,
		"RBEBES":     false, // the same place twice, or two domains that were left one by one
		"RBEBESRBE":  true,
		"RBESRSBB":   false, // registered again without waiting, and shut down
		"RSBRB":      true,  // registered again after a shutdown that came first
		"RBSERB":     true,  // or while it was initialized
		"RBESSRBE":   true,  // or by the application, too
		"RBESS_BE":   true,
		"S_RBE":      true, // never registered before
		"RBSE_RBES":  false,
		"RBESB":      false, // an initialization that nobody waited for

		// Without OpenFeature:
		"SBE":    true,
		"BESBE":  true,
		"BESSBE": true,
		"BSEB":   true,

		// In the multi-provider, which reads after the initialization:
		"BERSBER":   true,
		"BERSBERS":  false,
		"BSER":      false,
		"BSER_BER":  true,
		"BERS_BER":  true,
		"BERSSBERS": false,
	} {
		t.Run(order, func(t *testing.T) {
			run := newRun()
			for _, step := range order {
				run.step(step)
			}
			run.wait()
			if run.active != want {
				t.Errorf("the provider runs: %v", run.active)
			}
		})
	}
}

// run is a provider without anything but its registrations.
type run struct {
	registrations
	active   bool
	inDoubt  int // initializations that wait for a reader
	sessions int
	from     []int // the sessions of the initializations that have begun, and not ended
	now      time.Time
}

func newRun() *run { return &run{active: true, now: time.Unix(1e9, 0)} }

// step reports whether an initialization begins.
func (r *run) step(step rune) (begins bool) {
	r.now = r.now.Add(time.Millisecond)
	switch step {
	case 'R':
		r.read()
	case 'B':
		r.inDoubt++
	case 'E':
		if n := len(r.from); n > 0 {
			r.end(r.active && r.from[n-1] == r.sessions)
			r.from = r.from[:n-1]
		}
	case 'S':
		r.shutDown(r.now, r.active)
		r.active = false
	case '_':
		r.wait()
		r.now = r.now.Add(overtakenFor)
	}
	return r.begin(false)
}

// wait has those that wait for a reader give up.
func (r *run) wait() { r.begin(true) }

func (r *run) begin(waited bool) (begins bool) {
	for r.inDoubt > 0 && r.registrations.begin(r.now, r.active, waited) {
		if !r.active {
			r.active = true
			r.sessions++
		}
		r.from = append(r.from, r.sessions)
		begins = true
		r.inDoubt--
	}
	if waited {
		r.inDoubt = 0
	}
	return begins
}

// TestRegistrationsInEveryOrder goes through all that an application can do with a provider and OpenFeature in few
// steps, and through every order in which OpenFeature can then call the provider. A provider that is registered in the
// end has to run, another one must not. Exempt is what looks like another order: a provider that is registered again while
// calls of its earlier registration are outstanding, without waiting for any.
func TestRegistrationsInEveryOrder(t *testing.T) {
	const steps = 4
	orders, exempt := 0, 0
	for n := range steps + 1 {
		for program := range programs(n) {
			calls, bound := program.calls()
			for order := range ordersOf(calls) {
				run := newRun()
				for _, call := range order {
					if begins := run.step(call.kind); begins && call.waited {
						run.step('E')
					}
				}
				run.wait()
				switch orders++; {
				case run.active == bound:
				case shutDownLate(order):
					exempt++
				default:
					t.Errorf("%s: after %v, the provider runs: %v", program, order, run.active)
				}
			}
		}
	}
	t.Logf("%d orders, %d of them look like others", orders, exempt)
	if orders < 10_000 {
		t.Errorf("only %d orders", orders)
	}
}

// program is what an application does: "d" and "D" register the provider by default, "a" and "A" for a domain, with
// capitals waiting for the initialization; "x" and "y" replace it there by another; "!" shuts OpenFeature's API down.
type program string

func programs(n int) func(func(program) bool) {
	const steps = "dDaAxy!"
	return func(yield func(program) bool) {
		count := 1
		for range n {
			count *= len(steps)
		}
		for i := range count {
			var b strings.Builder
			for range n {
				b.WriteByte(steps[i%len(steps)])
				i /= len(steps)
			}
			if !yield(program(b.String())) {
				return
			}
		}
	}
}

// call is a call of the provider.
type call struct {
	kind   rune // as in TestRegistrations
	from   int  // the step that it comes from
	waited bool // whether that step waits for it
	period int  // the registration that it belongs to, from the first place to the last
}

func (c call) String() string { return fmt.Sprintf("%c%d", c.kind, c.from) }

// calls are those that OpenFeature's SDK makes (openfeature_api.go, event_executor.go), in the order in which it begins
// them, and whether the provider is registered in the end.
func (p program) calls() (calls []call, bound bool) {
	places := map[rune]bool{}
	period := 0
	for i, step := range p {
		switch step {
		case 'd', 'D', 'a', 'A':
			if len(places) == 0 {
				calls = append(calls, call{'R', i, false, period})
			}
			places[step|' '] = true
			calls = append(calls, call{'B', i, step < 'a', period})
		case 'x', 'y':
			place := map[rune]rune{'x': 'd', 'y': 'a'}[step]
			if places[place] && len(places) == 1 {
				calls = append(calls, call{'S', i, false, period})
				period++
			}
			delete(places, place)
		case '!':
			for range places {
				calls = append(calls, call{'S', i, true, period})
			}
			if len(places) > 0 {
				period++
			}
			clear(places)
		}
	}
	return calls, len(places) > 0 || len(calls) == 0 // NewProvider starts to connect
}

// precedes is whether another call can't come before this one: an earlier step has waited for this one, or the other is an
// initialization that returns, for which this reader has started.
func (c call) precedes(next call) bool {
	return c.waited && c.from < next.from || c.kind == 'R' && c.period == next.period && next.kind == 'B' && next.waited
}

// ordersOf are those in which the calls can arrive.
func ordersOf(calls []call) func(func([]call) bool) {
	return func(yield func([]call) bool) {
		var extend func(done []call, left []call) bool
		extend = func(done, left []call) bool {
			if len(left) == 0 {
				return yield(done)
			}
			for i, next := range left {
				if slices.ContainsFunc(left, func(c call) bool { return c.precedes(next) }) {
					continue
				}
				if !extend(append(slices.Clip(done), next), slices.Delete(slices.Clone(left), i, i+1)) {
					return false
				}
			}
			return true
		}
		extend(nil, calls)
	}
}

// shutDownLate is whether a shutdown comes after an initialization of a later registration, or before a reader of its
// own or an earlier registration where it is not of the first.
func shutDownLate(order []call) bool {
	for i, c := range order {
		if c.kind != 'S' && slices.ContainsFunc(order[i:], func(later call) bool { return later.kind == 'S' && later.period < c.period }) ||
			c.kind == 'S' && c.period > 0 && slices.ContainsFunc(order[i:], func(later call) bool { return later.kind == 'R' && later.period <= c.period }) {
			return true
		}
	}
	return false
}
