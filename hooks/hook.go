package hooks

import (
	"context"
	"hash/maphash"
	"log/slog"
	"sync"

	"github.com/open-feature/go-sdk/openfeature"
)

var _ openfeature.Hook = (*EvaluationHook)(nil)

// EvaluationHook is an [openfeature.Hook] that emits an [Event] for each flag evaluation. Use
// [NewEvaluationHook] to create one; the zero value emits nothing.
//
// It works in the finally stage (OpenFeature requirement 4.3.8), which runs after every evaluation.
// It never changes an evaluation: it adds nothing to the context, returns no error, and recovers
// panics of sinks and of functions passed as options. It is safe for concurrent use and must not be
// copied.
type EvaluationHook struct {
	openfeature.UnimplementedHook

	config   config
	branches []branch
	seed     maphash.Seed // random for each hook, so that no input can be made to collide
	failures failures
	reporter reporter
	buffers  sync.Pool // of *buffer
}

// buffer is the memory for an event, with room for its own attributes and a few of mappers. It is
// reused, so that emitting an event does not allocate.
type buffer struct {
	event      Event
	attributes [maxAttributes + 3]slog.Attr
}

// inlineBranches is the number of sinks that Finally handles without an allocation.
const inlineBranches = 8

// branch is one sink with the exposures that it has received; seen is nil without deduplication.
type branch struct {
	sink Sink
	seen *deduplicator
}

// NewEvaluationHook returns a hook that emits to sink. A nil sink makes a hook that does nothing,
// and nil options are ignored. For several sinks use [NewMultiSink]; each of them keeps its own
// default for deduplication.
func NewEvaluationHook(sink Sink, opts ...Option) *EvaluationHook {
	h := &EvaluationHook{config: newConfig(opts), seed: maphash.MakeSeed()}
	h.failures.seed = h.seed
	h.reporter.logger = h.config.logger
	for _, sink := range flatten(sink) {
		b := branch{sink: sink}
		if h.config.deduplicates(sink) {
			b.seen = newDeduplicator(h.config.window, h.config.size)
		}
		h.branches = append(h.branches, b)
	}
	return h
}

// Error keeps the error for [EvaluationHook.Finally], whose details lack it if another hook failed.
func (h *EvaluationHook) Error(
	ctx context.Context, hookContext openfeature.HookContext, err error, _ openfeature.HookHints,
) {
	var room [inlineBranches]*branch
	if err == nil || len(h.enabled(ctx, room[:0])) == 0 {
		return
	}
	if !h.failures.put(ctx, &hookContext, err) {
		h.reporter.unmatched(ctx)
	}
}

// Finally emits the event to the sinks that are enabled.
func (h *EvaluationHook) Finally(
	ctx context.Context,
	hookContext openfeature.HookContext,
	details openfeature.InterfaceEvaluationDetails,
	_ openfeature.HookHints,
) {
	err, ok := h.failures.take(ctx, &hookContext)
	if !ok {
		h.reporter.unmatched(ctx)
	}
	var room [inlineBranches]*branch
	wanted := h.enabled(ctx, room[:0])
	if len(wanted) == 0 {
		return
	}
	recipients, memory := h.prepare(ctx, wanted, &hookContext, &details, err)
	if len(recipients) == 0 {
		return
	}
	panicked := false
	for _, b := range recipients {
		panicked = !h.emit(ctx, b, &memory.event) || panicked
	}
	if !panicked { // after a panic, something may still hold the event
		*memory = buffer{}
		h.buffers.Put(memory)
	}
}

// enabled appends the branches whose sink is enabled.
func (h *EvaluationHook) enabled(ctx context.Context, wanted []*branch) []*branch {
	for i := range h.branches {
		if b := &h.branches[i]; h.asks(ctx, b) {
			wanted = append(wanted, b)
		}
	}
	return wanted
}

func (h *EvaluationHook) asks(ctx context.Context, b *branch) (yes bool) {
	defer func() {
		if p := recover(); p != nil {
			h.reporter.panicked(ctx, b.sink, p)
		}
	}()
	return b.sink.Enabled(ctx)
}

// prepare applies the options in the order that they document: flag filters, deduplication,
// sampling, and what changes the event. It returns the branches to emit to, none if an option
// panics, and the event to emit.
//
// It keeps no pointer to its arguments: that would move them to the heap, even for disabled sinks.
func (h *EvaluationHook) prepare(
	ctx context.Context,
	wanted []*branch,
	hookContext *openfeature.HookContext,
	details *openfeature.InterfaceEvaluationDetails,
	err error,
) (recipients []*branch, memory *buffer) {
	defer func() {
		if p := recover(); p != nil {
			recipients = nil
			h.reporter.panicked(ctx, nil, p)
		}
	}()
	if !h.config.accepts(hookContext.FlagKey()) {
		return nil, nil
	}
	var result outcome
	result.read(hookContext, details, err)
	recipients = h.withoutRepeated(wanted, hookContext, details, &result)
	if len(recipients) == 0 || !h.config.samples() {
		return nil, nil
	}
	memory, _ = h.buffers.Get().(*buffer)
	if memory == nil {
		memory = new(buffer)
	}
	memory.event.fill(hookContext, details, &result, &h.config, memory.attributes[:0])
	return recipients, memory
}

// withoutRepeated removes the branches that have received the exposure within their window.
func (h *EvaluationHook) withoutRepeated(
	wanted []*branch,
	hookContext *openfeature.HookContext,
	details *openfeature.InterfaceEvaluationDetails,
	result *outcome,
) []*branch {
	recipients := wanted[:0]
	var exposure uint64
	hashed := false
	for _, b := range wanted {
		if b.seen != nil {
			if !hashed {
				exposure, hashed = exposureKey(h.seed, hookContext, details, result), true
			}
			if !b.seen.first(exposure) {
				continue
			}
		}
		recipients = append(recipients, b)
	}
	return recipients
}

// emit reports whether the sink returned normally.
func (h *EvaluationHook) emit(ctx context.Context, b *branch, event *Event) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			h.reporter.panicked(ctx, b.sink, p)
		}
	}()
	b.sink.Emit(ctx, *event)
	return true
}
