package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// rootModule is the path of the root module; a public nested module's adds its directory.
const rootModule = "github.com/openfeature-launchdarkly/go-provider"

// repository is a checkout of this one.
type repository struct{ root string }

// check says why the repository is not ready to be released as the version, if it is not.
func (r repository) check(v version) error {
	var problems []error
	switch constant, err := r.constant(); {
	case err != nil:
		problems = append(problems, err)
	case constant != string(v):
		problems = append(problems, fmt.Errorf("the constant Version in provider.go is %q, not %q", constant, v))
	}
	if _, err := r.notes(v); err != nil {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// constant reads the constant Version of the provider.
func (r repository) constant() (string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(r.root, "provider.go"), nil, 0)
	if err != nil {
		return "", err
	}
	for _, declaration := range file.Decls {
		general, ok := declaration.(*ast.GenDecl)
		if !ok || general.Tok != token.CONST {
			continue
		}
		for _, spec := range general.Specs {
			constant, ok := spec.(*ast.ValueSpec)
			if !ok || len(constant.Names) != 1 || constant.Names[0].Name != "Version" || len(constant.Values) != 1 {
				continue
			}
			if literal, ok := constant.Values[0].(*ast.BasicLit); ok {
				return strconv.Unquote(literal.Value)
			}
		}
	}
	return "", errors.New("there is no constant Version in provider.go")
}

// notes is the changelog's section about the version, without its heading.
func (r repository) notes(v version) (string, error) {
	changelog, err := os.ReadFile(filepath.Join(r.root, "CHANGELOG.md"))
	if err != nil {
		return "", err
	}
	heading := regexp.MustCompile(`^## \[?` + regexp.QuoteMeta(string(v)) + `\]?(\s|$)`)
	var notes strings.Builder
	found := false
	for line := range strings.Lines(string(changelog)) {
		switch {
		case heading.MatchString(line):
			found = true
		case found && strings.HasPrefix(line, "## "):
			return trimmed(notes.String(), v)
		case found:
			notes.WriteString(line)
		}
	}
	if !found {
		return "", fmt.Errorf("CHANGELOG.md has no section %q", "## "+v)
	}
	return trimmed(notes.String(), v)
}

func trimmed(notes string, v version) (string, error) {
	if notes = strings.TrimSpace(notes); notes == "" {
		return "", fmt.Errorf("the section %q of CHANGELOG.md is empty", "## "+v)
	}
	return notes, nil
}

// prepare has the nested modules require the version of the modules that are released with it. Everything else in their
// go.mod files stays, the replace directives included: those hold within this repository, and nobody else sees them.
//
// All nested modules get it, also those that are not released: one that requires another of ours requires what that does.
func (r repository) prepare(ctx context.Context, v version) error {
	released := []string{rootModule}
	for _, directory := range publicModules() {
		released = append(released, rootModule+"/"+directory)
	}
	files, err := r.nestedModules()
	if err != nil {
		return err
	}
	for _, file := range files {
		required, err := requirements(ctx, file)
		if err != nil {
			return err
		}
		for _, path := range required {
			if !slices.Contains(released, path) {
				continue
			}
			if _, err := goModEdit(ctx, "-require="+path+"@"+v.module(), file); err != nil {
				return err
			}
		}
	}
	return nil
}

// nestedModules finds the go.mod files below the root's.
func (r repository) nestedModules() ([]string, error) {
	var files []string
	err := filepath.WalkDir(r.root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != r.root && strings.HasPrefix(entry.Name(), "."):
			return filepath.SkipDir
		case entry.Name() == "go.mod" && filepath.Dir(path) != filepath.Clean(r.root):
			files = append(files, path)
		}
		return nil
	})
	return files, err
}

// requirements lists the paths of the modules that a go.mod file requires.
func requirements(ctx context.Context, file string) ([]string, error) {
	description, err := goModEdit(ctx, "-json", file)
	if err != nil {
		return nil, err
	}
	var module struct{ Require []struct{ Path string } }
	if err := json.Unmarshal(description, &module); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var paths []string
	for _, required := range module.Require {
		paths = append(paths, required.Path)
	}
	return paths, nil
}

func goModEdit(ctx context.Context, arguments ...string) ([]byte, error) {
	//nolint:gosec // the arguments are paths of this repository, and a version that was parsed
	command := exec.CommandContext(ctx, "go", append([]string{"mod", "edit"}, arguments...)...)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go mod edit %s: %w", strings.Join(arguments, " "), err)
	}
	return out, nil
}
