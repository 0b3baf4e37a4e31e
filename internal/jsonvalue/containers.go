package jsonvalue

import (
	"reflect"
	"slices"
)

// container identifies a map, slice or pointer.
type container struct {
	of      reflect.Type // a struct and its first field have the same address
	pointer uintptr
	length  int // of a slice, which may share its first element with a shorter one
}

// containers are the maps, slices and pointers around a value: it is in a cycle if it is one of
// them. A few of them take no allocation.
type containers struct {
	n    int
	few  [4]container
	more []container
}

// push adds a container. It returns false, and adds nothing, if it is there already.
func (s *containers) push(added container) bool {
	if slices.Contains(s.few[:min(s.n, len(s.few))], added) || slices.Contains(s.more, added) {
		return false
	}
	if s.n < len(s.few) {
		s.few[s.n] = added
	} else {
		s.more = append(s.more, added)
	}
	s.n++
	return true
}

// truncate removes all containers but the first n.
func (s *containers) truncate(n int) {
	s.n = n
	s.more = s.more[:max(0, n-len(s.few))]
}
