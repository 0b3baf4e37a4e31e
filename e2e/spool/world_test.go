package spool

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// world is a LaunchDarkly, and a spool directory that processes share.
type world struct {
	box       *launchdarklytest.Server
	directory string
	serial    int // of the first event of the next process
}

func newWorld() *world {
	w := &world{box: launchdarklytest.NewServer(), directory: filepath.Join(GinkgoT().TempDir(), "spool")}
	DeferCleanup(w.box.Close)
	w.box.SetValue("flag", true)
	return w
}

// arrived returns how often each event has arrived.
func (w *world) arrived() map[int]int {
	times := map[int]int{}
	for _, e := range w.box.CustomEvents("purchase") {
		times[int(*e.MetricValue)]++
	}
	return times
}

// delivers waits until all of the events have arrived, and checks that none arrived twice.
func (w *world) delivers(serials []int) {
	GinkgoHelper()
	Eventually(func() (missing []int) {
		times := w.arrived()
		for _, serial := range serials {
			if times[serial] == 0 {
				missing = append(missing, serial)
			}
		}
		return missing
	}).WithPolling(50*time.Millisecond).Should(BeEmpty(), "events that did not arrive")
	w.nothingTwice()
}

func (w *world) nothingTwice() {
	GinkgoHelper()
	var twice []int
	for serial, n := range w.arrived() {
		if n > 1 {
			twice = append(twice, serial)
		}
	}
	Expect(twice).To(BeEmpty(), "events that arrived more than once")
}

// content returns the content of all files in the directory.
func (w *world) content() string {
	var all strings.Builder
	_ = filepath.WalkDir(w.directory, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			text, _ := os.ReadFile(path)
			all.Write(text)
		}
		return nil
	})
	return all.String()
}

// diskWatch measures the duration of a write and an fsync, which a spool does every 20ms.
type diskWatch struct {
	over    chan struct{}
	slowest chan time.Duration
}

func (w *world) watchDisk() *diskWatch {
	GinkgoHelper()
	file, err := os.CreateTemp(filepath.Dir(w.directory), "disk")
	Expect(err).NotTo(HaveOccurred())
	d := &diskWatch{over: make(chan struct{}), slowest: make(chan time.Duration, 1)}
	go func() {
		defer GinkgoRecover()
		defer file.Close()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		var slowest time.Duration
		for {
			select {
			case <-d.over:
				d.slowest <- slowest
				return
			case due := <-tick.C:
				_, err := file.Write(make([]byte, 10_000))
				Expect(errors.Join(err, file.Sync())).To(Succeed())
				slowest = max(slowest, time.Since(due))
			}
		}
	}()
	return d
}

func (d *diskWatch) stop() time.Duration {
	close(d.over)
	return <-d.slowest
}

// serials returns the serial numbers of n events from first on.
func serials(first, n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = first + i
	}
	return all
}
