package jsonvalue

import "reflect"

// place is where a value is: in which arrays and objects, and behind which pointers. The places
// around it are on the stack.
type place struct {
	depth  int // number of the arrays and objects around the value
	hops   int // number of the pointers since
	around *place

	// What the value is directly in, unless it can't be in a cycle.
	of      reflect.Type // a struct and its first field have the same address
	pointer uintptr
	length  int // of a slice, which may share its first element with a shorter one
}

// inside returns the place of what is in v, which is at p and an array or an object in JSON.
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

// behind returns the place of what the pointer v, which is at p, points to.
func (p *place) behind(v reflect.Value) place {
	return place{depth: p.depth, hops: p.hops + 1, around: p, of: v.Type(), pointer: v.Pointer()}
}

// again reports whether the place is inside itself.
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
