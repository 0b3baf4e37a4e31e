package launchdarkly_test

import (
	"os"
	"strings"
	"testing"
)

// TestReadme holds the code of the README against the examples that are compiled: each block must stand in one.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	examples, err := os.ReadFile("readme_example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	compiled := unindented(string(examples))
	blocks := strings.Split(string(readme), "```go\n")[1:]
	if len(blocks) == 0 {
		t.Fatal("no code in the README")
	}
	for _, block := range blocks {
		code, _, _ := strings.Cut(block, "```")
		if !strings.Contains(compiled, unindented(code)) {
			t.Errorf("not in readme_example_test.go:\n%s", code)
		}
	}
}

func unindented(code string) string {
	var b strings.Builder
	for line := range strings.Lines(code) {
		b.WriteString(strings.TrimLeft(line, "\t"))
	}
	return b.String()
}
