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

// Defaults of [WithDeduplication].
const (
	// DefaultDeduplicationWindow is the time during which a repeated exposure is not emitted.
	DefaultDeduplicationWindow = time.Hour

	// DefaultDeduplicationSize is the number of exposures that are remembered. Each takes about
	// 200 bytes.
	DefaultDeduplicationSize = 10_000
)

// deduplicator passes each exposure once per window. If its cache is full, it evicts the least
// recently seen exposure, which can cause a repeated event but never a missing one.
//
// The library's expirable cache is not used because it starts a goroutine that cannot be stopped.
type deduplicator struct {
	window time.Duration
	start  time.Time // monotonic reference, so that entries are 8 bytes

	mu   sync.Mutex
	seen *simplelru.LRU[uint64, time.Duration] // when the exposure was passed
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

// first reports whether the exposure should be emitted. Of several concurrent calls for an
// exposure, one returns true. Repetitions do not extend the window.
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

// exposureKey returns a hash of context, flag and variant. A hash bounds the cache in bytes,
// however long the keys are.
//
// Without a variant, the value takes its place. The error code is included so that a failed
// evaluation differs from a successful one with the same value.
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

// writeContext writes the identity of the evaluated context: the ID reported by the provider, or
// kind and key. Other attributes are left out, because they may change with every request of a
// user.
func writeContext(h *maphash.Hash, seed maphash.Seed, metadata openfeature.FlagMetadata, evalCtx openfeature.EvaluationContext) {
	if len(metadata) > 0 {
		if id := metadataString(metadata, metadataContextID); id != "" {
			writeString(h, "") // in place of the kind, which is never empty
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
		kind = "user" // LaunchDarkly's default kind
	}
	key := evalCtx.TargetingKey()
	if key == "" {
		key, _ = evalCtx.Attribute("key").(string)
	}
	writeString(h, kind)
	writeString(h, key)
}

// multiContextKey adds up the hashes of the parts, because a map has no order.
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

// writeString writes the length first, so that consecutive strings are unambiguous.
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
		b := byte(0)
		if value.Bool() {
			b = 1
		}
		_ = h.WriteByte(b)
	}
}
