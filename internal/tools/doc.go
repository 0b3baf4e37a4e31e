// Package tools has no code. Its module pins the tools that contributors run, so that they are not
// dependencies of other modules. It is not in go.work.
//
//	make lint
package tools
