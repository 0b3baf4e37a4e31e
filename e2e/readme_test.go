package e2e

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// requirement is one of OpenFeature's requirements, as in the title of a spec or in a row of
// README.md.
type requirement struct{ number, shows, file string }

var numbered = regexp.MustCompile(`^(\d+(?:\.\d+)+) (.+)$`)

// TestREADMEListsTheRequirements checks that README.md lists each requirement once, in order, with
// the title and the file of its spec, and nothing else.
func TestREADMEListsTheRequirements(t *testing.T) {
	listed, omitted := requirementsOfREADME(t)
	specs := requirementsOfSpecs(t)
	if len(specs) == 0 || len(omitted) == 0 {
		t.Fatalf("found %d specs and %d omitted requirements", len(specs), len(omitted))
	}
	if !slices.IsSortedFunc(listed, compareRequirements) {
		t.Error("the table of README.md is not in order")
	}
	for _, r := range listed {
		if !slices.Contains(specs, r) {
			t.Errorf("README.md has no such spec: %q", r)
		}
		if slices.Contains(omitted, r.number) {
			t.Errorf("README.md lists %s both with a spec and as omitted", r.number)
		}
	}
	seen := make(map[string]bool)
	for _, r := range specs {
		if !slices.Contains(listed, r) {
			t.Errorf("README.md lacks a spec: %q", r)
		}
		if seen[r.number] {
			t.Errorf("%s has several specs", r.number)
		}
		seen[r.number] = true
	}
}

// TestREADMEListsTheFiles checks that README.md describes each file of specs.
func TestREADMEListsTheFiles(t *testing.T) {
	text := readREADME(t)
	for _, file := range testFiles(t, "*_test.go") {
		if !strings.Contains(text, "| `"+file+"` |") {
			t.Errorf("README.md does not describe %s", file)
		}
	}
	for _, line := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(line[1]); err != nil {
			t.Errorf("README.md: %v", err)
		}
	}
}

// requirementsOfREADME returns the table of requirements, and the numbers of those that are
// omitted.
func requirementsOfREADME(t *testing.T) (listed []requirement, omitted []string) {
	t.Helper()
	row := regexp.MustCompile("^\\| (\\d+(?:\\.\\d+)+) \\| (.+) \\| `(.+)` \\|$")
	number := regexp.MustCompile(`\d+(?:\.\d+)+`)
	_, after, found := strings.Cut(readREADME(t), "\n## OpenFeature's requirements\n")
	table, out, found2 := strings.Cut(after, "\n### Omitted\n")
	if !found || !found2 {
		t.Fatal("README.md lacks a section")
	}
	for line := range strings.Lines(table) {
		if m := row.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			listed = append(listed, requirement{m[1], m[2], m[3]})
		}
	}
	for line := range strings.Lines(out) {
		if numbers, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " | "); ok {
			omitted = append(omitted, number.FindAllString(numbers, -1)...)
		}
	}
	return listed, omitted
}

// requirementsOfSpecs returns the specs whose titles begin with a number.
func requirementsOfSpecs(t *testing.T) []requirement {
	t.Helper()
	var found []requirement
	for _, file := range testFiles(t, "conformance_*_test.go") {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			name, isName := call.Fun.(*ast.Ident)
			literal, isLiteral := call.Args[0].(*ast.BasicLit)
			if !isName || !isLiteral || !slices.Contains([]string{"It", "DescribeTable"}, name.Name) {
				return true
			}
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			m := numbered.FindStringSubmatch(text)
			if m == nil {
				t.Errorf("%s: the spec %q does not begin with the number of a requirement", file, text)
				return true
			}
			found = append(found, requirement{m[1], m[2], file})
			return true
		})
	}
	return found
}

// compareRequirements orders by number: 2.2.9 comes before 2.2.10.
func compareRequirements(a, b requirement) int {
	return slices.Compare(parts(a.number), parts(b.number))
}

func parts(number string) []int {
	var parts []int
	for part := range strings.SplitSeq(number, ".") {
		n, _ := strconv.Atoi(part) // the patterns match digits only
		parts = append(parts, n)
	}
	return parts
}

func readREADME(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func testFiles(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	return files
}
