package delivery

import (
	"bytes"
	"encoding/json"
	"slices"
)

// summary is the content of a summary event. Each formatted batch has one. They are merged until a
// request is sent, so that there are as few as with LaunchDarkly's own event processor.
type summary struct {
	Kind      string                 `json:"kind"`
	StartDate float64                `json:"startDate"`
	EndDate   float64                `json:"endDate"`
	Features  map[string]flagSummary `json:"features"`
}

type flagSummary struct {
	Default      json.RawMessage `json:"default"`
	Counters     []counter       `json:"counters"`
	ContextKinds []string        `json:"contextKinds"`
}

type counter struct {
	Variation *int            `json:"variation,omitempty"`
	Version   *int            `json:"version,omitempty"`
	Unknown   bool            `json:"unknown,omitempty"`
	Value     json.RawMessage `json:"value"`
	Count     int             `json:"count"`
}

// parseSummary decodes a summary. It returns false if the summary has unknown fields or no
// features, so that it must not be merged.
func parseSummary(text []byte) (s summary, ok bool) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return s, decoder.Decode(&s) == nil && s.Features != nil
}

// merge adds the counts of a later summary, as if the SDK had counted all evaluations in one. It
// returns whether s has new entries, which make its JSON larger.
func (s *summary) merge(later summary) (grown bool) {
	s.StartDate = min(s.StartDate, later.StartDate)
	s.EndDate = max(s.EndDate, later.EndDate)
	for key, added := range later.Features {
		flag, ok := s.Features[key]
		if !ok {
			s.Features[key], grown = added, true
			continue
		}
		for _, c := range added.Counters {
			if i := slices.IndexFunc(flag.Counters, c.sameAs); i >= 0 {
				flag.Counters[i].Count += c.Count
			} else {
				flag.Counters, grown = append(flag.Counters, c), true
			}
		}
		for _, kind := range added.ContextKinds {
			if !slices.Contains(flag.ContextKinds, kind) {
				flag.ContextKinds, grown = append(flag.ContextKinds, kind), true
			}
		}
		s.Features[key] = flag
	}
	return grown
}

// mergeSummaries returns the events with all summaries merged into the first. A request from a
// spool can have several.
func mergeSummaries(events []event) []event {
	var first int // the index of the merged summary
	var all summary
	var merged []event
	for i := range events {
		if events[i].kind != kindSummary {
			if merged != nil {
				merged = append(merged, events[i])
			}
			continue
		}
		content, ok := parseSummary(events[i].json)
		switch {
		case !ok:
			return events
		case merged == nil:
			first, all = i, content
			merged = append(make([]event, 0, len(events)), events[:i+1]...)
		default:
			all.merge(content)
		}
	}
	if len(merged) == 0 || len(merged) == len(events) {
		return events
	}
	merged[first].json = all.text()
	return merged
}

// sameAs reports whether both counters are of the same variation and version.
func (c counter) sameAs(d counter) bool {
	same := func(x, y *int) bool { return x == y || x != nil && y != nil && *x == *y }
	return same(c.Variation, d.Variation) && same(c.Version, d.Version) && c.Unknown == d.Unknown
}

// text returns the JSON of the summary.
func (s *summary) text() []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(s) != nil { // impossible: s was decoded from JSON
		return nil
	}
	return clone(bytes.TrimSpace(text.Bytes()))
}
