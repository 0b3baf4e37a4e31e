package hooks

import (
	"context"
	"hash/maphash"
	"log/slog"
	"math/rand/v2"
	"sync"

	"github.com/open-feature/go-sdk/openfeature"
)

var _ openfeature.Hook = (*EvaluationHook)(nil)

// EvaluationHook is an [openfeature.Hook] that emits an [Event] for each flag
// evaluation. Use [NewEvaluationHook] to make one; the zero value emits nothing.
//
// It works in the finally stage (requirement 4.3.8), which comes after every
// evaluation. It never changes an evaluation: it adds nothing to the context,
// returns no errors, and recovers panics of sinks and of functions given as
// options. It is safe for concurrent use and must not be copied.
type EvaluationHook struct {
	openfeature.UnimplementedHook

	config   config
	branches []branch
	seed     maphash.Seed
	pending  pendingErrors
	reporter reporter
	buffers  sync.Pool // of *buffer
}

// buffer is the room for an event's attributes.
type buffer [roomForAttributes]slog.Attr

// branch is one sink with what it has seen; seen is nil if that is of no
// interest.
type branch struct {
	sink Sink
	seen *deduplicator
}

// NewEvaluationHook returns a hook that emits to sink. A nil sink makes a hook
// that does nothing, and nil options are ignored. For several sinks use
// [NewMultiSink]; each of them keeps its own default for deduplication.
func NewEvaluationHook(sink Sink, opts ...Option) *EvaluationHook {
	c := newConfig(opts)
	h := &EvaluationHook{config: c, seed: maphash.MakeSeed()}
	h.reporter.logger = c.logger
	for _, sink := range flatten(sink) {
		b := branch{sink: sink}
		_, exposures := sink.(*TrackerSink)
		if c.deduplication == on || c.deduplication == bySink && exposures {
			b.seen = newDeduplicator(c.window, c.size)
		}
		h.branches = append(h.branches, b)
	}
	return h
}

// Error keeps the error for [EvaluationHook.Finally], where it cannot be found
// out from the details.
func (h *EvaluationHook) Error(ctx context.Context, hookContext openfeature.HookContext, err error, _ openfeature.HookHints) {
	if len(h.branches) == 0 || err == nil {
		return
	}
	defer func() {
		if p := recover(); p != nil { // an Error method of another hook's making
			h.reporter.panicked(ctx, nil, p)
		}
	}()
	if !reportedByDetails(err) {
		h.pending.remember(hookContext.EvaluationContext(), err)
	}
}

// Finally emits the event to the sinks that are enabled.
func (h *EvaluationHook) Finally(
	ctx context.Context,
	hookContext openfeature.HookContext,
	details openfeature.InterfaceEvaluationDetails,
	_ openfeature.HookHints,
) {
	err := h.pending.take(hookContext.EvaluationContext())
	for i := range h.branches {
		if h.enabled(ctx, &h.branches[i]) {
			h.emit(ctx, i, &hookContext, &details, err)
			return
		}
	}
}

// emit is the part of an evaluation that a sink wants; first is the first such.
func (h *EvaluationHook) emit(
	ctx context.Context,
	first int,
	hookContext *openfeature.HookContext,
	details *openfeature.InterfaceEvaluationDetails,
	err error,
) {
	e := evaluation{err: err}
	for i := first; i < len(h.branches); i++ {
		b := &h.branches[i]
		if i == first || h.enabled(ctx, b) {
			h.offer(ctx, b, &e, hookContext, details)
		}
	}
	// After a panic nobody knows who still has the event.
	if e.buffer != nil && !e.panicked {
		clear(e.buffer[:])
		h.buffers.Put(e.buffer)
	}
}

func (h *EvaluationHook) enabled(ctx context.Context, b *branch) (yes bool) {
	defer func() {
		if p := recover(); p != nil {
			h.reporter.panicked(ctx, b.sink, p)
		}
	}()
	return b.sink.Enabled(ctx)
}

// evaluation is what the branches of one evaluation share. Each step is taken
// when the first branch needs it. It has no pointers to what it is made from:
// they would move that to the heap, for disabled sinks as well.
type evaluation struct {
	err error

	result   outcome
	exposure uint64
	event    Event
	buffer   *buffer // that the event's attributes are in
	panicked bool

	asked, refused  bool // by the flag filters
	resolved, keyed bool
	drawn, skipped  bool // by sampling
	begun, complete bool // the event; begun alone means that an option panicked
}

// offer takes the event of an evaluation to one sink that is enabled. The order
// is the one that the options document: filter, deduplication, sampling.
func (h *EvaluationHook) offer(
	ctx context.Context,
	b *branch,
	e *evaluation,
	hookContext *openfeature.HookContext,
	details *openfeature.InterfaceEvaluationDetails,
) {
	defer func() {
		if p := recover(); p != nil {
			e.panicked = true
			h.reporter.panicked(ctx, b.sink, p)
		}
	}()
	if h.refuses(e, hookContext) {
		return
	}
	if !e.resolved {
		e.result.read(hookContext, details, e.err)
		e.resolved = true
	}
	if b.seen != nil {
		if !e.keyed {
			e.exposure, e.keyed = exposureKey(h.seed, hookContext, details, &e.result), true
		}
		if !b.seen.first(e.exposure) {
			return
		}
	}
	if h.skips(e) {
		return
	}
	if !e.complete {
		if e.begun {
			return
		}
		e.begun = true
		e.buffer, _ = h.buffers.Get().(*buffer)
		if e.buffer == nil {
			e.buffer = new(buffer)
		}
		e.event.build(hookContext, details, &e.result, &h.config, e.buffer[:0])
		e.complete = true
	}
	b.sink.Emit(ctx, e.event)
}

func (h *EvaluationHook) refuses(e *evaluation, hookContext *openfeature.HookContext) bool {
	if !e.asked && len(h.config.filters) > 0 {
		e.asked, e.refused = true, true // for a filter that panics
		for _, accept := range h.config.filters {
			if !accept(hookContext.FlagKey()) {
				return true
			}
		}
		e.refused = false
	}
	return e.refused
}

func (h *EvaluationHook) skips(e *evaluation) bool {
	if !e.drawn && h.config.sampled {
		e.drawn, e.skipped = true, rand.Float64() >= h.config.ratio
	}
	return e.skipped
}
