package launchdarkly

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/open-feature/go-sdk/openfeature"
)

// recentContexts converts evaluation contexts and caches the results, because a request usually
// evaluates several flags and tracks events with one evaluation context, and conversion takes
// longer than evaluation. It returns what the mapper would. It is safe for concurrent use.
//
// A context is cached when its key is used twice in a row, so that requests for different users
// only compare two keys. The cache holds about one context per processor, until two garbage
// collections find it unused.
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
	if recent.known && recent.targetingKey == targetingKey && len(recent.attributes) == n && recent.attributes.in(attributes) {
		*out = recent.context
	} else {
		warnings, err = r.mapper.toLaunchDarkly(out, targetingKey, attributes)
		if recent.known {
			recent.forget()
		}
		id := targetingKey
		if id == "" {
			id = out.FullyQualifiedKey()
		}
		if id != recent.id {
			recent.id = id
		} else if warnings == nil && err == nil {
			recent.remember(targetingKey, attributes, flattened, out)
		}
	}
	r.pool.Put(recent)
	return warnings, err
}

// recentContext is a context and a copy of the attributes from which it was converted. It holds
// only contexts without warnings whose attributes have the most common types.
type recentContext struct {
	id           string // the last context's targeting key, or else LaunchDarkly's qualified key
	known        bool   // the rest is set
	targetingKey string
	attributes   snapshot // without the targeting key
	context      ldcontext.Context
}

// remember caches a context and a copy of its attributes, unless an attribute has another type.
func (r *recentContext) remember(
	targetingKey string, attributes map[string]any, flattened bool, context *ldcontext.Context,
) {
	room := maxRemembered
	for name, v := range attributes {
		if flattened && name == openfeature.TargetingKey {
			continue
		}
		kept, ok := keep(v, &room)
		if !ok {
			r.forget()
			return
		}
		r.attributes = append(r.attributes, attribute{name, kept})
	}
	r.targetingKey, r.context, r.known = targetingKey, *context, true
}

// forget empties r, and keeps its memory for attributes.
func (r *recentContext) forget() {
	clear(r.attributes)
	*r = recentContext{attributes: r.attributes[:0]}
}

// maxRemembered bounds the number of values in a cached context, and so the time that comparing
// takes.
const maxRemembered = 4 * maxAttributes

// snapshot is a copy of a map.
type snapshot []attribute

// attribute is an attribute of an evaluation context, or a member of an object in one.
type attribute struct {
	name  string
	value any // as keep returns it
}

// in reports whether a map has everything that is in the snapshot.
func (s snapshot) in(m map[string]any) bool {
	for i := range s {
		v, ok := m[s[i].name]
		if !ok || !same(s[i].value, v) {
			return false
		}
	}
	return true
}

// keep returns a copy of a value of one of the most common types, for same. It returns false for
// all others, and if the value has more parts than there is room for.
func keep(v any, room *int) (kept any, ok bool) {
	if *room--; *room < 0 {
		return nil, false
	}
	switch v := v.(type) {
	case nil, string, bool, int, int64, float64, time.Time:
		return v, true
	case []string:
		*room -= len(v)
		return slices.Clone(v), *room >= 0
	case []any:
		list := slices.Clone(v)
		for i := range list {
			if list[i], ok = keep(list[i], room); !ok {
				return nil, false
			}
		}
		return list, true
	case map[string]any:
		if v == nil {
			return snapshot(nil), true
		}
		members := make(snapshot, 0, len(v))
		for name, member := range v {
			kept, ok := keep(member, room)
			if !ok {
				return nil, false
			}
			members = append(members, attribute{name, kept})
		}
		return members, true
	default:
		return nil, false
	}
}

// same reports whether a value is the same, in every bit, as the one that was kept.
func same(kept, v any) bool {
	switch kept := kept.(type) {
	case string:
		v, ok := v.(string)
		return ok && v == kept
	case bool:
		v, ok := v.(bool)
		return ok && v == kept
	case int:
		v, ok := v.(int)
		return ok && v == kept
	case int64:
		v, ok := v.(int64)
		return ok && v == kept
	case float64:
		v, ok := v.(float64)
		return ok && math.Float64bits(v) == math.Float64bits(kept)
	case time.Time:
		v, ok := v.(time.Time)
		return ok && v == kept //nolint:staticcheck // in every bit: the same clock reading
	case []string:
		v, ok := v.([]string)
		return ok && (v == nil) == (kept == nil) && slices.Equal(v, kept)
	case []any:
		v, ok := v.([]any)
		return ok && (v == nil) == (kept == nil) && slices.EqualFunc(kept, v, same)
	case snapshot:
		v, ok := v.(map[string]any)
		return ok && (v == nil) == (kept == nil) && len(v) == len(kept) && kept.in(v)
	default:
		return kept == nil && v == nil
	}
}
