package hooks

import (
	"encoding/binary"
	"hash/maphash"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/open-feature/go-sdk/openfeature"
)

// What deduplication does unless [WithDeduplication] says otherwise.
const (
	// DefaultDeduplicationWindow is how long an exposure stands for its
	// repetitions.
	DefaultDeduplicationWindow = time.Hour

	// DefaultDeduplicationSize is how many exposures are remembered. They take
	// about 200 bytes each.
	DefaultDeduplicationSize = 10_000
)

// deduplicator lets each exposure through once per window. The least recently
// seen ones are forgotten first when there are too many, which costs an event
// too many and never one too few.
//
// The library's own expirable cache would do, but for the goroutine that each
// starts and that nothing can stop.
type deduplicator struct {
	window time.Duration
	start  time.Time // monotonic reference, so that entries are 8 bytes

	mu   sync.Mutex
	seen *simplelru.LRU[uint64, time.Duration] // when the exposure went through
}

func newDeduplicator(window time.Duration, size int) *deduplicator {
	if window <= 0 {
		window = DefaultDeduplicationWindow
	}
	if size <= 0 {
		size = DefaultDeduplicationSize
	}
	seen, err := simplelru.NewLRU[uint64, time.Duration](size, nil)
	if err != nil { // only for a size that is not positive
		return nil
	}
	return &deduplicator{window: window, start: time.Now(), seen: seen}
}

// first reports whether the exposure is to be emitted, and to exactly one of
// several callers that ask at once. Repetitions do not prolong the window.
func (d *deduplicator) first(exposure uint64) bool {
	now := time.Since(d.start)
	d.mu.Lock()
	defer d.mu.Unlock()
	if then, ok := d.seen.Get(exposure); ok && now-then < d.window {
		return false
	}
	d.seen.Add(exposure, now)
	return true
}

// exposureKey identifies who got which variant of which flag. It is a hash, so
// that the cache is bounded in bytes too, whatever the length of keys. The seed
// is the hook's own: nobody can prepare contexts that collide.
//
// Where there is no variant, the value takes its place. The error code is part
// of it, so that a failure and a success of the same default are not one.
func exposureKey(
	seed maphash.Seed,
	hookContext *openfeature.HookContext,
	details *openfeature.InterfaceEvaluationDetails,
	result *outcome,
) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	writeString(&h, hookContext.FlagKey())
	writeString(&h, hookContext.ProviderMetadata().Name)
	writeString(&h, hookContext.ClientMetadata().Domain())
	writeString(&h, string(result.errorCode))
	writeString(&h, result.variant)
	if result.variant == "" {
		writeValue(&h, result.value)
	}
	writeContext(&h, seed, details.FlagMetadata, hookContext.EvaluationContext())
	return h.Sum64()
}

// writeContext writes who was evaluated: the id that the provider reports, else
// kind and key. Other attributes are left out; they may differ on every request
// of the same user.
func writeContext(h *maphash.Hash, seed maphash.Seed, metadata openfeature.FlagMetadata, evalCtx openfeature.EvaluationContext) {
	if len(metadata) > 0 {
		if id := metadataString(metadata, metadataContextID); id != "" {
			writeString(h, "") // in place of a kind, which is never empty
			writeString(h, id)
			return
		}
	}
	kind, _ := evalCtx.Attribute("kind").(string)
	if kind == "multi" {
		writeUint64(h, multiContextKey(seed, evalCtx.Attributes()))
		return
	}
	if kind == "" {
		kind = "user" // what no kind means to LaunchDarkly
	}
	key := evalCtx.TargetingKey()
	if key == "" {
		key, _ = evalCtx.Attribute("key").(string)
	}
	writeString(h, kind)
	writeString(h, key)
}

// multiContextKey adds up the parts, because a map has no order.
func multiContextKey(seed maphash.Seed, attributes map[string]any) uint64 {
	var sum uint64
	for kind, part := range attributes {
		var key any
		switch part := part.(type) {
		case map[string]any:
			key = partKey(part["targetingKey"], part["key"])
		case openfeature.EvaluationContext:
			key = partKey(part.TargetingKey(), part.Attribute("key"))
		case string, bool, nil:
			continue // not a context, and "kind" itself
		default:
			key = part
		}
		var h maphash.Hash
		h.SetSeed(seed)
		writeString(&h, kind)
		writeValue(&h, key)
		sum += h.Sum64()
	}
	return sum
}

func partKey(targetingKey, key any) any {
	if text, ok := targetingKey.(string); ok && text != "" {
		return text
	}
	return key
}

// writeString writes the length first: two strings cannot run into each other.
func writeString(h *maphash.Hash, s string) {
	writeUint64(h, uint64(len(s)))
	_, _ = h.WriteString(s) // never fails
}

func writeUint64(h *maphash.Hash, u uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], u)
	_, _ = h.Write(b[:]) // never fails
}

func writeValue(h *maphash.Hash, v any) {
	value := encodeValue(v)
	_ = h.WriteByte(byte(value.Kind())) // never fails
	switch value.Kind() {
	case slog.KindString:
		writeString(h, value.String())
	case slog.KindInt64:
		writeUint64(h, uint64(value.Int64()))
	case slog.KindFloat64:
		writeUint64(h, math.Float64bits(value.Float64()))
	case slog.KindBool:
		b := byte(0) // written as well: every value is as long as its kind says
		if value.Bool() {
			b = 1
		}
		_ = h.WriteByte(b)
	}
}
