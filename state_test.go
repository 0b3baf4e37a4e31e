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
		t.Run(name, func(t *testing.T) {
			for read, want := range map[bool][]openfeature.Event{true: test.want, false: test.wantUnread} {
				var s stateTracker
				s.setKnown(test.told)
				var got []openfeature.EventType
				take := func() {
					if event := s.pending; event != nil {
						got = append(got, event.EventType)
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
				var wanted []openfeature.EventType
				for _, event := range want {
					wanted = append(wanted, event.EventType)
				}
				if !slices.Equal(got, wanted) {
					t.Errorf("read at once: %v; got %v, want %v", read, got, wanted)
				}
			}
		})
	}
}
