package launchdarkly

import (
	"math"
	"slices"
	"sync"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/open-feature/go-sdk/openfeature"
)

// recentContexts maps evaluation contexts, and knows those again that it mapped a moment ago: a request asks for several
// flags with one evaluation context and then tracks with it, and to build LaunchDarkly's context takes longer than to
// evaluate a flag. What comes out is always what the mapper would say. It is safe for concurrent use.
//
// It holds about one context for each processor, and none that the garbage collector has found unused twice.
type recentContexts struct {
	mapper contextMapper
	pool   sync.Pool // of *recentContext
}

// toLaunchDarkly maps one evaluation context into out. The attributes may be used by others at the same time. The rest is
// said at [contextMapper.toLaunchDarkly].
func (r *recentContexts) toLaunchDarkly(
	out *ldcontext.Context, targetingKey string, attributes map[string]any,
) (warnings []error, err error) {
	n := len(attributes)
	// OpenFeature's flattened contexts have the targeting key among the attributes. It is taken from there, unless it is
	// the attribute that holds the kind.
	key, beside := attributes[openfeature.TargetingKey].(string)
	if beside = beside && r.mapper.kindAttribute != openfeature.TargetingKey; beside {
		n--
		if targetingKey == "" {
			targetingKey = key
		}
	}
	recent, _ := r.pool.Get().(*recentContext)
	if recent == nil {
		recent = new(recentContext)
	}
	if n == len(recent.attributes) && recent.is(targetingKey, attributes) {
		*out = recent.context
	} else {
		recent.forget()
		recent.attributes = slices.Grow(recent.attributes, n)
		for name, v := range attributes {
			if !beside || name != openfeature.TargetingKey {
				recent.attributes = append(recent.attributes, attribute{name, v})
			}
		}
		warnings, err = r.mapper.toLaunchDarkly(out, targetingKey, recent.attributes)
		if warnings == nil && err == nil && recent.keepAttributes() {
			recent.targetingKey, recent.context = targetingKey, *out
		} else {
			recent.forget()
		}
	}
	r.pool.Put(recent)
	return warnings, err
}

// recentContext is a context and what it was made of. Only contexts without warnings are remembered, and only those whose
// attributes are plain values, or lists of strings such as privateAttributes, which are copied.
type recentContext struct {
	targetingKey string
	attributes   []attribute // without the targeting key
	context      ldcontext.Context
}

// is reports whether the context was made of this targeting key and these attributes. The caller has seen that there are
// as many of them, a targeting key among the attributes not counted.
func (r *recentContext) is(targetingKey string, attributes map[string]any) bool {
	if !r.context.IsDefined() || targetingKey != r.targetingKey {
		return false
	}
	for i := range r.attributes {
		v, ok := attributes[r.attributes[i].name]
		if !ok || !same(r.attributes[i].value, v) {
			return false
		}
	}
	return true
}

// keepAttributes makes the attributes such that nobody can change them, and reports whether it could.
func (r *recentContext) keepAttributes() bool {
	for i := range r.attributes {
		if v := r.attributes[i].value; !same(v, v) {
			return false
		}
	}
	for i := range r.attributes {
		if list, ok := r.attributes[i].value.([]string); ok {
			r.attributes[i].value = slices.Clone(list)
		}
	}
	return true
}

// forget keeps nothing but the room for attributes.
func (r *recentContext) forget() {
	clear(r.attributes)
	*r = recentContext{attributes: r.attributes[:0]}
}

// same reports whether two values of the commonest types are the same, in every bit. It is false for all others.
func same(a, b any) bool {
	switch a := a.(type) {
	case string:
		b, ok := b.(string)
		return ok && a == b
	case bool:
		b, ok := b.(bool)
		return ok && a == b
	case int:
		b, ok := b.(int)
		return ok && a == b
	case int64:
		b, ok := b.(int64)
		return ok && a == b
	case float64:
		b, ok := b.(float64)
		return ok && math.Float64bits(a) == math.Float64bits(b)
	case []string:
		b, ok := b.([]string)
		return ok && (a == nil) == (b == nil) && slices.Equal(a, b)
	default:
		return false
	}
}
