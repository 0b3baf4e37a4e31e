package spool

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

var _ = Describe("A spool directory that cannot be used", func() {
	It("prevents neither the start of a process nor delivery", func() {
		w := newWorld()
		Expect(os.WriteFile(w.directory, nil, 0o600)).To(Succeed()) // a file
		p := w.start(roleDeliver, tracksSome)
		w.delivers(serials(0, some))
		Expect(p.line()).To(Equal("tracked"))
		r := p.end()
		Expect(r.Error).To(BeEmpty())
		Expect(r.Stats.SpoolFailures).NotTo(BeZero())
		Expect(strings.Count(p.log.String(), "writing to the spool failed")).To(Equal(1))
	})

	It("loses no events if files are limited to 100 KiB", func() {
		w := newWorld()
		w.box.RefuseEvents(503)
		const many = 3000
		p := w.start(roleLimited, eventsVariable+"="+strconv.Itoa(many))
		Expect(p.line()).To(Equal("tracked"))
		w.box.AcceptEvents()
		w.delivers(serials(0, many))
		r := p.end()
		Expect(r.Error).To(BeEmpty())
		Expect(r.Stats.Dropped.Total()).To(BeZero())
	})
})

var _ = Describe("A corrupted spool directory", func() {
	It("neither prevents the start of a process nor ends it", func() {
		w := newWorld()
		w.box.ResetEvents(-1)
		p := w.start(roleTrack)
		time.Sleep(500 * time.Millisecond)
		p.kill(0)
		times := sized(100, 3000)
		elsewhere := newWorld() // corrupted events may arrive more than once
		corrupted := w.start(roleCorrupt, eventsVariable+"="+strconv.Itoa(times), urlVariable+"="+elsewhere.box.URL())
		Expect(corrupted.line()).To(Equal(fmt.Sprint("survived ", times)), corrupted.log.String())
		Expect(corrupted.wait()).To(Succeed())
		w.box.ResetEvents(0)
		last := w.start(roleDeliver) // with the uncorrupted directory
		var due []int
		for serial := range p.tracked {
			due = append(due, serial)
		}
		Eventually(func() int { return len(w.arrived()) }).Should(BeNumerically(">", len(due)/2))
		Expect(last.line()).To(Equal("tracked"))
		Expect(last.end().Error).To(BeEmpty())
		w.nothingTwice()
	})
})

// startCorrupted starts event processors with copies of the directory, each corrupted differently.
func startCorrupted(directory string, times int) int {
	for seed := range uint64(times) {
		copied, err := os.MkdirTemp("", "corrupted")
		if err == nil {
			err = os.CopyFS(filepath.Join(copied, "spool"), os.DirFS(directory))
		}
		if err == nil {
			err = corrupt(copied, rand.New(rand.NewPCG(seed, 1)))
		}
		if err != nil {
			return fail(err)
		}
		config := delivery.Lossless(nil, delivery.WithSpool(filepath.Join(copied, "spool")),
			delivery.WithLogger(slog.New(slog.DiscardHandler)))
		if _, err := config.Build(subsystems.BasicClientContext{
			SDKKey:           launchdarklytest.ValidSDKKey,
			Logging:          subsystems.LoggingConfiguration{Loggers: ldlog.NewDisabledLoggers()},
			ServiceEndpoints: interfaces.ServiceEndpoints{Events: os.Getenv(urlVariable)},
		}); err != nil {
			return fail(err)
		}
		time.Sleep(5 * time.Millisecond) // time to adopt and to send
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = config.Processor().Shutdown(ctx)
		_ = os.RemoveAll(copied)
	}
	fmt.Println("survived", times)
	return 0
}

// corrupt changes the files below a directory at random.
func corrupt(directory string, random *rand.Rand) error {
	return filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || random.IntN(4) == 0 {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil || len(content) == 0 {
			return err
		}
		const page = 4096
		at := random.IntN(len(content))
		begin := at / page * page
		end := min(begin+page, len(content))
		switch random.IntN(6) {
		case 0:
			content = content[:at]
		case 1:
			content[at] ^= 1 << random.IntN(8)
		case 2:
			clear(content[begin:end])
		case 3:
			for i := begin; i < end; i++ {
				content[i] = byte(random.Uint32())
			}
		case 4:
			copy(content[begin:end], content[random.IntN(len(content)):])
		case 5:
			return os.Remove(path)
		}
		return os.WriteFile(path, content, 0o600)
	})
}
