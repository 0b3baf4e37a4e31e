package spool

import (
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

const some = 500

var tracksSome = eventsVariable + "=" + strconv.Itoa(some)

var _ = Describe("A process that ends", func() {
	DescribeTable("leaves undelivered events to the next process",
		func(role string, code int) {
			w := newWorld()
			w.box.RefuseEvents(503)
			p := w.start(role, tracksSome)
			_ = p.wait()
			Expect(p.command.ProcessState.ExitCode()).To(Equal(code), p.log.String())
			w.box.AcceptEvents()
			w.start(roleDeliver)
			w.delivers(serials(0, some))
		},
		Entry("with os.Exit, without a shutdown", roleExit, 3),
		Entry("with a panic", rolePanic, 2),
	)

	It("reports the events that its shutdown left on disk, which are not lost", func() {
		w := newWorld()
		w.box.RefuseEvents(503)
		r := w.start(roleShutdown, tracksSome).reported()
		Expect(r.Error).To(ContainSubstring("on disk"))
		Expect(r.Left.Events).To(Equal(some))
		Expect(r.Left.OnDisk).To(Equal(r.Left.Events + r.Left.Evaluations))
		Expect(r.Stats.OnDisk).To(BeEquivalentTo(some))
		Expect(r.Stats.Dropped.Total()).To(BeZero())
		w.box.AcceptEvents()
		next := w.start(roleDeliver)
		w.delivers(serials(0, some))
		Expect(next.line()).To(Equal("tracked"))
		stats := next.end().Stats
		Expect(stats.Adopted).To(BeEquivalentTo(some))
		Expect(stats.Delivered).To(BeEquivalentTo(some))
		Expect(w.content()).To(BeEmpty())
	})

	It("leaves its events to a running process within a minute", func() {
		w := newWorld()
		w.box.RefuseEvents(503)
		running := w.start(roleDeliver, tracksSome)
		Expect(running.line()).To(Equal("tracked"))
		first := w.serial
		old := w.start(roleTrack)
		Eventually(func() int { return strings.Count(w.content(), `"key":"purchase"`) }).Should(BeNumerically(">", some))
		due := append(old.kill(age), serials(0, some)...)
		Expect(w.serial).To(BeNumerically(">", first))
		w.box.AcceptEvents()
		w.delivers(due)
		Expect(running.end().Error).To(BeEmpty())
	})
})

var _ = Describe("Processes that share a directory", func() {
	DescribeTable("deliver all events once",
		func(n int) {
			w := newWorld()
			w.box.RefuseEvents(503)
			var processes []*process
			var due []int
			for range n {
				due = append(due, serials(w.serial, some)...)
				processes = append(processes, w.start(roleDeliver, tracksSome))
			}
			for _, p := range processes {
				Expect(p.line()).To(Equal("tracked"))
			}
			Eventually(func() int { return strings.Count(w.content(), `"key":"purchase"`) }).Should(Equal(n * some))
			for _, p := range processes[:n/2] {
				p.kill(age)
			}
			w.box.AcceptEvents()
			late := w.start(roleDeliver) // adopts at its start; the others check once a minute
			w.delivers(due)
			for _, p := range processes[n/2:] {
				Expect(p.end().Error).To(BeEmpty())
			}
			Expect(late.line()).To(Equal("tracked"))
			Expect(late.end().Error).To(BeEmpty())
			w.nothingTwice()
			Expect(w.content()).To(BeEmpty())
		},
		Entry("two", 2),
		Entry("ten", 10),
	)
})
