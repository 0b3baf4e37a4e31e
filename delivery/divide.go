package delivery

import "slices"

// dividable reports whether the part may be divided although nothing passed since it failed. If its
// events may have arrived, dividing it may deliver them twice, so it is retried unchanged first.
func (p *part) dividable() bool {
	const patience = 10
	return len(p.events) > 1 && (!p.ambiguous || p.failures >= patience)
}

// divide replaces p with two parts, of its first n events and of the rest, and returns the first.
func (s *sender) divide(p *part, n int) *part {
	if p.ambiguous {
		s.ledger.repeat(len(p.events))
	}
	first, rest := s.store.divide(p, n)
	s.schedule.replace(p, first, rest)
	return first
}

// replace replaces p with the two parts that it was divided into, in place if it is held.
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
