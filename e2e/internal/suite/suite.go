// Package suite holds what the end-to-end suites share: contexts, leaks that are not ours, memory, figures.
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

// Within is a context that ends after d, by itself: cleanups need it, too.
func Within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	context.AfterFunc(ctx, cancel)
	return ctx
}

// GinkgosOwn are the goroutines that Ginkgo starts in the processes of a parallel run, whenever it sees fit: connections to
// its server, and the copying of what specs print.
func GinkgosOwn() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreAnyFunction("github.com/onsi/ginkgo/v2/internal.(*genericOutputInterceptor).ResumeIntercepting.func1"),
		goleak.IgnoreAnyFunction("github.com/onsi/ginkgo/v2/internal.(*genericOutputInterceptor).ResumeIntercepting.func1.1"),
		goleak.IgnoreAnyFunction("github.com/onsi/ginkgo/v2/internal.startPipeFactory"),
	}
}

// Heap is how much memory is in use, in bytes.
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

// AddsUp returns an error that shows the counters where what was tracked is not what became of it.
func AddsUp(s launchdarkly.Stats) error {
	if s.Tracked != s.Delivered+s.Waiting+s.HandedOver+s.Dropped.Total() {
		return fmt.Errorf("tracked is not delivered + waiting + handed over + dropped: %+v", s)
	}
	return nil
}
