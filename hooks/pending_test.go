package hooks

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/open-feature/go-sdk/openfeature"
)

func TestPendingErrorsAreBounded(t *testing.T) {
	t.Parallel()
	var p pendingErrors
	contexts := make([]openfeature.EvaluationContext, maxPending+1)
	for i := range contexts {
		contexts[i] = openfeature.NewEvaluationContext("same", nil)
		p.remember(contexts[i], fmt.Errorf("error %d", i))
	}
	if got := p.count.Load(); got != maxPending {
		t.Errorf("got %d entries", got)
	}
	if err := p.take(contexts[0]); err != nil {
		t.Errorf("the oldest was kept: %v", err)
	}
	for i, evalCtx := range contexts[1:] {
		if err := p.take(evalCtx); err == nil || err.Error() != fmt.Sprintf("error %d", i+1) {
			t.Fatalf("context %d got %v", i+1, err)
		}
	}
	if got := p.count.Load(); got != 0 {
		t.Errorf("%d entries are left", got)
	}
}

// Identity rests on a field that is not exported.
func TestIdentity(t *testing.T) {
	t.Parallel()
	a, b := openfeature.NewEvaluationContext("", nil), openfeature.NewEvaluationContext("", nil)
	first, again := identity(a), identity(a)
	if first == 0 || first != again || first == identity(b) {
		t.Error("contexts cannot be told apart")
	}
	var p pendingErrors
	p.remember(openfeature.EvaluationContext{}, errors.New("x"))
	if p.take(openfeature.EvaluationContext{}) != nil {
		t.Error("a context without identity got an error")
	}
}

// An error whose finally stage never comes must not make every evaluation look
// for it, for ever.
func TestLostErrorsAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var p pendingErrors
		lost, other := openfeature.NewEvaluationContext("", nil), openfeature.NewEvaluationContext("", nil)
		p.remember(lost, errors.New("lost"))
		time.Sleep(maxPendingTime)
		if err := p.take(other); err != nil || p.count.Load() != 1 {
			t.Errorf("too early: got %v, %d entries", err, p.count.Load())
		}
		time.Sleep(time.Nanosecond)
		if err := p.take(other); err != nil || p.count.Load() != 0 {
			t.Errorf("got %v, %d entries", err, p.count.Load())
		}
		if err := p.take(lost); err != nil {
			t.Errorf("got %v", err)
		}
	})
}
