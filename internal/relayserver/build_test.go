package relayserver_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openfeature-launchdarkly/go-provider/internal/relayserver"
)

// emptyCache sets an empty cache directory for the test.
func emptyCache(t *testing.T) {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(home, "cache"))
}

func TestSkipsTestsIfNotBuilt(t *testing.T) {
	emptyCache(t)
	t.Setenv("CI", "")
	if _, err := relayserver.Path(); !errors.Is(err, relayserver.ErrNotBuilt) {
		t.Errorf("the error is %v", err)
	}
	if _, err := relayserver.Start(t.Context(), relayserver.Config{}); !errors.Is(err, relayserver.ErrNotBuilt) {
		t.Errorf("the error is %v", err)
	}
	test := &recorder{}
	relayserver.Require(test)
	if want := "skipped: " + relayserver.ErrNotBuilt.Error(); test.outcome != want {
		t.Errorf("the outcome is %q, want %q", test.outcome, want)
	}
}

func TestFailsTestsInCIIfTheBuildFails(t *testing.T) {
	emptyCache(t)
	t.Setenv("CI", "true")
	t.Setenv("PATH", t.TempDir()) // without the go command
	test := &recorder{}
	relayserver.Require(test)
	if !strings.HasPrefix(test.outcome, "failed: building the Relay Proxy") {
		t.Errorf("the outcome is %q", test.outcome)
	}
}

func TestRemovesFilesOfAFailedBuild(t *testing.T) {
	emptyCache(t)
	t.Setenv("PATH", t.TempDir())
	if _, err := relayserver.Build(t.Context()); err == nil {
		t.Fatal("no error")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(cache, "*", "*")); err != nil || len(left) > 0 {
		t.Errorf("%q, %v", left, err)
	}
}

func TestRequiresACheckout(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, err := relayserver.Path(); err == nil || errors.Is(err, relayserver.ErrNotBuilt) {
		t.Errorf("the error is %v", err)
	}
}

// recorder records the first outcome of a test. Unlike in a real test, Skip and Fatal return.
type recorder struct{ outcome string }

func (*recorder) Helper()             {}
func (r *recorder) Skip(args ...any)  { r.end("skipped: " + fmt.Sprint(args...)) }
func (r *recorder) Fatal(args ...any) { r.end("failed: " + fmt.Sprint(args...)) }

func (r *recorder) end(outcome string) {
	if r.outcome == "" {
		r.outcome = outcome
	}
}
