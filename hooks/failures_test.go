package hooks

import (
	"context"
	"errors"
	"hash/maphash"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/open-feature/go-sdk/openfeature"
)

var errBoom = errors.New("boom")

func newFailures() *failures { return &failures{seed: maphash.MakeSeed()} }

func evaluationOf(flag, key string) *openfeature.HookContext {
	hc := openfeature.NewHookContext(flag, openfeature.Boolean, false, openfeature.NewClientMetadata(""),
		openfeature.Metadata{Name: "provider"}, openfeature.NewEvaluationContext(key, nil))
	return &hc
}

func TestFailuresAreBounded(t *testing.T) {
	t.Parallel()
	f := newFailures()
	for i := range maxFailures + 1 {
		user := strconv.Itoa(i)
		if ok := f.put(t.Context(), evaluationOf("flag", user), errors.New(user)); ok != (i < maxFailures) {
			t.Errorf("failure %d: put reports %v", i, ok)
		}
	}
	if got := f.count.Load(); got != maxFailures {
		t.Errorf("got %d entries", got)
	}
	if got, _ := f.take(t.Context(), evaluationOf("flag", "0")); got != nil {
		t.Errorf("the oldest was kept: %v", got)
	}
	for i := range maxFailures {
		user := strconv.Itoa(i + 1)
		if got, ok := f.take(t.Context(), evaluationOf("flag", user)); got == nil || got.Error() != user || !ok {
			t.Fatalf("evaluation %s got %v, %v", user, got, ok)
		}
	}
	if got := f.count.Load(); got != 0 {
		t.Errorf("%d entries are left", got)
	}
}

// The key is made of what both stages are given, whatever OpenFeature's SDK copies in between.
func TestFailuresAreKeptApart(t *testing.T) {
	t.Parallel()
	f := newFailures()
	request, cancel := context.WithCancel(t.Context())
	defer cancel()
	f.put(request, evaluationOf("flag", "anna"), errBoom)
	for name, other := range map[string]struct {
		ctx         context.Context
		hookContext *openfeature.HookContext
	}{
		"context.Context":  {t.Context(), evaluationOf("flag", "anna")},
		"flag":             {request, evaluationOf("other", "anna")},
		"targeting key":    {request, evaluationOf("flag", "ben")},
		"no targeting key": {request, evaluationOf("flag", "")},
	} {
		if got, ok := f.take(other.ctx, other.hookContext); got != nil || !ok {
			t.Errorf("another %s got %v, %v", name, got, ok)
		}
	}
	if got, _ := f.take(request, evaluationOf("flag", "anna")); !errors.Is(got, errBoom) {
		t.Errorf("got %v", got)
	}
}

// A failure whose finally stage never comes must not make every evaluation look for it forever.
func TestOverdueFailuresAreDiscarded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFailures()
		lost, other := evaluationOf("flag", "lost"), evaluationOf("flag", "other")
		f.put(t.Context(), lost, errBoom)
		time.Sleep(maxFailureTime)
		if got, ok := f.take(t.Context(), other); got != nil || !ok || f.count.Load() != 1 {
			t.Errorf("too early: got %v, %v, %d entries", got, ok, f.count.Load())
		}
		time.Sleep(time.Nanosecond)
		if got, ok := f.take(t.Context(), other); got != nil || ok || f.count.Load() != 0 {
			t.Errorf("got %v, %v, %d entries", got, ok, f.count.Load())
		}
		if got, _ := f.take(t.Context(), lost); got != nil {
			t.Errorf("got %v", got)
		}
	})
}

// incomparable is a context.Context that cannot be a map key.
type incomparable struct {
	context.Context
	values []int
}

func TestIncomparableContextIsIgnored(t *testing.T) {
	t.Parallel()
	f := newFailures()
	f.put(incomparable{t.Context(), []int{1}}, evaluationOf("flag", "anna"), errBoom)
	if got, _ := f.take(incomparable{t.Context(), []int{1}}, evaluationOf("flag", "anna")); !errors.Is(got, errBoom) {
		t.Errorf("got %v", got)
	}
}
