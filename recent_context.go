package launchdarkly

import (
	"math"
	"slices"
	"sync"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/open-feature/go-sdk/openfeature"
)

// recentContexts converts evaluation contexts, and caches the result: a request evaluates several
// flags for one evaluation context and then tracks with it, and converting it takes longer than
// evaluating a flag. The result is always that of the mapper. It is safe for concurrent use.
//
// A context is cached when its targeting key comes a second time in a row, so that requests for
// another user each time only pay for comparing two keys. The cache holds about one context for
// each processor, and none that the garbage collector has found unused twice.
type recentContexts struct {
	mapper contextMapper
	pool   sync.Pool // of *recentContext
}

// toLaunchDarkly converts an evaluation context into *out, as [contextMapper.toLaunchDarkly] does.
// flattened is set where the targeting key is also among the attributes, as in OpenFeature's
// flattened contexts.
func (r *recentContexts) toLaunchDarkly(
	out *ldcontext.Context, targetingKey string, flattened bool, attributes map[string]any,
) (warnings []error, err error) {
	n := len(attributes)
	if flattened {
		if r.mapper.kindAttribute == openfeature.TargetingKey { // then it is none
			targetingKey, flattened = "", false
		} else {
			n--
		}
	}
	recent, _ := r.pool.Get().(*recentContext)
	if recent == nil {
		recent = new(recentContext)
	}
	again := recent.targetingKey == targetingKey
	if again && recent.known && n == len(recent.attributes) && recent.is(attributes) {
		*out = recent.context
	} else {
		warnings, err = r.mapper.toLaunchDarkly(out, targetingKey, attributes)
		if recent.known {
			recent.forget()
		}
		recent.targetingKey = targetingKey
		if again && warnings == nil && err == nil {
			recent.remember(attributes, flattened, out)
		}
	}
	r.pool.Put(recent)
	return warnings, err
}

// recentContext is a context and what it was made of. It only holds contexts without warnings whose
// attributes are plain values, or lists of strings such as privateAttributes, which are copied.
type recentContext struct {
	targetingKey string
	known        bool        // the rest is set
	attributes   []attribute // without the targeting key
	context      ldcontext.Context
}

// attribute is an attribute of an evaluation context.
type attribute struct {
	name  string
	value any
}

// is reports whether the context was made of these attributes. The caller has compared the
// targeting keys and the numbers of attributes, and that the context is known.
func (r *recentContext) is(attributes map[string]any) bool {
	for i := range r.attributes {
		v, ok := attributes[r.attributes[i].name]
		if !ok || !same(r.attributes[i].value, v) {
			return false
		}
	}
	return true
}

// remember keeps a context and the attributes that it was made of, unless somebody could change
// those.
func (r *recentContext) remember(attributes map[string]any, flattened bool, context *ldcontext.Context) {
	for name, v := range attributes {
		if flattened && name == openfeature.TargetingKey {
			continue
		}
		if list, ok := v.([]string); ok {
			v = slices.Clone(list)
		}
		if !same(v, v) {
			r.forget()
			return
		}
		r.attributes = append(r.attributes, attribute{name, v})
	}
	r.context, r.known = *context, true
}

// forget keeps the targeting key, and the room for attributes.
func (r *recentContext) forget() {
	clear(r.attributes)
	*r = recentContext{targetingKey: r.targetingKey, attributes: r.attributes[:0]}
}

// same reports whether two values of the commonest types are the same, in every bit. It is false
// for all others.
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
