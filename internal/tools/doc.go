// Package tools has no code: its module pins the tools that contributors run, so that no other module requires them. It is
// not in go.work.
//
//	make lint
package tools
