package delivery

import "slices"

// dividable reports whether a part may be divided without contrast. Where its events may have
// arrived, they would do so twice, so that it takes some patience first.
func (p *part) dividable() bool {
	const patience = 10
	return len(p.events) > 1 && (!p.ambiguous || p.failures >= patience)
}

// divide replaces a part by two, and returns the first.
func (s *sender) divide(p *part, n int) *part {
	if p.ambiguous {
		s.ledger.repeat(len(p.events))
	}
	first, rest := s.store.divide(p, n)
	s.schedule.replace(p, first, rest)
	return first
}

// replace puts the two halves of a part that was divided in its place.
func (s *schedule) replace(p, first, rest *part) {
	for _, half := range []*part{first, rest} {
		half.failedAt, half.suspect, half.ambiguous = p.failedAt, p.suspect, p.ambiguous
	}
	if i := slices.Index(s.held, p); i >= 0 {
		s.held = slices.Replace(s.held, i, i+1, first, rest)
	} else {
		s.held = append(s.held, first, rest)
	}
}
