package launchdarkly

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRegistrations has initializations begin (B) and end (E), and shutdowns (S), in every order that matters. An
// underscore is a pause after which nothing that was overtaken is expected any more.
func TestRegistrations(t *testing.T) {
	for order, want := range map[string]bool{ // whether the provider runs in the end
		"":          true, // NewProvider starts to connect
		"B":         true,
		"BE":        true,
		"BES":       false,
		"BSE":       false, // shut down while it is initialized
		"S":         false, // never registered
		"SB":        false, // the shutdown came first
		"SBB":       false, // and the same place was registered twice, or one domain of two was left before
		"BSEB":      false, // the same, in another order
		"BESBE":     true,  // registered again
		"BESBES":    false,
		"BEBESS":    false, // two domains
		"BEBESSBE":  true,  // and registered again
		"BESSB":     false, // the second domain's initialization came late
		"SSBB":      false,
		"BSESB":     false,
		"BEBES":     false, // the same place twice, or two domains that were left one by one
		"BEBESBE":   true,
		"BESSBB":    false, // registered again without waiting, shut down, and both initializations came late
		"S_BE":      true,  // never registered before
		"BESS_BE":   true,  // shut down by OpenFeature and by the application
		"BSE_BE":    true,
		"BSE_BESBE": true,
	} {
		t.Run(order, func(t *testing.T) {
			run := newRun()
			for _, step := range order {
				run.step(step)
			}
			if run.active != want {
				t.Errorf("the provider runs: %v", run.active)
			}
		})
	}
}

// run is a provider without anything but its registrations.
type run struct {
	registrations
	active bool
	begun  int // initializations that were not refused, and have not ended
	now    time.Time
}

func newRun() *run { return &run{active: true, now: time.Unix(1e9, 0)} }

func (r *run) step(step rune) {
	r.now = r.now.Add(time.Millisecond)
	switch step {
	case 'B':
		if r.begin(r.active, r.now) {
			r.active = true
			r.begun++
		}
	case 'E':
		if r.begun > 0 {
			r.begun--
			r.end()
		}
	case 'S':
		r.shutDown(r.now)
		r.active = false
	case '_':
		r.now = r.now.Add(overtakenFor)
	}
}

// TestRegistrationsInEveryOrder goes through all that an application can do with a provider and OpenFeature in few
// steps, and through every order in which OpenFeature can then call the provider. A provider that is not registered in
// the end must not run, one that is registered must, where it was not registered before, or was shut down in order.
func TestRegistrationsInEveryOrder(t *testing.T) {
	const steps = 5
	orders, ended, inOrder := 0, 0, 0
	for n := range steps + 1 {
		for program := range programs(n) {
			for order := range program.orders() {
				orders++
				run := newRun()
				for _, call := range order {
					before := run.begun
					run.step(call.kind)
					if call.waited && run.begun > before {
						run.step('E')
					}
				}
				var want bool
				switch {
				case !program.bound() && !overtakenAfterOrder(order):
					ended++
				case program.bound() && shutDownInOrder(order):
					inOrder++
					want = true
				default:
					continue
				}
				if run.active != want {
					t.Errorf("%s: after %v, the provider runs: %v", program, order, run.active)
				}
			}
		}
	}
	t.Logf("%d orders: in %d, the provider is not registered in the end, in %d, it is after an orderly shutdown or none", orders, ended, inOrder)
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

// call is an initialization or a shutdown of the provider.
type call struct {
	kind   rune // 'B' or 'S'
	from   int  // the step that it comes from
	waited bool // whether that step waits for it
	period int  // the registration that it belongs to, from the first place to the last
}

func (c call) String() string { return fmt.Sprintf("%c%d", c.kind, c.from) }

// calls are those that OpenFeature's SDK makes (openfeature_api.go), in the order in which it begins them, and whether
// the provider is registered in the end.
func (p program) calls() (calls []call, bound bool) {
	places := map[rune]bool{}
	period := 0
	for i, step := range p {
		switch step {
		case 'd', 'D', 'a', 'A':
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

// bound is whether the provider is registered in the end.
func (p program) bound() bool {
	_, bound := p.calls()
	return bound
}

// orders are those in which the calls can arrive: any, but that a step that waits comes before those after it.
func (p program) orders() func(func([]call) bool) {
	return func(yield func([]call) bool) {
		var extend func(done []call, left []call) bool
		extend = func(done, left []call) bool {
			if len(left) == 0 {
				return yield(done)
			}
			for i, next := range left {
				if slices.ContainsFunc(left, func(c call) bool { return c.waited && c.from < next.from }) {
					continue
				}
				if !extend(append(slices.Clip(done), next), slices.Delete(slices.Clone(left), i, i+1)) {
					return false
				}
			}
			return true
		}
		calls, _ := p.calls()
		extend(nil, calls)
	}
}

// shutDownInOrder is whether each registration before the last was waited for, and all of it came before the next.
func shutDownInOrder(order []call) bool {
	last := 0
	for _, c := range order {
		if c.period < last {
			return false
		}
		last = c.period
	}
	return !slices.ContainsFunc(order, func(c call) bool { return c.kind == 'B' && !c.waited && c.period < last })
}

// overtakenAfterOrder is whether an initialization that nobody waits for comes after a shutdown that is orderly but for
// it: that looks like one that registers the provider again.
func overtakenAfterOrder(order []call) bool {
	for i, c := range order {
		if c.kind != 'S' {
			continue
		}
		late := slices.ContainsFunc(order[i+1:], func(later call) bool { return later.kind == 'B' && later.period <= c.period })
		waited := slices.ContainsFunc(order[:i], func(before call) bool { return before.kind == 'B' && before.waited })
		if late && waited {
			return true
		}
	}
	return false
}
