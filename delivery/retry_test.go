package delivery

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// outcomeOf returns an outcome by the name that the tables use.
func outcomeOf(name string) outcome {
	failed := errors.New(name)
	switch name {
	case "pass":
		return outcome{class: passed}
	case "down": // no response, 5xx, 404, 407, 408, 429, an HTML page
		return outcome{class: unavailable, err: failed}
	case "slow": // a timeout before the whole body was written
		return outcome{class: unavailable, tooLarge: true, err: failed}
	case "bad": // 400, 406, 422
		return outcome{class: refused, err: failed}
	case "key": // 401, 403
		return outcome{class: refused, keyRefused: true, err: failed}
	case "413":
		return outcome{class: refused, tooLarge: true, err: failed}
	case "later": // 429 or 503 with Retry-After
		return outcome{class: unavailable, retryAfter: time.Minute, err: failed}
	default:
		panic(name)
	}
}

// driver sends what a schedule chooses, as the sender does. It names the parts: fresh ones are a,
// b, c and so on, and the halves of a are a1 and a2.
type driver struct {
	*schedule
	now   time.Time
	names map[*part]string
	taken int // fresh parts
	fresh bool
}

// drive returns a driver with requests of up to size events.
func drive(size int) *driver {
	d := &driver{
		schedule: newSchedule(backoff{DefaultMinBackoff, DefaultMaxBackoff}, size, 1<<20),
		now:      time.Now(), names: make(map[*part]string), fresh: true,
	}
	d.random = func(n int) int { return n - 1 } // the greatest
	return d
}

// choose returns the part to send next, or nil.
func (d *driver) choose() *part {
	c := d.schedule.next(d.fresh, func(p *part) bool { return !p.due.After(d.now) })
	switch {
	case c.part != nil && c.firstOnly:
		return d.divide(c.part, 1)
	case c.part != nil:
		return c.part
	case c.fresh > 0 && d.fresh:
		events := make([]event, c.fresh)
		for i := range events {
			events[i].json = []byte(`{}`)
		}
		p := newPart(events)
		d.names[p] = string(rune('a' + d.taken))
		d.taken++
		return p
	default:
		return nil
	}
}

func (d *driver) divide(p *part, n int) *part {
	first, rest := newPart(p.events[:n]), newPart(p.events[n:])
	d.names[first], d.names[rest] = d.names[p]+"1", d.names[p]+"2"
	d.replace(p, first, rest)
	return first
}

// send sends the next part with an outcome. It returns the name of the part with its number of
// events, and the verdict.
func (d *driver) send(name string) (sent string, v verdict) {
	p := d.choose()
	if p == nil {
		return "nothing", hold
	}
	sent = fmt.Sprintf("%s:%d", d.names[p], len(p.events))
	v = d.judge(p, outcomeOf(name), d.now, p.due.After(d.now))
	if v == divide {
		if first := d.divide(p, len(p.events)/2); outcomeOf(name).tooLarge {
			d.retryNext = first
		}
	}
	return sent, v
}

// step is a request and what is expected of it, after a pause.
type step struct {
	outcome string
	sent    string // the part and its number of events
	verdict verdict
	pause   time.Duration
}

// TestSchedule tests what is sent next, in sequences of requests of up to 8 events.
func TestSchedule(t *testing.T) {
	for _, c := range []struct {
		name  string
		fresh int // number of fresh parts; 0 for any number
		steps []step
	}{
		{"everything passes", 0, []step{
			{"pass", "a:8", deliver, 0}, {"pass", "b:8", deliver, 0}, {"pass", "c:8", deliver, 0},
		}},
		{"in an outage, the part is sent three times, then up to three fresh events one by one, then the held parts in turn", 0, []step{
			{"down", "a:8", hold, 0}, {"down", "a:8", hold, 0}, {"down", "a:8", hold, 0},
			{"down", "b:1", hold, 0}, {"down", "b:1", hold, 0}, {"down", "b:1", hold, 0},
			{"down", "c:1", hold, 0}, {"down", "c:1", hold, 0}, {"down", "c:1", hold, 0},
			{"down", "d:1", hold, 0}, {"down", "d:1", hold, 0}, {"down", "d:1", hold, 0},
			{"down", "a:8", hold, 0}, {"down", "b:1", hold, 0}, {"down", "c:1", hold, 0}, {"down", "d:1", hold, 0},
			{"down", "a:8", hold, 0},
		}},
		{"after an outage, the held parts are sent first", 0, []step{
			{"down", "a:8", hold, 0}, {"down", "a:8", hold, 0}, {"down", "a:8", hold, 0}, {"down", "b:1", hold, 0},
			{"pass", "b:1", deliver, 0}, {"pass", "a:8", deliver, 0},
			{"pass", "c:8", deliver, 0}, {"pass", "d:8", deliver, 0},
		}},
		{"after a refusal, something else is sent", 0, []step{
			{"bad", "a:8", hold, 0}, {"bad", "b:1", hold, 0}, {"bad", "c:1", hold, 0}, {"bad", "d:1", hold, 0},
			{"bad", "a:8", hold, 0},
		}},
		{"an event that is refused is isolated by dividing", 0, []step{
			{"bad", "a:8", hold, 0},     // the cause is ambiguous
			{"pass", "b:1", deliver, 0}, // something else passes
			{"bad", "a:8", divide, 0},   // and it fails again: it is at fault
			{"pass", "c:8", deliver, 0}, // something else passes again
			{"bad", "a1:4", divide, 0},
			{"pass", "a2:4", deliver, 0}, // which puts the other half at fault
			{"pass", "a11:2", deliver, 0},
			{"bad", "a12:2", divide, 0},
			{"pass", "d:8", deliver, 0},
			{"pass", "a121:1", deliver, 0},
			{"bad", "a122:1", hold, 0},  // it is alone: the first strike
			{"pass", "e:8", deliver, 0}, // the others are not delayed
			{"pass", "f:8", deliver, time.Second},
			{"bad", "a122:1", hold, time.Second}, // it is due after 2 s, and then after 4
			{"pass", "g:8", deliver, 3 * time.Second},
			{"bad", "a122:1", hold, time.Second},
		}},
		{"an event that makes the service fail is isolated by dividing", 0, []step{
			{"down", "a:8", hold, 0}, {"down", "a:8", hold, 0}, {"down", "a:8", hold, 0},
			{"pass", "b:1", deliver, 0},
			{"down", "a:8", divide, 0}, // at once, because it was retried before
			{"pass", "c:2", deliver, 0},
			{"down", "a1:4", divide, 0},
			{"pass", "a2:4", deliver, 0},
			{"pass", "a11:2", deliver, 0},
		}},
		{"after such an event, a part that fails is not retried before something else is sent", 0, []step{
			{"down", "a:8", hold, 0}, {"down", "a:8", hold, 0}, {"down", "a:8", hold, 0},
			{"pass", "b:1", deliver, 0}, {"down", "a:8", divide, 0},
			{"down", "c:2", hold, 0}, {"pass", "d:1", deliver, 0}, {"down", "c:2", divide, 0},
		}},
		{"a part that failed in an outage is at fault only if it fails after something else passed", 0, []step{
			{"bad", "a:8", hold, 0}, {"bad", "b:1", hold, 0}, {"bad", "c:1", hold, 0}, {"bad", "d:1", hold, 0},
			{"pass", "a:8", deliver, 0}, {"pass", "b:1", deliver, 0}, {"bad", "c:1", hold, 0}, {"pass", "d:1", deliver, 0},
			{"pass", "e:8", deliver, 0},
		}},
		{"without fresh events, the first event of a held part is the probe", 1, []step{
			{"bad", "a:8", hold, 0},
			{"pass", "a1:1", deliver, 0},
			{"bad", "a2:7", divide, 0},
			{"pass", "a211:1", deliver, 0}, // nothing passed since
			{"bad", "a212:2", divide, 0},
		}},
		{"without fresh events, a part that may have arrived is divided only after ten attempts", 1, []step{
			{"down", "a:8", hold, 0}, {"down", "a:8", hold, 0}, {"down", "a:8", hold, 0}, {"down", "a:8", hold, 0},
			{"down", "a:8", hold, 0}, {"down", "a:8", hold, 0}, {"down", "a:8", hold, 0}, {"down", "a:8", hold, 0},
			{"down", "a:8", hold, 0}, {"down", "a:8", hold, 0},
			{"down", "a1:1", hold, 0},
		}},
		{"without held parts and fresh events, nothing is sent", 1, []step{
			{"pass", "a:8", deliver, 0}, {"bad", "nothing", hold, 0},
		}},
		{"a part that is too large is divided, and the first half sent first", 0, []step{
			{"413", "a:8", divide, 0}, {"413", "a1:4", divide, 0}, {"pass", "a11:2", deliver, 0},
			{"pass", "a12:2", deliver, 0}, {"pass", "a2:4", deliver, 0}, {"pass", "b:8", deliver, 0},
		}},
		{"a part that can't be written in time is divided", 0, []step{
			{"slow", "a:8", divide, 0}, {"pass", "a1:4", deliver, 0}, {"pass", "a2:4", deliver, 0}, {"pass", "b:8", deliver, 0},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := drive(8)
			for i, s := range c.steps {
				d.now = d.now.Add(s.pause)
				d.fresh = c.fresh == 0 || d.taken < c.fresh
				if sent, v := d.send(s.outcome); sent != s.sent || v != s.verdict {
					t.Fatalf("request %d: sent %s, verdict %d; want %s, %d", i, sent, v, s.sent, s.verdict)
				}
			}
		})
	}
}

// There are few probes, because they are sent out of order.
func TestEveryHeldPartIsSentWhileNothingPasses(t *testing.T) {
	d := drive(8)
	d.random = rand.New(rand.NewPCG(1, 2)).IntN
	const requests = 1_000
	sent := make(map[string]int)
	for range requests {
		name, _ := d.send("bad")
		sent[name]++
	}
	for _, name := range []string{"a:8", "b:1", "c:1", "d:1", "e:1"} {
		if sent[name] < 10 {
			t.Errorf("%s was sent %d times", name, sent[name])
		}
	}
	if len(d.held) > 80 {
		t.Errorf("%d events were sent alone", len(d.held)-1)
	}
}

// TestPauseAfterEachOutcome tests the pauses in sequences of requests without delay.
func TestPauseAfterEachOutcome(t *testing.T) {
	const none = 0
	s, m := time.Second, time.Minute
	for _, c := range []struct {
		name     string
		outcomes []string
		longest  []time.Duration // the jitter makes it up to half shorter
	}{
		{"in an outage", []string{"down", "down", "down", "down", "down", "down", "down", "down", "down"},
			[]time.Duration{s / 5, 2 * s / 5, 4 * s / 5, 8 * s / 5, 16 * s / 5, 32 * s / 5, 64 * s / 5, 15 * s, 15 * s}},
		{"none after the first refusal", []string{"bad", "bad", "bad", "bad"},
			[]time.Duration{none, 2 * s / 5, 4 * s / 5, 8 * s / 5}},
		{"long ones when the key is refused three times in a row", []string{"key", "key", "key", "key", "key", "key", "key", "key", "key", "key"},
			[]time.Duration{none, 2 * s / 5, 15 * s, 30 * s, m, 2 * m, 4 * m, 8 * m, 10 * m, 10 * m}},
		{"as usual when the key is not refused in a row", []string{"key", "key", "down", "key", "key", "key"},
			[]time.Duration{none, 2 * s / 5, 4 * s / 5, 8 * s / 5, 16 * s / 5, 15 * s}},
		{"none after a request passes", []string{"down", "down", "pass", "down", "pass", "key", "key"},
			[]time.Duration{s / 5, 2 * s / 5, none, s / 5, none, none, 2 * s / 5}},
		{"none after a part at fault", []string{"bad", "pass", "bad"}, []time.Duration{none, none, none}},
		{"none after a request that is too large", []string{"413", "413", "pass", "slow", "slow"},
			[]time.Duration{none, none, none, none, none}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := drive(64)
			for i, name := range c.outcomes {
				d.send(name)
				pause, longest := max(d.pause.left(d.now, idle), 0), c.longest[i]
				if pause < longest/2 || pause > longest {
					t.Errorf("after request %d: %v, want %v to %v", i, pause, longest/2, longest)
				}
				if name == "pass" && d.keyRefused() {
					t.Error("the key is refused although a request passed")
				}
			}
		})
	}
}

func TestRetryAfterOverridesThePause(t *testing.T) {
	d := drive(8)
	d.send("later")
	if pause := d.pause.left(d.now, time.Second); pause != time.Minute { // also during a flush
		t.Errorf("%v", pause)
	}
	if pause := d.pause.left(d.now.Add(40*time.Second), time.Second); pause != 20*time.Second {
		t.Errorf("%v after 40s", pause)
	}
	if pause := d.pause.left(d.now.Add(2*time.Minute), time.Second); pause > 0 {
		t.Errorf("%v after 2m", pause)
	}
	d.now = d.now.Add(time.Minute)
	d.send("down")
	if pause := d.pause.left(d.now, time.Second); pause > 400*time.Millisecond {
		t.Errorf("%v after a response without Retry-After", pause)
	}
	d.send("pass")
	if pause := d.pause.left(d.now, idle); pause > 0 {
		t.Errorf("%v after a request passed", pause)
	}
}

func TestPauseIsLimitedDuringAFlush(t *testing.T) {
	d := drive(8)
	for range 20 {
		d.send("down")
	}
	if pause := d.pause.left(d.now, time.Second); pause != time.Second {
		t.Errorf("%v", pause)
	}
	if pause := d.pause.left(d.now.Add(time.Second), time.Second); pause > 0 {
		t.Errorf("%v after 1s", pause)
	}
}

// strikes sends requests until the first event, which always fails, is dropped, while all others
// pass. It returns the times between the attempts at it.
func strikes(t *testing.T, d *driver, outcome string, between func()) (gaps []time.Duration) {
	t.Helper()
	atFault := d.choose()
	v := d.judge(atFault, outcomeOf(outcome), d.now, false)
	for last := d.now; v != giveUp; {
		between()
		p := d.choose()
		if p == nil {
			d.now = d.now.Add(d.untilDue(d.now, 0, idle))
			continue
		}
		if p != atFault {
			d.judge(p, outcomeOf("pass"), d.now, false)
			if d.untilDue(d.now, 0, idle) < idle {
				d.now = d.now.Add(d.untilDue(d.now, 0, idle))
			}
			continue
		}
		gaps = append(gaps, d.now.Sub(last))
		last = d.now
		v = d.judge(p, outcomeOf(outcome), d.now, false)
		if len(gaps) > 100 {
			t.Fatal("it is never dropped")
		}
	}
	if len(d.held) != 0 {
		t.Errorf("%d parts are held", len(d.held))
	}
	return gaps
}

func TestSuspectIsRetriedForMinutesAndDropped(t *testing.T) {
	for outcome, cause := range map[string]error{"bad": ErrRefused, "key": ErrRefused, "down": ErrRefused, "413": ErrTooLarge} {
		t.Run(outcome, func(t *testing.T) {
			d := drive(1)
			var atFault *part
			gaps := strikes(t, d, outcome, func() {
				if len(d.held) > 0 {
					atFault = d.held[0]
				}
			})
			tries, total := len(gaps), time.Duration(0)
			for i, gap := range gaps {
				last := i >= len(gaps)-maxTries // at once
				if last && gap > 0 || !last && i > 0 && gap < gaps[i-1] || gap > 5*time.Minute {
					t.Errorf("attempts after %v", gaps)
				}
				total += gap
			}
			if tries < maxStrikes || total < 4*time.Minute || total > time.Hour {
				t.Errorf("it is dropped after %d attempts, in %v", tries+1, total)
			}
			if !errors.Is(atFault.cause, cause) {
				t.Errorf("because of %v", atFault.cause)
			}
		})
	}
}

// The service is flaky if another part that had failed passes unchanged.
func TestStrikesCountLessIfTheServiceIsFlaky(t *testing.T) {
	d := drive(1)
	steady := len(strikes(t, d, "bad", func() {}))
	d = drive(1)
	flaky := len(strikes(t, d, "bad", func() {
		if d.passing() && len(d.held) == 1 { // another one fails once
			p := newPart(texts(`{}`))
			d.judge(p, outcomeOf("bad"), d.now, false)
			d.judge(p, outcomeOf("pass"), d.now, false)
		}
	}))
	if flaky < 3*steady {
		t.Errorf("an event is dropped after %d attempts, and after %d if the service is flaky", steady, flaky)
	}
}

// A flush sends suspects before they are due.
func TestEarlyAttemptIsNoStrike(t *testing.T) {
	d := drive(1)
	d.send("bad")
	d.send("pass")
	d.send("bad")
	p := d.held[0]
	before, due := p.strikes, p.due
	if before == 0 || !due.After(d.now) {
		t.Fatalf("%+v", p)
	}
	for range 100 {
		d.send("pass")
		if v := d.judge(p, outcomeOf("bad"), d.now, true); v != hold {
			t.Fatalf("verdict %d", v)
		}
	}
	if p.strikes != before || !p.due.Equal(due) || len(d.held) != 1 {
		t.Errorf("%+v", p)
	}
}

func TestByteLimitIsHalvedAndGrowsAgain(t *testing.T) {
	d := drive(8)
	p := newPart(texts(`{}`, `{}`, `{}`, `{}`))
	p.bytes = 800_000
	d.judge(p, outcomeOf("413"), d.now, false)
	if d.byteLimit != 400_000 {
		t.Fatalf("limit %d", d.byteLimit)
	}
	for _, want := range []int{800_000, 1 << 20, 1 << 20} {
		before := d.byteLimit
		for i := range growAfter {
			if d.byteLimit != before {
				t.Fatalf("limit %d after %d requests", d.byteLimit, i)
			}
			d.schedule.retryNext = nil
			d.judge(newPart(texts(`{}`)), outcomeOf("pass"), d.now, false)
		}
		if d.byteLimit != want {
			t.Errorf("limit %d, want %d", d.byteLimit, want)
		}
	}
	for _, c := range []struct {
		bytes   int
		outcome string
		want    int
	}{
		{3, "413", 2},       // as large as the last one that passed
		{2, "413", 2},       // one of that size passed: this one is not too large
		{1_000, "413", 500}, // larger ones may be
		{2, "slow", 1},      // the connection may have become slower
	} {
		p.bytes = c.bytes
		d.judge(p, outcomeOf(c.outcome), d.now, false)
		if d.byteLimit != c.want {
			t.Errorf("after %d bytes: limit %d", c.bytes, d.byteLimit)
		}
	}
}

// Both halves of an ambiguous part are ambiguous.
func TestPartIsAmbiguousIfItsEventsMayHaveArrived(t *testing.T) {
	for outcome, want := range map[string]bool{"down": true, "later": true, "bad": false, "key": false, "413": false, "slow": false} {
		d := drive(8)
		p := d.choose()
		d.judge(p, outcomeOf(outcome), d.now, false)
		first := d.divide(p, 3)
		if p.ambiguous != want || first.ambiguous != want || d.held[len(d.held)-1].ambiguous != want {
			t.Errorf("%s: %v, want %v", outcome, p.ambiguous, want)
		}
	}
}

func TestSuspectsAreCountedForTheFlushForWhichTheyWereSent(t *testing.T) {
	d := drive(1)
	suspects := func(flush uint32, want uint64, what string) {
		t.Helper()
		n, cause := d.suspects(flush, d.now)
		if n != want || (want > 0) != errors.Is(cause, ErrRefused) {
			t.Errorf("%s: %d, %v", what, n, cause)
		}
	}
	suspects(1, 0, "nothing")
	d.send("bad")
	suspects(1, 0, "failed once")
	d.send("pass")
	p := d.held[0]
	p.flush, p.sent, p.events[0].weight, p.events[0].epoch = 7, d.now, 1, 1
	d.send("bad")
	suspects(7, 1, "at fault")
	suspects(8, 1, "for a flush just after it was sent")
	d.now = d.now.Add(flushBackoff)
	suspects(8, 0, "for a later flush")
	suspects(0, 0, "for a flush that does not cover it")
}

func TestUntilDueIsOfTheNextHeldPart(t *testing.T) {
	d := drive(8)
	if pause := d.untilDue(d.now, 0, idle); pause != idle {
		t.Errorf("%v with nothing held", pause)
	}
	for _, after := range []time.Duration{-time.Second, 0, 5 * time.Second, 3 * time.Second} {
		p := newPart(texts(`{}`))
		p.due = d.now.Add(after)
		d.hold(p)
		d.hold(p)
	}
	if pause := d.untilDue(d.now, 0, idle); pause != 3*time.Second || len(d.held) != 4 {
		t.Errorf("%v, %d held", pause, len(d.held))
	}
	if pause := d.untilDue(d.now.Add(3*time.Second), 0, idle); pause != 2*time.Second {
		t.Errorf("%v after 3s", pause)
	}
}
