// The crash example shows that tracked events survive the process: a shop tracks orders during an
// outage of LaunchDarkly's events service, and is killed. The next shop delivers them.
//
//	go run ./examples/crash
//
// It needs no account and no network: a launchdarklytest server replaces LaunchDarkly. Start
// reading at shop.go, the code for a service. It runs in another process of this program.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	start := func() error { return run(ctx, os.Stdout) }
	if url := os.Getenv(urlVariable); url != "" {
		start = func() error { return shop(ctx, os.Stdin, os.Stdout, url, os.Getenv(directoryVariable)) }
	}
	if err := start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// The environment variables of the shop's process.
const (
	urlVariable       = "CRASH_EXAMPLE_URL"
	directoryVariable = "CRASH_EXAMPLE_DIRECTORY"
)

func run(ctx context.Context, out io.Writer) error {
	directory, err := os.MkdirTemp("", "crash")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)
	spool := filepath.Join(directory, "spool")
	testServer := launchdarklytest.NewServer()
	defer testServer.Close()

	testServer.RefuseEvents(503)
	fmt.Fprintln(out, "The events service is down. The shop takes orders:")
	first, err := open(ctx, testServer.URL(), spool)
	if err != nil {
		return err
	}
	defer first.kill()
	for _, order := range []string{"sandy 9.99", "kim 19.98", "robin 29.97"} {
		if err := first.order(out, order); err != nil {
			return err
		}
	}
	if err := awaitDisk(ctx, spool, 3); err != nil { // within 100ms
		return err
	}
	first.kill()
	fmt.Fprintf(out, "\nThe shop is killed. LaunchDarkly has received %d orders. The spool contains:\n", len(testServer.CustomEvents("order")))
	if err := show(out, spool); err != nil {
		return err
	}

	testServer.AcceptEvents()
	fmt.Fprintln(out, "\nThe events service is back. The next shop takes an order and delivers all of them:")
	second, err := open(ctx, testServer.URL(), spool)
	if err != nil {
		return err
	}
	defer second.kill()
	if err := second.order(out, "alex 39.96"); err != nil {
		return err
	}
	if err := testServer.WaitForEventCount(ctx, 4, launchdarklytest.KindCustom); err != nil {
		return err
	}
	for _, order := range testServer.CustomEvents("order") {
		fmt.Fprintf(out, "  received: %s for %.2f\n", order.Context.GetByKey("key").StringValue(), *order.MetricValue)
	}
	report, err := second.close()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "\n"+report)
	return nil
}

// awaitDisk waits until the orders are on disk.
func awaitDisk(ctx context.Context, directory string, orders int) error {
	for ctx.Err() == nil {
		var records strings.Builder
		if err := show(&records, directory); err != nil {
			return err
		}
		if strings.Count(records.String(), "custom") >= orders*2 { // in two columns
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return ctx.Err()
}

// show prints the beginning of each record of the spool.
func show(out io.Writer, directory string) error {
	segments, err := filepath.Glob(filepath.Join(directory, "*.log"))
	if err != nil {
		return err
	}
	for _, segment := range segments {
		text, err := os.ReadFile(segment) //nolint:gosec // of the example's own directory
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			const width = 100
			fmt.Fprintf(out, "  %.*s…\n", width, strings.TrimSpace(line))
		}
	}
	return nil
}

// process is the process of a shop.
type process struct {
	command *exec.Cmd
	input   io.WriteCloser
	output  *bufio.Scanner
}

// open starts a process.
func open(ctx context.Context, url, directory string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, self) //nolint:gosec // this very program
	command.Env = append(os.Environ(), urlVariable+"="+url, directoryVariable+"="+directory)
	command.Stderr = os.Stderr
	input, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &process{command: command, input: input, output: bufio.NewScanner(output)}, command.Start()
}

// order sends an order to the shop and prints the response.
func (p *process) order(out io.Writer, order string) error {
	if _, err := fmt.Fprintln(p.input, order); err != nil {
		return err
	}
	if !p.output.Scan() {
		return errors.Join(errors.New("the shop has exited"), p.output.Err())
	}
	fmt.Fprintln(out, "  "+p.output.Text())
	return nil
}

// kill ends the process with SIGKILL.
func (p *process) kill() {
	_ = p.command.Process.Kill()
	_ = p.command.Wait()
}

// close shuts the shop down and returns its last line.
func (p *process) close() (last string, err error) {
	if err := p.input.Close(); err != nil {
		return "", err
	}
	for p.output.Scan() {
		last = p.output.Text()
	}
	return last, p.command.Wait()
}
