// Command ratios runs the benchmarks of this module in rounds, with the sides of each comparison
// right after one another. It prints a Markdown table that compares each with LaunchDarkly's SDK
// alone: the ratio of the median times, and the allocations. It prints no absolute times, which
// depend on the machine.
//
//	GOWORK=off go run ./ratios
//	GOWORK=off go run ./ratios -keep all.txt
//	GOWORK=off go run golang.org/x/perf/cmd/benchstat -col /by all.txt
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// plan is a set of benchmarks and their flags -benchtime and -cpu.
type plan struct{ benchmarks, duration, processors string }

func plans(duration string) []plan {
	return []plan{
		{"^Benchmark(Evaluation|Types|Track)", duration, ""},
		{"Parallel", duration, "1,2"},
		{"Delivery", "20000x", ""}, // flushed ten times
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("ratios", flag.ContinueOnError)
	rounds := flags.Int("rounds", 10, "number of runs of each benchmark")
	duration := flags.String("benchtime", "50ms", "duration of each benchmark in a round")
	keep := flags.String("keep", "", "file for the output of the benchmarks")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *rounds < 1 {
		return fmt.Errorf("%d rounds measure nothing", *rounds)
	}
	output, err := measure(ctx, *rounds, plans(*duration))
	if err != nil {
		return err
	}
	if *keep != "" {
		if err := os.WriteFile(*keep, output, 0o600); err != nil {
			return err
		}
	}
	m, err := read(bytes.NewReader(output))
	if err != nil {
		return err
	}
	return m.print(out)
}

// measure runs all plans once in each round, so that what else the machine does falls on all of
// them alike.
func measure(ctx context.Context, rounds int, plans []plan) ([]byte, error) {
	dir, err := os.MkdirTemp("", "ratios")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "bench.test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, ".") //nolint:gosec // in a directory of our own
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("building the benchmarks: %w", err)
	}
	var output bytes.Buffer
	for round := range rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, rounds)
		for _, p := range plans {
			args := []string{"-test.run=^$", "-test.bench=" + p.benchmarks, "-test.benchtime=" + p.duration}
			if p.processors != "" {
				args = append(args, "-test.cpu="+p.processors)
			}
			bench := exec.CommandContext(ctx, binary, args...) //nolint:gosec // built above
			bench.Stdout, bench.Stderr = &output, os.Stderr
			if err := bench.Run(); err != nil {
				return nil, fmt.Errorf("benchmarks %s: %w\n%s", p.benchmarks, err, output.Bytes())
			}
		}
	}
	return output.Bytes(), nil
}
