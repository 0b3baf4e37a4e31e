// The release command does what a release needs besides git: it is the logic of .github/workflows/release.yml, and of
// CONTRIBUTING.md.
//
//	go run ./internal/release check 1.2.3     # is the repository ready to become that version?
//	go run ./internal/release prepare 1.2.3   # have nested modules require that version of the others
//	go run ./internal/release notes 1.2.3     # print the changelog's section
//	go run ./internal/release tags 1.2.3      # print the tags, one for each public module
package main

import (
	"context"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(context.Background(), os.Stdout, ".", os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// run carries out a command in the repository at root.
func run(ctx context.Context, out io.Writer, root string, arguments []string) error {
	if len(arguments) != 2 {
		return fmt.Errorf("usage: go run ./internal/release check|prepare|notes|tags <version>, not %q", arguments)
	}
	r := repository{root: root}
	version, err := parseVersion(arguments[1])
	if err != nil {
		return err
	}
	switch command := arguments[0]; command {
	case "check":
		return r.check(version)
	case "prepare":
		return r.prepare(ctx, version)
	case "notes":
		notes, err := r.notes(version)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, notes)
		return err
	case "tags":
		for _, tag := range version.tags() {
			if _, err := fmt.Fprintln(out, tag); err != nil {
				return err
			}
		}
		return nil
	default:
		return fmt.Errorf("there is no command %q", command)
	}
}
