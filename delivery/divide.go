package delivery

import "slices"

// division is why a part is divided.
type division int

const (
	byPace  division = iota // it has more events than may be sent, or one of them is to be tried alone
	bySize                  // it was too large
	byGuilt                 // it failed again after something else passed
)

// dividable reports whether a part may be divided without contrast. Where its events may have
// arrived, they would do so twice, so that it takes some patience first.
func (p *part) dividable() bool {
	const patience = 10
	return len(p.events) > 1 && (!p.ambiguous || p.failures >= patience)
}

// divide replaces a part by two, and returns the first.
func (s *sender) divide(p *part, n int, why division) *part {
	if p.ambiguous {
		s.ledger.repeat(len(p.events))
	}
	first, rest := s.store.divide(p, n)
	s.schedule.replace(p, first, rest, why)
	return first
}

// replace puts the two halves of a part that was divided in its place. They share its guilt. Where
// it was too large, the first half is next, so that events stay in order.
func (s *schedule) replace(p, first, rest *part, why division) {
	first.suspect = p.suspect || why == byGuilt
	rest.suspect = first.suspect
	if why == bySize {
		s.again = first
	}
	for _, half := range []*part{first, rest} {
		half.failedAt, half.failures, half.ambiguous = p.failedAt, p.failures, p.ambiguous
	}
	i := slices.Index(s.held, p)
	if i < 0 {
		s.held = append(s.held, first, rest)
		return
	}
	s.held = slices.Replace(s.held, i, i+1, first, rest)
}
