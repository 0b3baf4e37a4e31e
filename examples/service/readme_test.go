package main

import (
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func readReadme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestReadmeListsTheConfiguration(t *testing.T) {
	t.Parallel()
	readme := readReadme(t)
	_, err := loadConfig(func(name string) string {
		if !strings.Contains(readme, "\n| `"+name+"` |") {
			t.Errorf("README.md does not list %s", name)
		}
		return ""
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestReadmeShowsResponses makes the requests of the walk-through.
func TestReadmeShowsResponses(t *testing.T) {
	t.Parallel()
	readme := readReadme(t)
	s := start(t, newTestServer(t))
	const bowl = `{"items": [{"sku": "bowl", "quantity": 1}]}`
	for _, request := range []struct{ user, method, path, body string }{
		{"sandy", http.MethodGet, "/products", ""},
		{"sandy", http.MethodPost, "/orders", bowl},
		{"alex", http.MethodPost, "/orders", bowl},
	} {
		command := "curl -H 'X-User-ID: " + request.user + "' localhost:8080" + request.path
		if request.body != "" {
			command += " -d '" + request.body + "'"
		}
		_, response := s.request(user{id: request.user}, request.method, request.path, request.body)
		for _, want := range []string{command + "\n", string(response)} {
			if !strings.Contains(readme, want) {
				t.Errorf("README.md lacks %s", want)
			}
		}
	}

	for _, line := range s.logs.with(t, "request") {
		for key := range line["flags"].(map[string]any) {
			if !strings.Contains(readme, "\n| `"+key+"` |") {
				t.Errorf("README.md does not list the flag %s", key)
			}
		}
	}
}

func TestReadmeListsFiles(t *testing.T) {
	t.Parallel()
	readme := readReadme(t)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") && !strings.Contains(readme, "["+file+"]("+file+")") {
			t.Errorf("README.md does not list %s", file)
		}
	}
}

func TestHandlersDoNotImportLaunchDarkly(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"flags.go", "user.go", "requestlog.go", "products.go", "orders.go"} {
		source, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range source.Imports {
			if strings.Contains(strings.ToLower(spec.Path.Value), "launchdarkly") {
				t.Errorf("%s imports %s", file, spec.Path.Value)
			}
		}
	}
}
