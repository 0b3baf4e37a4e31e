package spool

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/suite"
)

// The environment variables that configure a process.
const (
	roleVariable      = "SPOOL_ROLE"
	urlVariable       = "SPOOL_URL"
	keyVariable       = "SPOOL_KEY"
	directoryVariable = "SPOOL_DIRECTORY"
	firstVariable     = "SPOOL_FIRST"  // serial number of the first event
	eventsVariable    = "SPOOL_EVENTS" // number of events, unless it tracks until its end
	syncVariable      = "SPOOL_SYNC"
	bytesVariable     = "SPOOL_BYTES"
	memoryVariable    = "SPOOL_MEMORY"
	eventsURLVariable = "SPOOL_EVENTS_URL" // if different from the URL of flags
)

// The roles of processes.
const (
	roleTrack    = "track"    // tracks from 8 goroutines until it is killed
	roleDeliver  = "deliver"  // runs until its input ends, then shuts down
	roleExit     = "exit"     // tracks, and exits without a shutdown
	rolePanic    = "panic"    // tracks, and panics
	roleShutdown = "shutdown" // tracks, and shuts down with a deadline
	roleLimited  = "limited"  // as roleDeliver, after tracking with a file size limit
	roleOutage   = "outage"   // as roleDeliver, after tracking many events, faster than a service does
	roleCorrupt  = "corrupt"  // starts and shuts down with corrupted copies of the directory
)

const (
	trackers = 8
	// pace is the pause of each tracker between two events.
	pace = time.Millisecond
	// age is the age from which an event survives the end of a process without a shutdown.
	age = 100 * time.Millisecond
)

// report is written by a process at its end.
type report struct {
	Error string
	Left  delivery.UndeliveredError // undelivered at the shutdown
	Stats launchdarkly.Stats
	Peak  int // peak memory, in bytes
}

// play is the main function of a process.
func play(role string) int {
	number := func(variable string) int {
		n, _ := strconv.Atoi(os.Getenv(variable))
		return n
	}
	if role == roleLimited {
		limit := syscall.Rlimit{Cur: 100 << 10, Max: 100 << 10}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			return fail(err)
		}
	}
	if role == roleCorrupt {
		return startCorrupted(os.Getenv(directoryVariable), number(eventsVariable))
	}
	url, events := os.Getenv(urlVariable), cmp.Or(os.Getenv(eventsURLVariable), os.Getenv(urlVariable))
	opts := []delivery.Option{
		delivery.WithSpool(os.Getenv(directoryVariable)), delivery.WithBackoff(10*time.Millisecond, 100*time.Millisecond),
		delivery.WithSpoolMaxBytes(number(bytesVariable)), delivery.WithMaxBytes(number(memoryVariable)),
	}
	if os.Getenv(syncVariable) != "" {
		opts = append(opts, delivery.WithSyncTrack())
	}
	provider, err := launchdarkly.NewProvider(os.Getenv(keyVariable),
		launchdarkly.WithConfig(ld.Config{
			Events:           ldcomponents.SendEvents().FlushInterval(50 * time.Millisecond),
			DiagnosticOptOut: true,
			Logging:          ldcomponents.NoLogging(),
			ServiceEndpoints: interfaces.ServiceEndpoints{Streaming: url, Polling: url, Events: events},
		}),
		launchdarkly.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, nil))),
		launchdarkly.WithDelivery(opts...),
	)
	if err != nil {
		return fail(err)
	}
	api := isolated.NewAPI()
	if err := api.SetProviderAndWait(context.Background(), provider); err != nil {
		return fail(err)
	}
	p := &player{provider: provider, client: api.NewClient(), next: int64(number(firstVariable))}
	n := number(eventsVariable)
	switch role {
	case roleTrack:
		p.trackUntilKilled()
	case roleExit:
		p.track(n)
		time.Sleep(2 * age)
		return 3
	case rolePanic:
		p.track(n)
		time.Sleep(2 * age)
		panic("the application's own")
	case roleShutdown:
		p.track(n)
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		return p.shutdown(ctx)
	case roleLimited, roleDeliver, roleOutage:
		if role == roleOutage {
			p.trackSteadily(n)
		} else {
			p.track(n)
		}
		fmt.Println("tracked")
		_, _ = io.Copy(io.Discard, os.Stdin)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return p.shutdown(ctx)
	}
	return 0
}

func fail(err error) int {
	_, _ = fmt.Fprintln(os.Stderr, err)
	return 1
}

// player is the application within a process.
type player struct {
	provider *launchdarkly.Provider
	client   *openfeature.Client
	next     int64
	mu       sync.Mutex // guards the standard output
}

func (p *player) event() int64 {
	serial := atomic.AddInt64(&p.next, 1) - 1
	user := openfeature.NewEvaluationContext(fmt.Sprint("user-", serial%100), map[string]any{"plan": "gold"})
	p.client.Track(context.Background(), "purchase", user, openfeature.NewTrackingEventDetails(float64(serial)))
	return serial
}

func (p *player) track(n int) {
	for range n {
		p.event()
	}
}

// trackSteadily tracks at most 50,000 events a second, fewer than can be formatted.
func (p *player) trackSteadily(n int) {
	const together = 500
	for range n / together {
		next := time.Now().Add(10 * time.Millisecond)
		p.track(together)
		time.Sleep(time.Until(next))
	}
}

// trackUntilKilled writes the serial number of each event, and the time when Track returned.
func (p *player) trackUntilKilled() {
	var running sync.WaitGroup
	for range trackers {
		running.Go(func() {
			for {
				serial := p.event()
				line := fmt.Appendln(nil, serial, time.Now().UnixMicro())
				p.mu.Lock()
				_, _ = os.Stdout.Write(line)
				p.mu.Unlock()
				time.Sleep(pace)
			}
		})
	}
	running.Wait()
}

// shutdown shuts down, and writes a report.
func (p *player) shutdown(ctx context.Context) int {
	var r report
	if err := p.provider.ShutdownWithContext(ctx); err != nil {
		r.Error = err.Error()
		if left, ok := errors.AsType[*delivery.UndeliveredError](err); ok {
			r.Left = *left
			r.Left.Cause = nil
		}
	}
	r.Stats, r.Peak = p.provider.Stats(), peak()
	text, err := json.Marshal(r)
	if err != nil {
		return fail(err)
	}
	fmt.Println(string(text))
	return 0
}

// peak returns the peak memory of the process, or 0 if the system does not report it.
func peak() int {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		var kB int
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kB); n == 1 {
			return kB << 10
		}
	}
	return 0
}

// process is a process that a spec has started.
type process struct {
	command *exec.Cmd
	input   io.Closer
	log     *suite.Log
	lines   chan string
	tracked map[int]time.Time // when Track returned, by serial number; valid after the end
}

// start starts a process, which is killed after the spec.
func (w *world) start(role string, variables ...string) *process {
	GinkgoHelper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), roleVariable+"="+role, urlVariable+"="+w.box.URL(), keyVariable+"="+w.box.SDKKey(),
		directoryVariable+"="+w.directory, firstVariable+"="+strconv.Itoa(w.serial))
	command.Env = append(command.Env, variables...)
	p := &process{command: command, log: new(suite.Log), lines: make(chan string, 1), tracked: map[int]time.Time{}}
	command.Stderr = p.log
	input, err := command.StdinPipe()
	Expect(err).NotTo(HaveOccurred())
	output, err := command.StdoutPipe()
	Expect(err).NotTo(HaveOccurred())
	Expect(command.Start()).To(Succeed())
	w.serial += 1_000_000
	p.input = input
	go p.read(output)
	DeferCleanup(func() {
		_ = command.Process.Kill()
		p.wait()
	})
	return p
}

// read reads the output of the process: a line for each tracked event, and others.
func (p *process) read(output io.Reader) {
	defer close(p.lines)
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var serial int
		var at int64
		if n, _ := fmt.Sscan(lines.Text(), &serial, &at); n == 2 {
			p.tracked[serial] = time.UnixMicro(at)
			continue
		}
		p.lines <- lines.Text()
	}
}

// wait waits for the end of the process.
func (p *process) wait() error {
	for range p.lines { // until the output ends
	}
	return p.command.Wait()
}

// kill kills the process, and returns the events that were tracked at least age before.
func (p *process) kill(age time.Duration) (serials []int) {
	GinkgoHelper()
	at := time.Now()
	Expect(p.command.Process.Signal(syscall.SIGKILL)).To(Succeed())
	_ = p.wait()
	for serial, tracked := range p.tracked {
		if at.Sub(tracked) >= age {
			serials = append(serials, serial)
		}
	}
	return serials
}

// line waits for a line of output.
func (p *process) line() string {
	GinkgoHelper()
	select {
	case line, ok := <-p.lines:
		Expect(ok).To(BeTrue(), "the process has ended: %s", p.log)
		return line
	case <-waiting().Done():
		Fail("no output from the process: " + p.log.String())
		return ""
	}
}

// end makes the process shut down, and returns its report.
func (p *process) end() report {
	GinkgoHelper()
	Expect(p.input.Close()).To(Succeed())
	return p.reported()
}

func (p *process) reported() report {
	GinkgoHelper()
	var r report
	Expect(json.Unmarshal([]byte(p.line()), &r)).To(Succeed())
	Expect(p.wait()).To(Succeed())
	return r
}
