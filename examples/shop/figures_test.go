package main

import (
	"strings"
	"testing"
)

func saw(visitor string, isNew bool) event {
	return event{Name: exposureEvent, Visitor: visitor, Data: map[string]any{exposedFlag: newCheckoutFlag, exposedValue: isNew}}
}

func bought(visitor string, euros float64) event {
	return event{Name: checkoutEvent, Visitor: visitor, Value: euros, HasValue: true}
}

func TestFigures(t *testing.T) {
	for name, test := range map[string]struct {
		events       []event
		classic, new arm
	}{
		"nothing": {},
		"a visitor who looks": {
			events:  []event{saw("a", false)},
			classic: arm{Visitors: 1},
		},
		"a visitor who buys": {
			events: []event{saw("a", true), bought("a", 19.99)},
			new:    arm{Visitors: 1, Conversions: 1, Revenue: 19_99},
		},
		"a visitor who buys twice converts once": {
			events: []event{saw("a", true), bought("a", 20), bought("a", 0.1)},
			new:    arm{Visitors: 1, Conversions: 1, Revenue: 20_10},
		},
		"a visitor who is reported twice is one": {
			events:  []event{saw("a", false), saw("a", false)},
			classic: arm{Visitors: 1},
		},
		"the first exposure determines the arm": {
			events:  []event{saw("a", false), saw("a", true), bought("a", 5)},
			classic: arm{Visitors: 1, Conversions: 1, Revenue: 5_00},
		},
		"purchases that arrive before the exposure": {
			events:  []event{bought("a", 5), bought("a", 6), saw("a", false), bought("a", 7)},
			classic: arm{Visitors: 1, Conversions: 1, Revenue: 18_00},
		},
		"purchases of visitors who saw neither": {
			events: []event{bought("a", 5)},
		},
		"both sides": {
			events:  []event{saw("a", false), saw("b", true), bought("b", 5), saw("c", true), bought("a", 1)},
			classic: arm{Visitors: 1, Conversions: 1, Revenue: 1_00},
			new:     arm{Visitors: 2, Conversions: 1, Revenue: 5_00},
		},
		"unrelated events are ignored": {
			events: []event{
				{Name: "search", Visitor: "a"},
				{Name: checkoutEvent, Visitor: "a"}, // without a value
				{Name: exposureEvent, Visitor: "a", Data: map[string]any{exposedFlag: "other", exposedValue: true}},
				{Name: exposureEvent, Visitor: "a", Data: map[string]any{exposedFlag: newCheckoutFlag, exposedValue: "yes"}},
				saw("", true),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var f figures
			for _, e := range test.events {
				f.add(e)
			}
			if f.classic != test.classic || f.express != test.new {
				t.Errorf("classic %+v, want %+v; new %+v, want %+v", f.classic, test.classic, f.express, test.new)
			}
		})
	}
}

func TestScale(t *testing.T) {
	for most, want := range map[int]int{
		0: 20, 20: 20, 21: 25, 96: 100, 100: 100, 101: 120, 151: 200, 199: 200, 1501: 2000, 123_456: 150_000,
	} {
		f := figures{classic: arm{Visitors: most}, express: arm{Visitors: most / 2}}
		if got := f.scale(); got != want {
			t.Errorf("the scale for %d is %d, want %d", most, got, want)
		}
	}
}

func TestVerdict(t *testing.T) {
	for name, test := range map[string]struct {
		classic, new arm
		want         string
	}{
		"few":    {arm{Visitors: 29, Conversions: 1}, arm{Visitors: 300, Conversions: 200}, "Too few visitors yet"},
		"none":   {arm{Visitors: 100, Conversions: 40}, arm{Visitors: 100, Conversions: 40}, "No clear difference yet: +0.0 "},
		"slight": {arm{Visitors: 100, Conversions: 40}, arm{Visitors: 100, Conversions: 45}, "No clear difference yet: +5.0 "},
		"new": {
			arm{Visitors: 100, Conversions: 30}, arm{Visitors: 100, Conversions: 55},
			"The new checkout is ahead: +25.0 percentage points, 95% interval +11.7 to +38.3.",
		},
		"classic": {arm{Visitors: 100, Conversions: 55}, arm{Visitors: 100, Conversions: 30}, "The classic checkout is ahead: −25.0 "},
	} {
		t.Run(name, func(t *testing.T) {
			f := figures{classic: test.classic, express: test.new}
			if got := f.verdict(); !strings.HasPrefix(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := count(n); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := grouped(cents(1234_05).String()); got != "€1,234.05" {
		t.Errorf("%q", got)
	}
}

func TestCart(t *testing.T) {
	c := cart{}
	if !c.change("mug", 2) || !c.change("bowl", 1) || c.change("piano", 1) {
		t.Error("adding a product fails")
	}
	if got := parseCart(c.encode()); got.Total() != 80_00 || got.Count() != 3 || len(got.Lines()) != 2 {
		t.Errorf("%v", got)
	}
	c.change("mug", -5)
	c.change("bowl", 100)
	if got := c.encode(); got != "bowl=9" {
		t.Errorf("%q", got)
	}
	for _, text := range []string{"", "%", "mug=x", "mug=-3", "piano=3", "mug=0", "mug=99999999999999999999"} {
		if got := parseCart(text); got.Count() != 0 {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}
