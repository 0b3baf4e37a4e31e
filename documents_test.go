package launchdarkly_test

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDocuments checks that each Go code block of a document is part of a compiled example: for
// README.md, in readme_example_test.go and examples/hello; for docs/some-guide.md, in
// docs/some_guide_test.go and, if it requires a module that only internal/bench requires, in
// internal/bench/some_guide_test.go.
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

// compiledFor returns the text of the files with a document's code.
func compiledFor(t *testing.T, document string) string {
	t.Helper()
	files := []string{"readme_example_test.go", filepath.Join("examples", "hello", "main.go")}
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

// TestLinks checks that the links of all documents to files of this repository, and to headings in
// them, resolve.
func TestLinks(t *testing.T) {
	if _, err := os.Stat("hooks/otelhooks/go.mod"); err != nil {
		t.Skip("this is the module alone, without the modules below it, which are linked to")
	}
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	followed := 0
	for _, document := range documents(t) {
		text := readText(t, document)
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, err := url.Parse(m[1])
			if err != nil {
				t.Errorf("%s: %v", document, err)
				continue
			}
			if target.Scheme != "" {
				continue
			}
			followed++
			file := document
			if target.Path != "" {
				file = filepath.Join(filepath.Dir(document), filepath.FromSlash(target.Path))
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: %v", document, err)
			} else if target.Fragment != "" && !slices.Contains(anchors(readText(t, file)), target.Fragment) {
				t.Errorf("%s: %s has no heading #%s", document, file, target.Fragment)
			}
		}
	}
	if followed < 20 {
		t.Errorf("only %d links", followed)
	}
}

// documents returns the paths of all Markdown files.
func documents(t *testing.T) []string {
	t.Helper()
	var paths []string
	if err := filepath.WalkDir(".", func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == ".git":
			return filepath.SkipDir
		case filepath.Ext(path) == ".md":
			paths = append(paths, path)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return paths
}

// anchors returns the fragments that GitHub generates for headings.
func anchors(text string) []string {
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(strings.ToLower(m[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
