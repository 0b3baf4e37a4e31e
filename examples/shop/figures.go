package main

import (
	"fmt"
	"math"
	"time"
)

// event is a tracked event as received by LaunchDarkly.
type event struct {
	Name     string
	Visitor  string
	Time     time.Time
	Value    float64
	HasValue bool
	Data     map[string]any
}

// The names of evaluation events and their attributes are those of OpenTelemetry's semantic
// conventions.
const (
	exposureEvent = "feature_flag.evaluation"
	exposedFlag   = "feature_flag.key"
	exposedValue  = "feature_flag.result.value"
)

// exposure reports whether the event is an exposure to a checkout page, and whether to the new one.
func (e event) exposure() (isNew, ok bool) {
	if e.Name != exposureEvent || e.Data[exposedFlag] != newCheckoutFlag {
		return false, false
	}
	isNew, ok = e.Data[exposedValue].(bool)
	return isNew, ok
}

// purchase reports whether the event is a purchase, and returns its revenue.
func (e event) purchase() (revenue cents, ok bool) {
	if e.Name != checkoutEvent || !e.HasValue {
		return 0, false
	}
	return cents(math.Round(e.Value * 100)), true
}

// arm is one arm of the experiment.
type arm struct {
	Visitors    int // who have seen this arm's checkout
	Conversions int // visitors who have bought
	Revenue     cents
}

// rate returns the share of visitors who have bought.
func (a arm) rate() float64 {
	if a.Visitors == 0 {
		return 0
	}
	return float64(a.Conversions) / float64(a.Visitors)
}

// figures computes the experiment's results from received events, in any order. The zero value is
// ready to use. It is not safe for concurrent use.
type figures struct {
	classic, express arm
	visitors         map[string]*journey
}

// journey is the state of one visitor.
type journey struct {
	arm     *arm // nil until the exposure is received
	bought  bool
	revenue cents
}

// add adds an event and returns the arm of its visitor. It returns nil if the arm is not known yet
// or the event is not part of the experiment.
func (f *figures) add(e event) *arm {
	isNew, exposed := e.exposure()
	revenue, bought := e.purchase()
	if e.Visitor == "" || !exposed && !bought {
		return nil
	}
	if f.visitors == nil {
		f.visitors = map[string]*journey{}
	}
	j := f.visitors[e.Visitor]
	if j == nil {
		j = &journey{}
		f.visitors[e.Visitor] = j
	}
	if exposed {
		if j.arm == nil {
			j.arm = &f.classic
			if isNew {
				j.arm = &f.express
			}
			j.arm.Visitors++
			if j.bought {
				j.arm.Conversions++
			}
			j.arm.Revenue += j.revenue // of purchases received before the exposure
		}
		return j.arm
	}
	if j.arm == nil {
		j.revenue += revenue
	} else {
		if !j.bought {
			j.arm.Conversions++
		}
		j.arm.Revenue += revenue
	}
	j.bought = true
	return j.arm
}

// scale returns the end of the axis of both arms' bars: a round number that is not less than the
// larger arm.
func (f *figures) scale() int {
	most := max(f.classic.Visitors, f.express.Visitors)
	for power := 10; power <= math.MaxInt32/10; power *= 10 {
		for _, tenths := range []int{20, 25, 30, 40, 50, 60, 80, 100, 120, 150} {
			if end := tenths * power / 10; end >= most {
				return end
			}
		}
	}
	return most
}

// minVisitors is the number of visitors in each arm from which on a comparison is meaningful.
const minVisitors = 30

// verdict compares the arms by the difference of their conversion rates and its 95% confidence
// interval, by the normal approximation. LaunchDarkly's analysis is more precise.
func (f *figures) verdict() string {
	a, b := f.classic, f.express
	if a.Visitors < minVisitors || b.Visitors < minVisitors {
		return "Too few visitors yet to compare the two."
	}
	difference := b.rate() - a.rate()
	margin := 1.96 * math.Sqrt(a.rate()*(1-a.rate())/float64(a.Visitors)+b.rate()*(1-b.rate())/float64(b.Visitors))
	interval := fmt.Sprintf("%s percentage points, 95%% interval %s to %s",
		points(difference), points(difference-margin), points(difference+margin))
	switch {
	case difference-margin > 0:
		return "The new checkout is ahead: " + interval + "."
	case difference+margin < 0:
		return "The classic checkout is ahead: " + interval + "."
	default:
		return "No clear difference yet: " + interval + "."
	}
}

// points formats a difference of rates with its sign.
func points(difference float64) string {
	p := math.Round(difference*1000) / 10
	if p < 0 {
		return fmt.Sprintf("−%.1f", -p)
	}
	return fmt.Sprintf("+%.1f", max(p, 0))
}
