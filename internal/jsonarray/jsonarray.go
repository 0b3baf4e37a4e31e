// Package jsonarray splits JSON arrays into their elements without parsing those.
package jsonarray

import "bytes"

// Split calls yield with each element of a JSON array, with the number of objects and arrays that
// the element consists of, itself included, and with that of the values in these arrays. It returns
// false where the text is not one valid JSON array (RFC 8259); yield is called for the elements
// before the error then. Elements are parts of the text.
//
// It checks what [encoding/json.Valid] does in the same pass, several times faster, and without a
// bound on nesting. It does not check that the text is UTF-8.
func Split(text []byte, yield func(element []byte, containers, values int)) bool {
	s := scanner{text: text}
	if s.space(); !s.skip('[') {
		return false
	}
	if s.space(); !s.skip(']') {
		for more := true; more; more = s.skip(',') {
			s.space()
			begin := s.at
			containers, values, ok := s.value()
			if !ok {
				return false
			}
			yield(text[begin:s.at], containers, values)
			s.space()
		}
		if !s.skip(']') {
			return false
		}
	}
	s.space()
	return s.at == len(text)
}

// scanner is a position in a text.
type scanner struct {
	text []byte
	at   int
}

// next returns the next byte, 0 at the end.
func (s *scanner) next() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

// skip moves past a byte if it is the next one.
func (s *scanner) skip(c byte) bool {
	if s.next() != c || s.at == len(s.text) {
		return false
	}
	s.at++
	return true
}

func (s *scanner) space() {
	for c := s.next(); c == ' ' || c == '\n' || c == '\t' || c == '\r'; c = s.next() {
		s.at++
	}
}

// value moves past a value. It does not recurse: a level of nesting takes a byte.
func (s *scanner) value() (containers, values int, ok bool) {
	var few [64]byte
	ends := few[:0] // of the objects and arrays around, the innermost last
	for {
		if c := s.next(); c == '{' || c == '[' {
			containers++
			s.at++
			s.space()
			end := c + 2 // in ASCII
			if !s.skip(end) {
				if ends = append(ends, end); end == '}' && !s.name() {
					return 0, 0, false
				}
				if end == ']' {
					values++
				}
				continue
			}
		} else if !s.scalar() {
			return 0, 0, false
		}
		for { // after a value
			if len(ends) == 0 {
				return containers, values, true
			}
			end := ends[len(ends)-1]
			if s.space(); s.skip(end) {
				ends = ends[:len(ends)-1]
				continue
			}
			if !s.skip(',') || end == '}' && !s.name() {
				return 0, 0, false
			}
			if end == ']' {
				values++
			}
			s.space()
			break
		}
	}
}

// name moves past the name of an object's member, to its value.
func (s *scanner) name() bool {
	if s.space(); !s.string() {
		return false
	}
	if s.space(); !s.skip(':') {
		return false
	}
	s.space()
	return true
}

// scalar moves past a value that is no object or array.
func (s *scanner) scalar() bool {
	switch s.next() {
	case '"':
		return s.string()
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		return s.number()
	}
}

func (s *scanner) literal(word string) bool {
	if !bytes.HasPrefix(s.text[s.at:], []byte(word)) {
		return false
	}
	s.at += len(word)
	return true
}

func (s *scanner) number() bool {
	s.skip('-')
	if !s.skip('0') && !s.digits() {
		return false
	}
	if s.skip('.') && !s.digits() {
		return false
	}
	if s.skip('e') || s.skip('E') {
		_ = s.skip('+') || s.skip('-')
		return s.digits()
	}
	return true
}

func (s *scanner) digits() bool {
	begin := s.at
	for c := s.next(); c >= '0' && c <= '9'; c = s.next() {
		s.at++
	}
	return s.at > begin
}

func (s *scanner) string() bool {
	if !s.skip('"') {
		return false
	}
	for i, c := range s.text[s.at:] {
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		s.at += i
		return s.skip('"') || s.escaped()
	}
	return false
}

// escaped moves past the rest of a string, from an escape sequence.
func (s *scanner) escaped() bool {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return true
		case c < ' ':
			return false
		case c == '\\':
			s.at++
			hex := 0
			switch s.next() {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				hex = 4
			default:
				return false
			}
			for range hex {
				s.at++
				if c := s.next(); (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
					return false
				}
			}
		}
		s.at++
	}
	return false
}
