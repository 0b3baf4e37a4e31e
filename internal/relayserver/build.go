package relayserver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/openfeature-launchdarkly/go-provider/internal/localserver"
)

// ErrNotBuilt is returned by [Path] if [Build] has not been called yet.
var ErrNotBuilt = errors.New("the Relay Proxy is not built: run `go run ./examples/relay` once")

// buildTimeout bounds a build for a test, including downloads.
const buildTimeout = 10 * time.Minute

// Require skips a test if the Relay Proxy is not built. If the environment variable CI is set, it
// builds the Relay Proxy instead, and the test fails if the build fails.
func Require(t localserver.T) {
	t.Helper()
	_, err := Path()
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
		defer cancel()
		if _, err := Build(ctx); err != nil {
			t.Fatal(err)
		}
	default:
		t.Skip(err)
	}
}

// Path returns the path of the built program. It is in the user's cache directory, with a name
// derived from go.mod and go.sum of internal/relayproxy. The error is [ErrNotBuilt] if there is no
// such file.
func Path() (string, error) {
	_, path, err := locate()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		return "", ErrNotBuilt
	}
	return path, nil
}

// Build builds the Relay Proxy if it is not built yet, and returns the program's path. A build
// takes about a minute on two cores, and another to download dependencies. The working directory
// must be in a checkout of this repository, and the go command in the PATH.
func Build(ctx context.Context) (string, error) {
	module, path, err := locate()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	// Concurrent builds are safe: each process renames its own file.
	temporary, err := os.MkdirTemp(filepath.Dir(path), "build")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temporary)
	program := filepath.Join(temporary, filepath.Base(path))
	//nolint:gosec // the arguments are paths of this repository and of the cache directory
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", program, "github.com/launchdarkly/ld-relay/v8")
	build.Dir = module
	build.Env = append(os.Environ(), "GOWORK=off")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the Relay Proxy: %w\n%s", err, output)
	}
	return path, os.Rename(program, path)
}

// locate returns the directory of the module internal/relayproxy and the path of the program built
// from it.
func locate() (module, program string, err error) {
	if module, err = findModule(); err != nil {
		return "", "", err
	}
	hash := sha256.New()
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(module, name)) //nolint:gosec // a file of this repository
		if err != nil {
			return "", "", err
		}
		_, _ = hash.Write(content) // never fails
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", "", err
	}
	name := fmt.Sprintf("ld-relay-%x", hash.Sum(nil)[:8])
	return module, filepath.Join(cache, "openfeature-launchdarkly", name), nil
}

// findModule finds internal/relayproxy in the working directory or a parent of it.
func findModule() (string, error) {
	directory, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		module := filepath.Join(directory, "internal", "relayproxy")
		content, err := os.ReadFile(filepath.Join(module, "go.mod")) //nolint:gosec // a file of this repository
		if err == nil && bytes.Contains(content, []byte("go-provider/internal/relayproxy\n")) {
			return module, nil
		}
		parent := filepath.Dir(directory)
		if parent == directory {
			return "", errors.New("the working directory is not in a checkout of go-provider with internal/relayproxy")
		}
		directory = parent
	}
}
