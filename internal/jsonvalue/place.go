package jsonvalue

import "reflect"

// place is where a value is: in which arrays and objects, and behind which pointers. It is linked
// to the places around it, all of which are on the stack.
type place struct {
	depth  int // number of the arrays and objects around the value
	hops   int // number of pointers between the innermost of those and the value
	around *place

	// The map, slice or pointer that holds the value. A struct or an array has none of its own, and
	// is in no cycle without one of those.
	of      reflect.Type // a pointer to a struct and one to its first field are equal
	pointer uintptr      // 0 if there is none
	length  int          // of a slice, which may share its first element with a shorter one
}

// inside returns the place of the parts of v, which is at p, and an array or an object in JSON.
func (p *place) inside(v reflect.Value) place {
	in := place{depth: p.depth + 1, around: p}
	switch v.Kind() {
	case reflect.Map:
		in.of, in.pointer = v.Type(), v.Pointer()
	case reflect.Slice:
		if in.length = v.Len(); in.length > 0 {
			in.of, in.pointer = v.Type(), v.Pointer()
		}
	}
	return in
}

// behind returns the place of what v, a pointer at p, points to.
func (p *place) behind(v reflect.Value) place {
	return place{depth: p.depth, hops: p.hops + 1, around: p, of: v.Type(), pointer: v.Pointer()}
}

// again reports whether the map, slice or pointer is also among those around it: it is in a cycle.
func (p *place) again() bool {
	if p.pointer == 0 {
		return false
	}
	for q := p.around; q != nil; q = q.around {
		if q.pointer == p.pointer && q.of == p.of && q.length == p.length {
			return true
		}
	}
	return false
}
