package hooks_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"

	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"
	"github.com/open-feature/go-sdk/openfeature/memprovider"
	"go.uber.org/goleak"

	"github.com/openfeature-launchdarkly/go-provider/hooks"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// recorder is a sink that records events.
type recorder struct {
	mu       sync.Mutex
	events   []hooks.Event
	disabled bool
}

func (r *recorder) Enabled(context.Context) bool { return !r.disabled }

func (r *recorder) Emit(_ context.Context, event hooks.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, event.Clone())
}

func (r *recorder) all() []hooks.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events
}

func (r *recorder) only(t *testing.T) hooks.Event {
	t.Helper()
	events := r.all()
	if len(events) != 1 {
		t.Fatalf("got %d events, want 1: %v", len(events), events)
	}
	return events[0]
}

// attributes returns an event's attributes as a map, for comparisons.
func attributes(event hooks.Event) map[string]any {
	m := make(map[string]any, len(event.Attributes))
	for _, attr := range event.Attributes {
		m[attr.Key] = attr.Value.Any()
	}
	return m
}

func provider() *memprovider.InMemoryProvider {
	flag := func(key, variant string, value any) memprovider.InMemoryFlag {
		return memprovider.InMemoryFlag{
			Key: key, State: memprovider.Enabled,
			DefaultVariant: variant, Variants: map[string]any{variant: value},
		}
	}
	return memprovider.NewInMemoryProvider(map[string]memprovider.InMemoryFlag{
		"bool":   flag("bool", "on", true),
		"string": flag("string", "red", "#ff0000"),
		"int":    flag("int", "three", 3),
		"float":  flag("float", "half", 0.5),
		"object": flag("object", "full", map[string]any{"b": []any{1, "<x>"}, "a": nil}),
	})
}

// resolving returns a provider with one flag, "flag", that resolves to the given details.
func resolving(value any, detail openfeature.ProviderResolutionDetail) *memprovider.InMemoryProvider {
	resolve := func(memprovider.InMemoryFlag, openfeature.FlattenedContext) (any, openfeature.ProviderResolutionDetail) {
		return value, detail
	}
	return memprovider.NewInMemoryProvider(map[string]memprovider.InMemoryFlag{
		"flag": {Key: "flag", State: memprovider.Enabled, ContextEvaluator: &resolve},
	})
}

// newClient returns a client of an isolated API with the provider.
func newClient(tb testing.TB, p openfeature.FeatureProvider, installed ...openfeature.Hook) *openfeature.Client {
	tb.Helper()
	api := isolated.NewAPI()
	tb.Cleanup(func() { _ = api.Shutdown(context.Background()) })
	if err := api.SetProviderAndWait(context.Background(), p); err != nil {
		tb.Fatal(err)
	}
	client := api.NewClient()
	client.AddHooks(installed...)
	return client
}

func user(key string) openfeature.EvaluationContext {
	return openfeature.NewEvaluationContext(key, nil)
}

// failing is a hook whose before or after stage fails.
type failing struct {
	openfeature.UnimplementedHook
	before func(openfeature.HookContext) error
	after  func(openfeature.HookContext) error
}

func (f failing) Before(_ context.Context, hc openfeature.HookContext, _ openfeature.HookHints) (*openfeature.EvaluationContext, error) {
	if f.before == nil {
		return nil, nil
	}
	return nil, f.before(hc)
}

func (f failing) After(_ context.Context, hc openfeature.HookContext, _ openfeature.InterfaceEvaluationDetails, _ openfeature.HookHints) error {
	if f.after == nil {
		return nil
	}
	return f.after(hc)
}

var errBoom = errors.New("boom")

func boom(openfeature.HookContext) error { return errBoom }

var discard = slog.New(slog.DiscardHandler)
