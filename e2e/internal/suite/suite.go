// Package suite has helpers of the end-to-end suites: contexts, checks for leaked goroutines, logs,
// memory, figures, counters.
package suite

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/onsi/ginkgo/v2"
	"go.uber.org/goleak"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
)

// Within returns a context that ends after d. It needs no cancel function, so cleanups can use it,
// too.
func Within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	context.AfterFunc(ctx, cancel)
	return ctx
}

// ginkgosOwn returns options that ignore the goroutines that Ginkgo starts in the processes of a
// parallel run: connections to its server, and copies of the specs' output.
func ginkgosOwn() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreAnyFunction("github.com/onsi/ginkgo/v2/internal.(*genericOutputInterceptor).ResumeIntercepting.func1"),
		goleak.IgnoreAnyFunction("github.com/onsi/ginkgo/v2/internal.(*genericOutputInterceptor).ResumeIntercepting.func1.1"),
		goleak.IgnoreAnyFunction("github.com/onsi/ginkgo/v2/internal.startPipeFactory"),
	}
}

// Heap returns the memory in use, in bytes.
func Heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// Report adds a figure to the suite's report.
func Report(what, format string, args ...any) {
	ginkgo.AddReportEntry(what, fmt.Sprintf(format, args...), ginkgo.ReportEntryVisibilityAlways)
}

// AddsUp returns an error with the counters if the numbers of tracked and accounted events differ.
func AddsUp(s launchdarkly.Stats) error {
	if s.Tracked != s.Delivered+s.Waiting+s.HandedOver+s.Dropped.Total() {
		return fmt.Errorf("tracked is not delivered + waiting + handed over + dropped: %+v", s)
	}
	return nil
}
