package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	ready = `package launchdarkly

// Version is ours.
const Version = "1.2.3"
`
	changelog = `# Changelog

## Unreleased

### Added

- Something for later.

## [1.2.3] - 2026-01-02

### Fixed

- A thing.

## 1.2.2 - 2026-01-01

## 1.2
`
	rootMod = `module github.com/openfeature-launchdarkly/go-provider

go 1.26.0
`
	otelMod = `module github.com/openfeature-launchdarkly/go-provider/hooks/otelhooks

go 1.26.0

require (
	github.com/openfeature-launchdarkly/go-provider v0.0.0
	go.opentelemetry.io/otel v1.47.0
)

require go.uber.org/mock v0.6.0 // indirect

replace github.com/openfeature-launchdarkly/go-provider => ../..
`
	exampleMod = `module github.com/openfeature-launchdarkly/go-provider/examples/opentelemetry

go 1.26.0

replace (
	github.com/openfeature-launchdarkly/go-provider => ../..
	github.com/openfeature-launchdarkly/go-provider/hooks/otelhooks => ../../hooks/otelhooks
)

require (
	github.com/openfeature-launchdarkly/go-provider v0.0.0
	github.com/openfeature-launchdarkly/go-provider/hooks/otelhooks v0.0.0
)
`
)

func TestCheck(t *testing.T) {
	for _, c := range []struct{ version, problem string }{
		{"1.2.3", ""},
		{"v1.2.3", ""},
		{"1.2.4", `the constant Version in provider.go is "1.2.3", not "1.2.4"`},
		{"1.2.4", `no section "## 1.2.4"`},
		{"1.2.2", `section "## 1.2.2" of CHANGELOG.md is empty`},
		{"1.2", "no semantic version"},
		{"01.2.3", "no semantic version"},
		{"1.2.3; rm", "no semantic version"},
		{"2.0.0", "/v2"},
	} {
		err := run(t.Context(), &bytes.Buffer{}, fixture(t), []string{"check", c.version})
		switch {
		case c.problem == "" && err != nil:
			t.Errorf("%s: %v", c.version, err)
		case c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)):
			t.Errorf("%s: %v, want %s", c.version, err, c.problem)
		}
	}
}

func TestNotes(t *testing.T) {
	if got, want := output(t, "notes"), "### Fixed\n\n- A thing.\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestTags(t *testing.T) {
	if got, want := output(t, "tags"), "v1.2.3\nhooks/otelhooks/v1.2.3\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestPrepare compares whole files, so that nothing else is changed.
func TestPrepare(t *testing.T) {
	root := fixture(t)
	if err := run(t.Context(), &bytes.Buffer{}, root, []string{"prepare", "1.2.3"}); err != nil {
		t.Fatal(err)
	}
	for file, before := range map[string]string{
		"go.mod":                        rootMod,
		"hooks/otelhooks/go.mod":        otelMod,
		"examples/opentelemetry/go.mod": exampleMod,
	} {
		after, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.ReplaceAll(before, "v0.0.0", "v1.2.3"); string(after) != want {
			t.Errorf("%s is\n%s\nwant\n%s", file, after, want)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, arguments := range [][]string{nil, {"check"}, {"tag", "1.2.3"}} {
		if err := run(t.Context(), &bytes.Buffer{}, fixture(t), arguments); err == nil {
			t.Errorf("no error for %q", arguments)
		}
	}
}

// TestThisRepository is about what a release will rely on.
func TestThisRepository(t *testing.T) {
	r := repository{root: "../.."}
	constant, err := r.constant()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parseVersion(constant); err != nil {
		t.Error(err)
	}
	for _, directory := range publicModules() {
		required, err := requirements(t.Context(), filepath.Join("../..", directory, "go.mod"))
		if err != nil || !strings.Contains(strings.Join(required, "\n")+"\n", rootModule+"\n") {
			t.Errorf("%s requires %q, %v", directory, required, err)
		}
	}
}

// TestDependabot looks for modules that nobody would update.
func TestDependabot(t *testing.T) {
	configuration, err := os.ReadFile("../../.github/dependabot.yml")
	if err != nil {
		t.Fatal(err)
	}
	files, err := repository{root: "../.."}.nestedModules()
	if err != nil || len(files) == 0 {
		t.Fatalf("%d modules, %v", len(files), err)
	}
	for _, file := range files {
		directory, err := filepath.Rel("../..", filepath.Dir(file))
		if err != nil {
			t.Fatal(err)
		}
		if want := "      - /" + filepath.ToSlash(directory) + "\n"; !strings.Contains(string(configuration), want) {
			t.Errorf("missing: %s", want)
		}
	}
}

func output(t *testing.T, command string) string {
	t.Helper()
	var out bytes.Buffer
	if err := run(t.Context(), &out, fixture(t), []string{command, "1.2.3"}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// fixture is a repository that is ready to be released as 1.2.3.
func fixture(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range map[string]string{
		"provider.go":                   ready,
		"CHANGELOG.md":                  changelog,
		"go.mod":                        rootMod,
		"hooks/otelhooks/go.mod":        otelMod,
		"examples/opentelemetry/go.mod": exampleMod,
	} {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}
