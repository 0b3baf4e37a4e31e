package launchdarkly

import (
	"slices"
	"testing"

	"github.com/open-feature/go-sdk/openfeature"
)

func TestStateTracker(t *testing.T) {
	ready := openfeature.Event{EventType: openfeature.ProviderReady}
	stale := openfeature.Event{EventType: openfeature.ProviderStale}
	failed := openfeature.Event{EventType: openfeature.ProviderError}
	fatal := openfeature.Event{EventType: openfeature.ProviderError,
		ProviderEventDetails: openfeature.ProviderEventDetails{ErrorCode: openfeature.ProviderFatalCode}}
	nothing := openfeature.Event{}

	for name, test := range map[string]struct {
		told        openfeature.Event // by the initialization
		transitions []openfeature.Event
		want        []openfeature.Event // when each is read before the next comes
		wantUnread  []openfeature.Event // when nobody reads before the end
	}{
		"before initialization":     {nothing, []openfeature.Event{ready, stale}, nil, nil},
		"the same again":            {ready, []openfeature.Event{ready, ready}, nil, nil},
		"nothing new":               {ready, []openfeature.Event{nothing}, nil, nil},
		"stale once":                {ready, []openfeature.Event{stale, stale}, []openfeature.Event{stale}, []openfeature.Event{stale}},
		"stale and back":            {ready, []openfeature.Event{stale, ready}, []openfeature.Event{stale, ready}, nil},
		"late connection":           {failed, []openfeature.Event{ready}, []openfeature.Event{ready}, []openfeature.Event{ready}},
		"late refusal":              {failed, []openfeature.Event{fatal, fatal}, []openfeature.Event{fatal}, []openfeature.Event{fatal}},
		"the last of several holds": {ready, []openfeature.Event{stale, ready, stale, failed}, []openfeature.Event{stale, ready, stale, failed}, []openfeature.Event{failed}},
	} {
		check := func(t *testing.T, read bool, want []openfeature.Event) {
			t.Helper()
			var s stateTracker
			s.setKnown(test.told)
			var got []openfeature.Event
			take := func() {
				if event := s.pending; event != nil {
					got = append(got, *event)
					s.sent()
				}
			}
			for _, transition := range test.transitions {
				s.transition(transition)
				if read {
					take()
				}
			}
			take()
			take()
			if !slices.EqualFunc(got, want, func(a, b openfeature.Event) bool { return a.EventType == b.EventType }) {
				t.Errorf("got %v, want %v", got, want)
			}
		}
		t.Run(name+", each event read at once", func(t *testing.T) { check(t, true, test.want) })
		t.Run(name+", events read at the end", func(t *testing.T) { check(t, false, test.wantUnread) })
	}
}
