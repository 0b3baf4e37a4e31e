package hooks

import (
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/open-feature/go-sdk/openfeature"
)

// Bounds of the errors that wait for their finally stage. The stages follow each
// other at once, so only as many wait as evaluations fail at the same moment;
// the bounds are for those whose finally stage never comes, because another
// hook panicked or whoever runs the hooks gives each stage another context.
const (
	maxPending     = 1024
	maxPendingTime = time.Minute
)

// pendingErrors carries an error from the error stage of an evaluation to its
// finally stage, whose details do not mention it when another hook was at fault.
//
// OpenFeature gives hooks nothing to keep per-evaluation state in, and one hook
// serves many evaluations at once. What both stages see, and no other evaluation
// does, is the merged evaluation context's map: the SDK makes a new one each
// time. Its address is the key, and each entry holds on to the map, so that the
// address cannot be used again while the entry exists.
//
// The zero value is ready to use.
type pendingErrors struct {
	count atomic.Int32 // of entries; lets the finally stage pass without a lock

	mu      sync.Mutex
	entries *simplelru.LRU[uintptr, pendingError]
}

type pendingError struct {
	err     error
	since   time.Time
	stages  int // error stages seen: a hook that is registered twice has two
	evalCtx openfeature.EvaluationContext
}

// remember keeps err for the evaluation with this context.
func (p *pendingErrors) remember(evalCtx openfeature.EvaluationContext, err error) {
	key := identity(evalCtx)
	if key == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.entries == nil {
		entries, lruErr := simplelru.NewLRU[uintptr, pendingError](maxPending, nil)
		if lruErr != nil { // only for a size that is not positive
			return
		}
		p.entries = entries
	}
	entry, _ := p.entries.Peek(key)
	entry.err, entry.evalCtx, entry.since = err, evalCtx, time.Now()
	entry.stages++
	p.entries.Add(key, entry)
	p.count.Store(int32(p.entries.Len()))
}

// take returns the error of the evaluation with this context, or nil. It costs
// one atomic load while no evaluation is failing.
func (p *pendingErrors) take(evalCtx openfeature.EvaluationContext) error {
	if p.count.Load() == 0 {
		return nil
	}
	key := identity(evalCtx)
	p.mu.Lock()
	defer p.mu.Unlock()
	entry, ok := p.entries.Peek(key)
	if !ok {
		p.forgetLost()
		return nil
	}
	if entry.stages--; entry.stages > 0 {
		p.entries.Add(key, entry)
	} else {
		p.entries.Remove(key)
	}
	p.count.Store(int32(p.entries.Len()))
	return entry.err
}

// forgetLost removes the oldest entry if nobody will come for it. Otherwise one
// lost entry would make every evaluation take the lock for ever.
func (p *pendingErrors) forgetLost() {
	if _, oldest, ok := p.entries.GetOldest(); ok && time.Since(oldest.since) > maxPendingTime {
		p.entries.RemoveOldest()
		p.count.Store(int32(p.entries.Len()))
	}
}

// identity is the address of the context's attribute map, 0 if it has none. The
// field is not exported, and its name is not relied on: it is the only map. If
// that ever changes, errors of other hooks lose their message, and no more.
func identity(evalCtx openfeature.EvaluationContext) uintptr {
	v := reflect.ValueOf(evalCtx)
	for _, field := range v.Fields() {
		if field.Kind() == reflect.Map {
			return field.Pointer()
		}
	}
	return 0
}

// reportedByDetails recognizes the errors that the finally stage's details
// repeat: those that the SDK passes on from itself, and those of a provider.
// They are the frequent ones and need not be remembered. An error that is not
// recognized is remembered for nothing, which does no harm.
func reportedByDetails(err error) bool {
	if _, ok := err.(openfeature.ResolutionError); ok { //nolint:errorlint // a wrapped one is another hook's
		return true
	}
	return strings.HasPrefix(err.Error(), "error code: ")
}
