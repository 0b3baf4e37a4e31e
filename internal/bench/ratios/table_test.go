package main

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	m, err := read(strings.NewReader(`goos: linux
BenchmarkEvaluation/attributes=01/by=bare-2           100   400 ns/op   64 B/op   2 allocs/op
BenchmarkEvaluation/attributes=01/by=bare-prebuilt-2  100   100 ns/op    0 B/op   0 allocs/op
BenchmarkEvaluation/attributes=01/by=bare-2           100   900 ns/op   64 B/op   2 allocs/op
BenchmarkEvaluation/attributes=01/by=bare-2           100   200 ns/op   64 B/op   2 allocs/op
BenchmarkEvaluation/attributes=01/by=ours-2           100   300 ns/op   32 B/op   1 allocs/op
BenchmarkUncomparable/by=ours-2                       100   300 ns/op   32 B/op   1 allocs/op
BenchmarkWithoutSubject-2                             100   300 ns/op
BenchmarkParallel/by=bare-2                           100   320 ns/op   32 B/op   4 allocs/op
BenchmarkParallel/by=ours                             100   300 ns/op   32 B/op   1 allocs/op
BenchmarkParallel/by=ours-2                           100   160 ns/op   32 B/op   1 allocs/op
PASS
`))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := m.print(&out); err != nil {
		t.Fatal(err)
	}
	want := `| benchmark | allocations of bare | bare-prebuilt | ours |
|---|---|---|---|
| Evaluation/attributes=01 | 2 | 0.25 (0) | 0.75 (1) |
| Parallel, processors=2 | 4 | | 0.50 (1) |

Parallel, ours: 1.88 times the throughput on 2 processors
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}

func TestTableRejectsDamagedLines(t *testing.T) {
	if _, err := read(strings.NewReader("BenchmarkX/by=bare-2 100 many ns/op\n")); err == nil {
		t.Error("no error")
	}
}
