package launchdarkly

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/testhelpers/ldtestdata"
	"github.com/open-feature/go-sdk/openfeature"
)

// borrowing makes a provider in a bubble of synctest.
func borrowing(t *testing.T, opts ...Option) (*Provider, *ldtestdata.TestDataSource) {
	t.Helper()
	source := ldtestdata.DataSource()
	client, err := ld.MakeCustomClient("key", ld.Config{
		DataSource: source, Events: ldcomponents.NoEvents(), Logging: ldcomponents.NoLogging(), DiagnosticOptOut: true,
	}, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	opts = append(opts, WithConfig(ld.Config{Events: ldcomponents.NoEvents()}))
	p, err := NewProviderWithClient(client, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Shutdown()
		_ = client.Close()
	})
	return p, source
}

func TestInitializationIsRefusedDuringShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := borrowing(t)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			p.Shutdown()
		}()
		synctest.Wait()
		start := time.Now()
		if err := p.Init(openfeature.EvaluationContext{}); !errors.Is(err, ErrClosed) {
			t.Errorf("initialized: %v", err)
		}
		if waited := time.Since(start); waited > 2*arrivalPauses*arrivalPause {
			t.Errorf("it waited for %s", waited)
		}
		<-ended
		if err := p.Init(openfeature.EvaluationContext{}); err != nil {
			t.Errorf("initialized after the shutdown: %v", err)
		}
	})
}

func TestInitializationEndsWithItsContextDuringShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := borrowing(t)
		go p.Shutdown()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), arrivalPause)
		defer cancel()
		if err := p.InitWithContext(ctx, openfeature.EvaluationContext{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("initialized: %v", err)
		}
	})
}

func TestInitializationIsAdmittedDuringShutdownWhereTheProviderIsRegisteredAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := borrowing(t)
		p.EventChannel() // of the first registration
		if err := p.Init(openfeature.EvaluationContext{}); err != nil {
			t.Fatal(err)
		}
		go p.Shutdown()
		synctest.Wait()
		time.AfterFunc(arrivalPauses*arrivalPause/2, func() { p.EventChannel() })
		if err := p.Init(openfeature.EvaluationContext{}); err != nil {
			t.Errorf("initialized: %v", err)
		}
		if p.session.Load() == nil {
			t.Error("the provider has no session")
		}
	})
}

// OpenFeature's multi-provider appends to the hooks of a provider.
func TestHooksCanBeAppendedTo(t *testing.T) {
	first, second := openfeature.UnimplementedHook{}, new(openfeature.UnimplementedHook)
	p, err := NewProvider("", WithConfig(ld.Config{Offline: true, Logging: ldcomponents.NoLogging()}),
		WithHooks(first), WithHooks(first), WithHooks(first))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Shutdown()
	_ = append(p.Hooks(), second)
	if hooks := p.Hooks(); slices.Contains(hooks[:cap(hooks)], openfeature.Hook(second)) {
		t.Error("the provider has another hook")
	}
}
