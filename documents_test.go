package launchdarkly_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDocuments holds the Go code of the documents against the examples that are compiled: each block must stand in one.
// Those of README.md are in readme_example_test.go. Those of docs/some-guide.md are in docs/some_guide_test.go, and in
// internal/bench/some_guide_test.go where they need a module that only internal/bench requires.
func TestDocuments(t *testing.T) {
	guides, err := filepath.Glob("docs/*.md")
	if err != nil || len(guides) == 0 {
		t.Fatalf("no guides in docs: %v", err)
	}
	withCode := 0
	for _, document := range append(guides, "README.md") {
		t.Run(document, func(t *testing.T) {
			text, err := os.ReadFile(document)
			if err != nil {
				t.Fatal(err)
			}
			blocks := strings.Split(unindented(string(text)), "```go\n")[1:]
			if len(blocks) == 0 {
				return
			}
			withCode++
			compiled := compiledFor(t, document)
			for _, block := range blocks {
				code, _, _ := strings.Cut(block, "```")
				if !strings.Contains(compiled, code) {
					t.Errorf("not in the examples of %s:\n%s", document, code)
				}
			}
		})
	}
	if withCode < 4 {
		t.Errorf("only %d documents have code", withCode)
	}
}

// compiledFor reads the test files that hold a document's code.
func compiledFor(t *testing.T, document string) string {
	t.Helper()
	files := []string{"readme_example_test.go"}
	if document != "README.md" {
		name := strings.ReplaceAll(strings.TrimSuffix(filepath.Base(document), ".md"), "-", "_") + "_test.go"
		files = []string{filepath.Join("docs", name), filepath.Join("internal", "bench", name)}
	}
	var compiled strings.Builder
	for i, file := range files {
		code, err := os.ReadFile(file)
		if os.IsNotExist(err) && i > 0 {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		compiled.WriteString(unindented(string(code)))
	}
	return compiled.String()
}

func unindented(code string) string {
	var b strings.Builder
	for line := range strings.Lines(code) {
		b.WriteString(strings.TrimLeft(line, "\t"))
	}
	return b.String()
}
