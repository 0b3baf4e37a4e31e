package spool

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// world is LaunchDarkly, and the directory that processes share.
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

// arrived returns how often each event did.
func (w *world) arrived() map[int]int {
	times := map[int]int{}
	for _, e := range w.box.CustomEvents("purchase") {
		times[int(*e.MetricValue)]++
	}
	return times
}

// delivers waits until all of the events have arrived, and checks that none came twice.
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

// content returns what is in all files of the directory.
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

// serials are those of n events from the first.
func serials(first, n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = first + i
	}
	return all
}
