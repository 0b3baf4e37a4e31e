package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
)

// baseline is the subject that the others are compared with.
const baseline = "bare"

// measurements holds all results in the order of the benchmarks.
type measurements struct {
	rows     []*row
	subjects []string // other than the baseline
}

// row is one benchmark, with the results of each subject.
type row struct {
	name       string
	processors int
	results    map[string]*results
}

// results holds the results of all rounds.
type results struct {
	seconds     []float64
	allocations []float64
}

func median(values []float64) float64 {
	sample := benchmath.NewSample(values, &benchmath.DefaultThresholds)
	return benchmath.AssumeNothing.Summary(sample, 0.95).Center
}

// read collects the results of benchmarks whose names end in /by=SUBJECT, and ignores others.
func read(in io.Reader) (*measurements, error) {
	var m measurements
	lines := benchfmt.NewReader(in, "benchmarks")
	for lines.Scan() {
		switch record := lines.Result().(type) {
		case *benchfmt.SyntaxError:
			return nil, record
		case *benchfmt.Result:
			m.add(record)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return &m, nil
}

func (m *measurements) add(result *benchfmt.Result) {
	name, subject, ok := strings.Cut(result.Name.String(), "/by=")
	if !ok {
		return
	}
	processors := 1
	if at := strings.LastIndexByte(subject, '-'); at >= 0 {
		if n, err := strconv.Atoi(subject[at+1:]); err == nil {
			subject, processors = subject[:at], n
		}
	}
	if subject != baseline && !slices.Contains(m.subjects, subject) {
		m.subjects = append(m.subjects, subject)
	}
	r := m.row(name, processors)
	if r.results[subject] == nil {
		r.results[subject] = new(results)
	}
	of := r.results[subject]
	seconds, _ := result.Value("sec/op")
	of.seconds = append(of.seconds, seconds)
	allocations, _ := result.Value("allocs/op")
	of.allocations = append(of.allocations, allocations)
}

// find returns the row, or nil if there is none.
func (m *measurements) find(name string, processors int) *row {
	for _, r := range m.rows {
		if r.name == name && r.processors == processors {
			return r
		}
	}
	return nil
}

// row returns the row, creating it if needed.
func (m *measurements) row(name string, processors int) *row {
	if r := m.find(name, processors); r != nil {
		return r
	}
	r := &row{name: name, processors: processors, results: make(map[string]*results)}
	m.rows = append(m.rows, r)
	return r
}

// print writes a table of the comparisons with the baseline, and then the scaling to a second
// processor.
func (m *measurements) print(out io.Writer) error {
	var text strings.Builder
	fmt.Fprintf(&text, "| benchmark | allocations of %s | %s |\n", baseline, strings.Join(m.subjects, " | "))
	text.WriteString("|---|---|" + strings.Repeat("---|", len(m.subjects)) + "\n")
	for _, r := range m.rows {
		base := r.results[baseline]
		if base == nil {
			continue
		}
		fmt.Fprintf(&text, "| %s | %g |", r.label(), median(base.allocations))
		for _, subject := range m.subjects {
			if of := r.results[subject]; of != nil {
				fmt.Fprintf(&text, " %.2f (%g) |", median(of.seconds)/median(base.seconds), median(of.allocations))
			} else {
				text.WriteString(" |")
			}
		}
		text.WriteString("\n")
	}
	for _, line := range m.scaling() {
		text.WriteString("\n" + line + "\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// label returns the row's name, with the number of processors if the benchmark ran on several.
func (r *row) label() string {
	if strings.HasPrefix(r.name, "Parallel") {
		return fmt.Sprintf("%s, processors=%d", r.name, r.processors)
	}
	return r.name
}

// scaling returns the throughput on two processors relative to one.
func (m *measurements) scaling() []string {
	var lines []string
	for _, one := range m.rows {
		two := m.find(one.name, 2)
		if one.processors != 1 || two == nil {
			continue
		}
		for _, subject := range append([]string{baseline}, m.subjects...) {
			if one.results[subject] != nil && two.results[subject] != nil {
				lines = append(lines, fmt.Sprintf("%s, %s: %.2f times the throughput on 2 processors",
					one.name, subject, median(one.results[subject].seconds)/median(two.results[subject].seconds)))
			}
		}
	}
	return lines
}
