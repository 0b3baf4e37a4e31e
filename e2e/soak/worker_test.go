package soak

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/open-feature/go-sdk/openfeature"

	"github.com/openfeature-launchdarkly/go-provider/internal/fuzzvalue"
)

const (
	// people is the number of context keys.
	people = 500
	// oddities is the number of arbitrary contexts and values. More of them would fill
	// LaunchDarkly's memory.
	oddities = 500
	// secret is the value of private attributes only.
	secret = "sandy@example.com"
)

// worker evaluates and tracks.
type worker struct {
	*world
	id     int
	random *rand.Rand
	serial int              // of the next event
	cart   []any            // part of each event, and modified between events
	seen   map[string]int64 // the latest number of each flag, by LaunchDarkly
	loop   map[string]any   // contains itself
}

func newWorker(w *world, id int) *worker {
	loop := map[string]any{}
	loop["self"] = loop
	return &worker{world: w, id: id, random: w.random(id), cart: []any{0}, seen: make(map[string]int64), loop: loop}
}

// run evaluates and tracks until the context ends, with short pauses, because LaunchDarkly keeps
// all events until the end.
func (w *worker) run(over context.Context) {
	const evaluations, pause = 16, 20 * time.Millisecond
	ctx := context.Background()
	ended, cancel := context.WithCancel(ctx)
	cancel()
	for over.Err() == nil {
		for range evaluations {
			w.evaluate(ctx)
		}
		w.evaluate(ended) // a canceled context does not affect evaluations
		w.track(ctx)
		w.track(ended)
		await(over, time.Duration(w.random.Int64N(int64(pause))))
	}
	w.ledger.serials[w.id] = w.serial
}

// who is a context for evaluations and events.
type who struct {
	context openfeature.EvaluationContext
	kind    string // kind and key are unknown for an odd context
	key     string
	odd     bool
}

// randomContext returns a random context.
func (w *worker) randomContext() who {
	key := fmt.Sprint("key-", w.random.IntN(people))
	switch attributes := map[string]any{"plan": "gold", "cart": w.cart}; w.random.IntN(8) {
	case 0:
		attributes["kind"] = "org"
		return who{context: openfeature.NewEvaluationContext(key, attributes), kind: "org", key: key}
	case 1:
		return who{kind: "org", key: key, context: openfeature.NewTargetlessEvaluationContext(map[string]any{
			"kind": "multi",
			"user": map[string]any{"targetingKey": "sandy", "plan": "gold"},
			"org":  map[string]any{"key": key, "email": secret, "privateAttributes": []string{"email"}},
		})}
	case 2:
		attributes["anonymous"] = true
		return who{context: openfeature.NewEvaluationContext(key, attributes), kind: "user", key: key}
	case 3:
		attributes["email"], attributes["privateAttributes"] = secret, []any{"email"}
		return who{context: openfeature.NewEvaluationContext(key, attributes), kind: "user", key: key}
	case 4: // unreadable, so all attributes are private
		attributes["email"], attributes["privateAttributes"] = secret, 7
		return who{context: openfeature.NewEvaluationContext(key, attributes), kind: "user", key: key}
	case 5:
		attributes["height"], attributes["loop"], attributes["\xff"] = math.Inf(-1), w.loop, "\xc3\x28"
		return who{context: openfeature.NewEvaluationContext(key, attributes), kind: "user", key: key}
	case 6:
		g := w.oddity()
		return who{context: openfeature.NewEvaluationContext(g.Text(), g.Attributes()), odd: true}
	default:
		return who{context: openfeature.NewEvaluationContext(key, attributes), kind: "user", key: key}
	}
}

// oddity returns a generator of arbitrary values, deterministic for each of the oddities.
func (w *worker) oddity() *fuzzvalue.Generator {
	random := rand.New(rand.NewPCG(w.seed, uint64(w.random.IntN(oddities))))
	data := make([]byte, 16+random.IntN(240))
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	return fuzzvalue.New(data)
}

// track tracks a plain or an odd event, and sometimes one without a name.
func (w *worker) track(ctx context.Context) {
	about := w.randomContext()
	w.cart[0] = w.serial
	kind, details := plainEvent, openfeature.NewTrackingEventDetails(float64(w.serial)).
		Add("kind", about.kind).Add("key", about.key).Add("cart", w.cart)
	if w.random.IntN(4) == 0 {
		details = details.Add("loop", w.loop).Add("nan", math.NaN()).Add("\xff", "\xc3\x28")
	}
	if about.odd {
		kind = oddEvent
		details = openfeature.NewTrackingEventDetails(
			[]float64{0, -1, math.NaN(), math.Inf(1), math.MaxFloat64}[w.random.IntN(5)])
		for name, value := range w.oddity().Attributes() {
			details = details.Add(name, value)
		}
	}
	w.ledger.tracked.Add(1)
	w.client.Track(ctx, eventName(kind, w.id, w.serial), about.context, details)
	w.serial++
	if w.random.IntN(64) == 0 {
		w.ledger.tracked.Add(1)
		w.client.Track(ctx, "", about.context, details)
	}
}

// evaluate evaluates a flag.
func (w *worker) evaluate(ctx context.Context) {
	w.evaluations.Add(1)
	about := w.randomContext()
	e := evaluation{flag: flags[w.random.IntN(len(flags))], about: about}
	switch e.flag {
	case boolFlag:
		e.wrongType = w.random.IntN(32) == 0
		if e.wrongType {
			e.flag = stringFlag
		}
		byDefault := w.random.IntN(2) == 0
		got, err := w.client.BooleanValueDetails(ctx, e.flag, byDefault, about.context)
		e.err, e.details = err, got.EvaluationDetails
		e.isDefault = got.Value == byDefault
	case stringFlag:
		const byDefault = "none \xff"
		got, err := w.client.StringValueDetails(ctx, e.flag, byDefault, about.context)
		e.err, e.details = err, got.EvaluationDetails
		e.isDefault = got.Value == byDefault
		if number, ok := strings.CutPrefix(got.Value, "value "); ok {
			e.number, _ = strconv.ParseInt(number, 10, 64)
		}
	case intFlag:
		const byDefault = math.MinInt64 + 1 // not representable as float64
		got, err := w.client.IntValueDetails(ctx, e.flag, byDefault, about.context)
		e.err, e.details = err, got.EvaluationDetails
		e.isDefault, e.number = got.Value == byDefault, got.Value
	case floatFlag:
		got, err := w.client.FloatValueDetails(ctx, e.flag, math.NaN(), about.context)
		e.err, e.details = err, got.EvaluationDetails
		e.isDefault, e.number = math.IsNaN(got.Value), int64(got.Value-0.5)
	case objectFlag:
		byDefault := any(&w.serial)
		if w.random.IntN(2) == 0 {
			g := w.oddity()
			byDefault = new(g.Value())
		}
		got, err := w.client.ObjectValueDetails(ctx, e.flag, byDefault, about.context)
		e.err, e.details = err, got.EvaluationDetails
		e.isDefault = got.Value == byDefault
		if object, ok := got.Value.(map[string]any); ok {
			number, _ := object["number"].(float64)
			e.number = int64(number)
		}
	}
	if problem := w.problem(e); problem != "" {
		w.ledger.problem("%s for %v: %s: %+v, %v", e.flag, about.context, problem, e.details, e.err)
	}
}

// evaluation is the result of an evaluation.
type evaluation struct {
	flag      string
	about     who
	wrongType bool
	details   openfeature.EvaluationDetails
	err       error
	isDefault bool
	number    int64 // of the value; see setFlag
}

// problem returns what is wrong with an evaluation, or an empty string.
func (w *worker) problem(e evaluation) string {
	if e.err != nil {
		switch {
		case !e.isDefault:
			return "an error without the default"
		case !e.mayFail():
			return "an unexplained error"
		}
		return ""
	}
	switch {
	case e.wrongType:
		return "a value of another type"
	case e.details.ErrorCode != "" || e.details.Variant != strconv.Itoa(variation):
		return "neither an error nor the variation"
	case e.flag == boolFlag:
		return ""
	}
	place := e.number % places
	served := fmt.Sprint(place, e.flag)
	switch {
	case e.number < places || e.number/places > w.issued[place].Load():
		return "a value that the flag never had"
	case e.number < w.seen[served]:
		return "a value from before the last one"
	}
	w.seen[served] = e.number
	return ""
}

// mayFail reports whether an injected fault or the context explains the error.
func (e evaluation) mayFail() bool {
	switch e.details.ErrorCode {
	case openfeature.ProviderNotReadyCode:
		return true
	case openfeature.FlagNotFoundCode, openfeature.ParseErrorCode:
		return fragile(e.flag)
	case openfeature.TypeMismatchCode:
		return e.wrongType
	case openfeature.TargetingKeyMissingCode, openfeature.InvalidContextCode:
		return e.about.odd
	default:
		return false
	}
}
