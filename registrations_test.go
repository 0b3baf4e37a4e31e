package launchdarkly

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRegistrations has readers of the event channel start (R), initializations (I), and shutdowns
// (S) in every order that matters. A period is when a shutdown has waited for everything that was
// requested before.
func TestRegistrations(t *testing.T) {
	for order, want := range map[string]bool{ // whether the provider runs in the end
		"":          true, // NewProvider starts to connect
		"RI":        true,
		"IR":        true,
		"RIS.":      false,
		"S.":        false, // never registered
		"S.RI":      true,
		"RSI.":      false, // the shutdown came first
		"SRI.":      false,
		"SIR.":      false,
		"RSII.":     false, // and the same place was registered twice, or one domain of two was left before
		"RISI.":     false, // the same, in another order
		"IRSI.":     false,
		"ISRI.":     false,
		"RIS.RI":    true, // registered again
		"RIS.RIS.":  false,
		"RIIS.S.":   false, // two domains
		"RIIS.S.RI": true,  // and registered again
		"RIS.S.RI":  true,  // or shut down by the application, too
		"RISI.S.":   false, // the second domain's initialization came late
		"RIIS.":     false, // the same place twice, or two domains that were left one by one
		"RISRI.":    true,  // replaced, and registered again
		"RISIR.":    true,
		"RSIRI.":    true,
		"RSIIR.":    true,
		"RISRSI..":  false, // replaced, registered again, replaced
		"RISSIR..":  false,
		"RISRIS..":  false,

		// Others than OpenFeature's SDK do not read, or do later.
		"IS.I":     true,
		"IS.S.I":   true,
		"S.I":      true,
		"IRS.IR":   true,
		"IRS.IRS.": false,
	} {
		t.Run(order, func(t *testing.T) {
			run := newRun()
			for _, step := range order {
				switch step {
				case 'R':
					run.read()
				case 'I':
					run.initialize(0)
				case 'S':
					run.shutDown()
				case '.':
					run.awaited()
				}
			}
			run.attend(math.MaxInt)
			if run.active != want {
				t.Errorf("the provider runs: %v", run.active)
			}
		})
	}
}

// run is a provider without anything but its registrations, with a clock of its own.
type run struct {
	registrationCounts
	active  bool
	doubted []doubted
	now     time.Time
}

// doubted is an initialization that waits for its verdict.
type doubted struct {
	arrived   time.Time
	requested int  // calls that were requested when it arrived
	attended  bool // whether they have arrived
}

func newRun() *run { return &run{active: true, now: time.Unix(1e9, 0)} }

func (r *run) read() {
	r.readers++
	r.judge()
}

func (r *run) initialize(requested int) {
	r.doubted = append(r.doubted, doubted{arrived: r.now, requested: requested})
	r.judge()
}

func (r *run) shutDown() {
	r.begin()
	r.active = false
	r.judge()
}

func (r *run) awaited() {
	r.end(r.now)
	r.judge()
}

// attend notes that the first calls have arrived, as many as n.
func (r *run) attend(n int) {
	for i := range r.doubted {
		r.doubted[i].attended = r.doubted[i].attended || r.doubted[i].requested <= n
	}
	r.judge()
}

func (r *run) judge() {
	r.doubted = slices.DeleteFunc(r.doubted, func(d doubted) bool {
		verdict := r.decide(d.arrived, d.attended, r.active)
		r.active = r.active || verdict == admitted
		return verdict != undecided
	})
	r.now = r.now.Add(time.Microsecond)
}

// TestRegistrationsInEveryOrder goes through all that an application can do with a provider and
// OpenFeature in few steps, and through every order in which OpenFeature can then call the
// provider. A provider that is registered in the end has to run, unless a shutdown arrives after an
// initialization of a later registration. Another one must not run.
func TestRegistrationsInEveryOrder(t *testing.T) {
	const steps = 4
	ends := map[string]int{}
	for n := range steps + 1 {
		for program := range programs(n) {
			w := world{program: program, run: newRun(), places: map[rune]bool{}}
			w.explore(func(end world) {
				registered := len(end.places) > 0 || end.requested == 0 // NewProvider starts to connect
				switch {
				case end.active == registered:
					ends["as it should be"]++
				case registered && end.late:
					ends["shut down late"]++
				default:
					t.Errorf("%s: after %v, the provider runs: %v", program, end.history, end.active)
				}
			})
		}
	}
	t.Log(ends)
	if ends["as it should be"] < 10_000 {
		t.Error("these are not all")
	}
}

// programs of n steps: "d" registers the provider by default, "a" for a domain; "x" and "y" replace
// it there by another; "!" shuts OpenFeature's API down. Capitals wait for the initialization.
func programs(n int) func(func(string) bool) {
	const steps = "dDaAxy!"
	return func(yield func(string) bool) {
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
			if program := b.String(); !isRepeated(program) && !yield(program) {
				return
			}
		}
	}
}

// isRepeated reports whether a program does the same as another: it has a step without an effect,
// or begins with the domain instead of the default.
func isRepeated(program string) bool {
	places := map[rune]bool{}
	for _, step := range program {
		switch step {
		case 'd', 'D', 'a', 'A':
			if len(places) == 0 && step|' ' == 'a' {
				return true
			}
			places[step|' '] = true
		case 'x', 'y':
			place := map[rune]rune{'x': 'd', 'y': 'a'}[step]
			if !places[place] {
				return true
			}
			delete(places, place)
		case '!':
			if len(places) == 0 {
				return true
			}
			clear(places)
		}
	}
	return false
}

// world is a program that runs, with the goroutines that OpenFeature's SDK has started for it.
type world struct {
	*run
	program   string
	places    map[rune]bool // where the provider is registered
	period    int           // of its registrations, each from the first place to the last
	shutdowns int           // calls that a shutdown of the API has yet to make
	requested int
	pending   []call // requested, and not arrived
	awaits    []wait
	blocked   int // the call that the program waits for, or 0
	newest    int // the latest period of which an initialization has arrived
	late      bool
	history   []string
}

// call is one of the provider's methods, in a goroutine of its own.
type call struct {
	id     int
	kind   rune // as in TestRegistrations
	period int
}

// wait is a shutdown that waits for the calls that were requested when it arrived.
type wait struct{ id, requested int }

// explore calls visit with the end of every order of events.
func (w world) explore(visit func(world)) {
	ended := true
	next := func(event func(*world)) {
		ended = false
		n := w
		r := *w.run
		r.doubted = slices.Clone(r.doubted)
		n.run, n.places = &r, maps.Clone(w.places)
		n.pending, n.awaits, n.history = slices.Clone(w.pending), slices.Clone(w.awaits), slices.Clone(w.history)
		event(&n)
		n.explore(visit)
	}
	if w.blocked == 0 && (w.program != "" || w.shutdowns > 0) {
		next((*world).proceed)
	}
	for i, c := range w.pending {
		next(func(n *world) {
			n.pending = slices.Delete(n.pending, i, i+1)
			n.arrive(c)
		})
	}
	for i, a := range w.awaits {
		if !slices.ContainsFunc(w.pending, func(c call) bool { return c.id <= a.requested }) {
			next(func(n *world) {
				n.awaits = slices.Delete(n.awaits, i, i+1)
				n.note("ended", a.id)
				n.awaited()
				n.unblock(a.id)
			})
		}
	}
	if ended {
		visit(w)
	}
}

// proceed takes a step of the program (openfeature_api.go).
func (w *world) proceed() {
	if w.shutdowns > 0 {
		w.shutdowns--
		w.requested++
		w.blocked = w.requested
		w.arrive(call{id: w.requested, kind: 'S', period: w.period})
		if w.shutdowns == 0 {
			w.period++
		}
		return
	}
	step := rune(w.program[0])
	w.program = w.program[1:]
	switch step {
	case 'd', 'D', 'a', 'A':
		if len(w.places) == 0 {
			w.request('R')
		}
		w.places[step|' '] = true
		if w.request('I'); step < 'a' {
			w.blocked = w.requested
		}
	case 'x', 'y':
		place := map[rune]rune{'x': 'd', 'y': 'a'}[step]
		if w.places[place] && len(w.places) == 1 {
			w.request('S')
			w.period++
		}
		delete(w.places, place)
	case '!':
		w.shutdowns = len(w.places)
		clear(w.places)
	}
}

func (w *world) request(kind rune) {
	w.requested++
	w.pending = append(w.pending, call{w.requested, kind, w.period})
}

func (w *world) arrive(c call) {
	w.note(string(c.kind), c.id)
	defer func() {
		arrived := w.requested
		for _, c := range w.pending {
			arrived = min(arrived, c.id-1)
		}
		w.attend(arrived)
	}()
	switch c.kind {
	case 'R':
		w.read()
	case 'I':
		w.newest = max(w.newest, c.period)
		w.initialize(w.requested)
		w.unblock(c.id)
	case 'S':
		w.late = w.late || w.newest > c.period
		w.shutDown()
		w.awaits = append(w.awaits, wait{c.id, w.requested})
	}
}

func (w *world) unblock(id int) {
	if w.blocked == id {
		w.blocked = 0
	}
}

func (w *world) note(what string, id int) { w.history = append(w.history, fmt.Sprint(what, id)) }
