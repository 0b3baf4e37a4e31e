package hooks

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/open-feature/go-sdk/openfeature"
)

// Bounds for failures whose finally stage has not run yet. The stages follow each other at once, so
// there are only as many as evaluations fail at the same moment. The bounds are for those whose
// finally stage never comes, because another hook panicked.
const (
	maxFailures    = 1024
	maxFailureTime = time.Minute
)

// failures carries the error of an evaluation from the error stage to the finally stage.
//
// OpenFeature's Go SDK (v1.20.0) passes the error to the error stage only. The details of the
// finally stage repeat it if the provider or the SDK failed. If a before or after hook failed, they
// do not: they hold no reason, or what the provider resolved although the caller gets the default.
//
// The SDK has no per-evaluation state for hooks, so both stages compute the same key from what they
// are given. Two evaluations have the same key only if they have the same [context.Context], flag,
// client domain, provider and context key. If two such evaluations run at the same time and
// another hook fails only one of them, the error may be reported with the other one.
//
// The zero value is ready for use, except that seed must be set.
type failures struct {
	seed  maphash.Seed
	count atomic.Int32 // len(waiting), so that the finally stage needs no lock while it is 0

	mu      sync.Mutex
	waiting *simplelru.LRU[evaluationKey, failure]
}

// evaluationKey identifies an evaluation. It holds the context.Context itself so that its address
// is not reused while the key exists.
type evaluationKey struct {
	ctx  context.Context
	hash uint64
}

type failure struct {
	err    error
	since  time.Time
	stages int // error stages without a finally stage: two if the hook is registered twice
}

// keyOf returns the key of an evaluation. It leaves out a context.Context that is not comparable.
func (f *failures) keyOf(ctx context.Context, hookContext *openfeature.HookContext) evaluationKey {
	var h maphash.Hash
	h.SetSeed(f.seed)
	writeString(&h, hookContext.FlagKey())
	writeString(&h, hookContext.ProviderMetadata().Name)
	writeString(&h, hookContext.ClientMetadata().Domain())
	writeContext(&h, f.seed, nil, hookContext.EvaluationContext())
	key := evaluationKey{hash: h.Sum64()}
	if equal(ctx, ctx) {
		key.ctx = ctx
	}
	return key
}

// equal reports whether a and b are equal, and false if they are not comparable.
func equal(a, b context.Context) (ok bool) {
	defer func() { _ = recover() }()
	return a == b
}

// put keeps the error of an evaluation until take. It reports false if an earlier error was
// discarded to make room.
func (f *failures) put(ctx context.Context, hookContext *openfeature.HookContext, err error) bool {
	key := f.keyOf(ctx, hookContext)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.waiting == nil {
		waiting, lruErr := simplelru.NewLRU[evaluationKey, failure](maxFailures, nil)
		if lruErr != nil { // only for a size that is not positive
			return false
		}
		f.waiting = waiting
	}
	entry, _ := f.waiting.Peek(key)
	entry.err, entry.since = err, time.Now()
	entry.stages++
	evicted := f.waiting.Add(key, entry)
	f.count.Store(int32(f.waiting.Len()))
	return !evicted
}

// take returns the error of an evaluation and forgets it; it is nil if there is none. It costs one
// atomic load while no evaluation is failing. It reports false if an earlier error did not reach
// its finally stage.
func (f *failures) take(ctx context.Context, hookContext *openfeature.HookContext) (error, bool) {
	if f.count.Load() == 0 {
		return nil, true
	}
	key := f.keyOf(ctx, hookContext)
	f.mu.Lock()
	defer f.mu.Unlock()
	entry, ok := f.waiting.Peek(key)
	if !ok {
		return nil, !f.discardOverdue()
	}
	if entry.stages--; entry.stages > 0 {
		f.waiting.Add(key, entry)
	} else {
		f.waiting.Remove(key)
	}
	f.count.Store(int32(f.waiting.Len()))
	return entry.err, true
}

// discardOverdue removes the oldest failure if its finally stage is overdue, and reports whether it
// did. Otherwise one overdue failure would make every evaluation take the lock forever.
func (f *failures) discardOverdue() bool {
	_, oldest, ok := f.waiting.GetOldest()
	if !ok || time.Since(oldest.since) <= maxFailureTime {
		return false
	}
	f.waiting.RemoveOldest()
	f.count.Store(int32(f.waiting.Len()))
	return true
}
