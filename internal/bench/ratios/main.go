// Command ratios reads the output of benchmarks whose names end in /by=NAME, and prints how each NAME compares with
// by=bare in the same run: the median of its times as a ratio, and its allocations.
//
//	GOWORK=off go test -run '^$' -bench 'Evaluation/|Types|Track' -count 10 . | go run ./ratios
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// baseline is what the others are compared with.
const baseline = "bare"

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// row is one benchmark, with the results of each subject.
type row struct {
	name     string
	subjects map[string]*results
}

type results struct {
	nanoseconds []float64
	allocations string
}

// ratio is the median, against that of the baseline.
func (r *results) ratio(base *results) float64 {
	return median(r.nanoseconds) / median(base.nanoseconds)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

func run(in io.Reader, out io.Writer) error {
	rows, subjects, err := read(in)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "| benchmark | allocations of %s |", baseline)
	for _, subject := range subjects {
		fmt.Fprintf(out, " %s |", subject)
	}
	fmt.Fprintln(out, "\n|---|---|"+strings.Repeat("---|", len(subjects)))
	for _, row := range rows {
		base, ok := row.subjects[baseline]
		if !ok {
			continue
		}
		fmt.Fprintf(out, "| %s | %s |", row.name, base.allocations)
		for _, subject := range subjects {
			if r, ok := row.subjects[subject]; ok {
				fmt.Fprintf(out, " %.2f (%s) |", r.ratio(base), r.allocations)
			} else {
				fmt.Fprint(out, " |")
			}
		}
		fmt.Fprintln(out)
	}
	return nil
}

// read collects the rows, and the subjects other than the baseline, in the order in which they come.
func read(in io.Reader) (rows []*row, subjects []string, err error) {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") || fields[3] != "ns/op" {
			continue
		}
		name, subject, ok := strings.Cut(strings.TrimPrefix(fields[0], "Benchmark"), "/by=")
		if !ok {
			continue
		}
		if processors := strings.LastIndexByte(subject, '-'); processors >= 0 {
			subject = subject[:processors]
		}
		nanoseconds, err := strconv.ParseFloat(fields[2], 64)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", lines.Text(), err)
		}
		at := slices.IndexFunc(rows, func(r *row) bool { return r.name == name })
		if at < 0 {
			at = len(rows)
			rows = append(rows, &row{name: name, subjects: map[string]*results{}})
		}
		r := rows[at].subjects[subject]
		if r == nil {
			r = &results{}
			rows[at].subjects[subject] = r
		}
		r.nanoseconds = append(r.nanoseconds, nanoseconds)
		if len(fields) > 6 {
			r.allocations = fields[6]
		}
		if subject != baseline && !slices.Contains(subjects, subject) {
			subjects = append(subjects, subject)
		}
	}
	return rows, subjects, lines.Err()
}
